//! The master thread: asks the coordinator what to do and does it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use monsoon_topology::Outcome;

use super::guarded;
use super::handle::Status;
use super::run::{Report, Run, Workshop};
use super::spout::{Command, Inquiry, SpoutRecord};
use crate::batch::BatchId;
use crate::coordinator::{Coordinator, Effect, Event};
use crate::graph::Origin;
use crate::metadata::MetadataStore;

pub(super) struct Master {
    pub(super) coordinator: Coordinator,
    pub(super) workshop: Arc<Workshop>,
    pub(super) spouts: Vec<(Arc<SpoutRecord>, Sender<Command>)>,
    pub(super) store: Arc<dyn MetadataStore>,
    pub(super) status: Arc<Status>,
    pub(super) events: Sender<Event>,
    pub(super) runs: HashMap<u64, Arc<Run>>,
    pub(super) started: Instant,
}

impl Master {
    /// Works until it is told to stop and the commit under way has ended.
    pub(super) fn work(mut self, events: Receiver<Event>) {
        let mut event = Event::Tick;
        loop {
            let now_ms = self.now_ms();
            for effect in self.coordinator.handle(now_ms, event) {
                self.carry_out(effect);
            }
            if self.coordinator.is_quiet() {
                break;
            }
            event = match self.next_event(&events) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => Event::Tick,
                Err(RecvTimeoutError::Disconnected) => Event::Stop,
            };
        }
        self.runs.values().for_each(|run| run.cancel());
        self.status.stopped();
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn next_event(&self, events: &Receiver<Event>) -> Result<Event, RecvTimeoutError> {
        match self.coordinator.wakeup_ms() {
            Some(at) => events.recv_timeout(Duration::from_millis(at.saturating_sub(self.now_ms()))),
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Ask(txid) => {
                let inquiry = Arc::new(Inquiry::new(txid, self.spouts.len(), self.events.clone()));
                self.tell_spouts(|| Command::Ask(inquiry.clone()));
            }
            Effect::Start(batch) => self.start(batch),
            Effect::Commit(batch) => self.with_run(batch, Run::commit),
            Effect::Record { batch, attempts } => self.record(batch, &attempts),
            Effect::Succeeded(batch) => self.succeeded(batch),
            Effect::Cancel(batch) => self.with_run(batch, |run| run.cancel()),
            Effect::Report { batch, failures, reason } => {
                tracing::warn!(%batch, failures, %reason, "a batch failed");
                self.status.failed(batch, failures, reason);
            }
            Effect::Halt { txid, failures, reason } => {
                tracing::error!(txid, failures, %reason, "the topology halts at a batch that fails again and again");
                self.status.halted(txid, failures, reason);
            }
        }
    }

    fn with_run(&self, batch: BatchId, work: impl FnOnce(&Arc<Run>)) {
        if let Some(run) = self.runs.get(&batch.txid).filter(|run| run.batch == batch) {
            work(run);
        }
    }

    fn start(&mut self, batch: BatchId) {
        let events = self.events.clone();
        let report = move |report| {
            let event = match report {
                Report::Processed { batch, tuples } => Event::Processed { batch, tuples },
                Report::Committed(batch) => Event::Committed(batch),
                Report::Failed { batch, reason } => Event::Failed { batch, reason },
                Report::Answered(_) => return,
            };
            // A master that has stopped hears nothing more, and needs to hear nothing.
            drop(events.send(event));
        };
        let run = Run::new(batch, Origin::Spouts, self.workshop.clone(), report);
        self.runs.insert(batch.txid, run.clone());
        self.tell_spouts(|| Command::Emit(run.clone()));
    }

    fn tell_spouts(&self, command: impl Fn() -> Command) {
        self.spouts.iter().for_each(|(_, spout)| drop(spout.send(command())));
    }

    /// One write for all spouts: how far they are, and where the next batch of an opaque one starts.
    fn record(&self, batch: BatchId, attempts: &BTreeMap<u64, u32>) {
        let write = || -> Outcome {
            let mut changes = Vec::new();
            for (record, _) in &self.spouts {
                changes.extend(record.changes(batch.txid, attempts)?);
            }
            self.store.apply(&changes)
        };
        let event = match guarded(write) {
            Ok(()) => Event::Recorded(batch),
            Err(reason) => Event::Failed { batch, reason: format!("metadata: {reason}") },
        };
        drop(self.events.send(event));
    }

    fn succeeded(&mut self, batch: BatchId) {
        self.spouts.iter().for_each(|(record, _)| record.committed(batch.txid));
        self.tell_spouts(|| Command::Committed(batch));
        self.runs.remove(&batch.txid);
        self.status.committed(batch.txid);
    }
}
