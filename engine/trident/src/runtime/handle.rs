//! `TridentHandle`: a running topology, and how it is started.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::drpc::DrpcWorker;
use super::guarded;
use super::master::Master;
use super::pool::{self, Pool};
use super::run::Workshop;
use super::spout::{Command, SpoutRecord, SpoutWorker};
use crate::batch::BatchId;
use crate::coordinator::{Coordinator, Event, Limits, Readiness};
use crate::function::OperationContext;
use crate::graph::Source;
use crate::plan::Plan;
use crate::spout::{Kind, Spout};
use crate::topology::{Options, TridentTopology};
use crate::{Error, Result};

/// How many failures a handle remembers: the latest.
const ERRORS_MAX: usize = 1000;

/// A failure of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchError {
    /// The batch and its attempt.
    pub batch: BatchId,
    /// How often this batch has failed so far.
    pub failures: u32,
    /// What went wrong.
    pub reason: String,
}

#[derive(Default)]
struct Known {
    committed: u64,
    errors: VecDeque<BatchError>,
    halted: Option<Error>,
    stopped: bool,
}

/// What the master lets the handle know.
#[derive(Default)]
pub(super) struct Status {
    known: Mutex<Known>,
    changed: Condvar,
}

impl Status {
    pub(super) fn committed(&self, txid: u64) {
        self.known.lock().committed = txid;
        self.changed.notify_all();
    }

    pub(super) fn failed(&self, batch: BatchId, failures: u32, reason: String) {
        let errors = &mut self.known.lock().errors;
        if errors.len() == ERRORS_MAX {
            errors.pop_front();
        }
        errors.push_back(BatchError { batch, failures, reason });
    }

    pub(super) fn halted(&self, txid: u64, failures: u32, reason: String) {
        self.known.lock().halted = Some(Error::Halted { txid, failures, reason });
        self.changed.notify_all();
    }

    pub(super) fn stopped(&self) {
        self.known.lock().stopped = true;
        self.changed.notify_all();
    }
}

/// A running topology. Dropping it stops it.
pub struct TridentHandle {
    status: Arc<Status>,
    events: Sender<Event>,
    drpc_stopped: Arc<AtomicBool>,
    workshop: Arc<Workshop>,
    sources: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
}

impl TridentHandle {
    /// The last txid whose commit is recorded, 0 for none.
    pub fn committed_txid(&self) -> u64 {
        self.status.known.lock().committed
    }

    /// Waits until a txid is committed. An error when it isn't in time, or won't be.
    pub fn wait_for_txid(&self, txid: u64, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut known = self.status.known.lock();
        loop {
            let committed = known.committed;
            if committed >= txid {
                return Ok(());
            }
            if let Some(halted @ Error::Halted { txid: halted_at, .. }) = &known.halted
                && *halted_at <= txid
            {
                return Err(halted.clone());
            }
            if known.stopped {
                return Err(Error::Stopped { committed });
            }
            if self.status.changed.wait_until(&mut known, deadline).timed_out() && known.committed < txid {
                return Err(Error::Timeout { txid, waited: timeout, committed: known.committed });
            }
        }
    }

    /// The latest failures of batches, oldest first; at most a thousand are kept.
    pub fn errors(&self) -> Vec<BatchError> {
        self.status.known.lock().errors.iter().cloned().collect()
    }

    /// Why the topology goes on no more, if it is so: see [`Options::failures_max`].
    pub fn halted(&self) -> Option<Error> {
        self.status.known.lock().halted.clone()
    }

    /// Stops: the commit under way is finished and recorded, batches before theirs are given up, DRPC requests in work are
    /// answered. Waits for user code that is running.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        drop(self.events.send(Event::Stop));
        self.drpc_stopped.store(true, Ordering::Relaxed);
        self.sources.drain(..).for_each(|thread| drop(thread.join()));
        self.workshop.pool.close();
        if self.workers.is_empty() {
            return;
        }
        self.workers.drain(..).for_each(|thread| drop(thread.join()));
        self.workshop.plan.nodes.iter().for_each(|node| {
            drop(guarded(|| {
                node.operation.cleanup();
                Ok(())
            }));
        });
    }
}

impl Drop for TridentHandle {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Runs a topology on threads of this process, from where its metadata store says it was. [`Error::Invalid`] for a
/// topology that can't run, [`Error::Metadata`] when the store can't be read, [`Error::Prepare`] when a part refuses to start.
pub fn run_local(topology: TridentTopology) -> Result<TridentHandle> {
    let TridentTopology { name, options, graph } = topology;
    if options.batches_in_flight_max == 0 {
        return Err(Error::invalid("batches_in_flight_max must be at least 1"));
    }
    let graph = {
        let mut graph = graph.lock();
        let taken = std::mem::take(&mut *graph);
        graph.closed = true;
        taken
    };
    if graph.nodes.is_empty() {
        return Err(Error::invalid("the topology has no streams"));
    }
    let (plan, spouts) = Plan::new(name, graph)?;
    prepare(&plan)?;
    let pool = Arc::new(Pool::default());
    let workshop = Arc::new(Workshop { plan, pool, clock: options.clock.clone() });
    start(workshop, spouts, &options)
}

fn prepare(plan: &Plan) -> Result<()> {
    for (node, partitions) in plan.nodes.iter().zip(&plan.partitions) {
        let context = OperationContext { topology: plan.topology.clone(), partitions: *partitions };
        guarded(|| node.operation.prepare(&context))
            .map_err(|reason| Error::Prepare { component: node.name.to_owned(), reason })?;
    }
    Ok(())
}

fn start(workshop: Arc<Workshop>, spouts: Vec<(String, Spout)>, options: &Options) -> Result<TridentHandle> {
    let (events, received) = channel();
    let status = Arc::new(Status::default());
    let drpc_stopped = Arc::new(AtomicBool::new(false));
    // From here on an error drops the handle, which stops what has been started.
    let mut handle = TridentHandle {
        status: status.clone(),
        events: events.clone(),
        drpc_stopped: drpc_stopped.clone(),
        workshop: workshop.clone(),
        sources: Vec::new(),
        workers: pool::start(&workshop.pool, options.workers).map_err(thread_error)?,
    };
    for number in 0..workshop.plan.drpc.len() {
        let (workshop, stopped) = (workshop.clone(), drpc_stopped.clone());
        let worker = DrpcWorker { number, workshop, requests_max: options.drpc_requests_max, stopped };
        handle.sources.push(spawn("trident-drpc", move || worker.work())?);
    }
    if spouts.is_empty() {
        return Ok(handle);
    }
    let store = options.metadata.clone();
    let (mut next, mut attempts) = (1, BTreeMap::new());
    let (mut channels, mut workers) = (Vec::new(), Vec::new());
    let all_are_asked = spouts.iter().all(|(_, spout)| matches!(spout.0, Kind::Coordinated(_)));
    let readiness = if all_are_asked { Readiness::Unknown } else { Readiness::Always };
    for (number, (name, spout)) in spouts.into_iter().enumerate() {
        let loaded = guarded(|| SpoutRecord::load(&name, &spout, store.clone())).map_err(Error::Metadata)?;
        let (record, position) = (Arc::new(loaded.0), loaded.1);
        if position.txid > next {
            (next, attempts) = (position.txid, position.attempts);
        }
        let partitions = workshop.plan.source_partitions(Source::Spout(number));
        let worker = guarded(|| SpoutWorker::new(number, spout, record.clone(), partitions))
            .map_err(|reason| Error::Prepare { component: format!("spout {name:?}"), reason })?;
        let (commands, received) = channel::<Command>();
        channels.push((record, commands));
        workers.push((worker, received));
    }
    for (worker, received) in workers {
        handle.sources.push(spawn("trident-spout", move || worker.work(next, received))?);
    }
    let coordinator = Coordinator::new(limits(options), readiness, next, attempts);
    status.committed(coordinator.last_committed());
    let (runs, started) = (HashMap::new(), Instant::now());
    let master = Master { coordinator, workshop, spouts: channels, store, status, events, runs, started };
    handle.sources.push(spawn("trident-master", move || master.work(received))?);
    Ok(handle)
}

fn limits(options: &Options) -> Limits {
    let ms = |duration: Duration| duration.as_millis() as u64;
    Limits {
        in_flight_max: options.batches_in_flight_max,
        batch_interval_ms: ms(options.batch_interval),
        idle_interval_ms: ms(options.idle_interval),
        retry_delay_ms_min: ms(options.retry_delay_min),
        retry_delay_ms_max: ms(options.retry_delay_max),
        failures_max: options.failures_max,
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(thread_error)
}

fn thread_error(error: std::io::Error) -> Error {
    Error::Prepare { component: "a thread".to_owned(), reason: error.to_string() }
}
