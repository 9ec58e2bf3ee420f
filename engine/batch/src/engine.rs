//! `Engine`: the handle to everything that runs.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use crossbeam_channel::{Sender, bounded, unbounded};
use futures::StreamExt;
use monsoon_circuit::{RelationId, WeightedBatch};
use monsoon_state::{StateStore, TxId, Write};
use parking_lot::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};

use crate::api::{
    Change, Committed, ErrorRow, ReadRequest, RelationStats, Rows, Snapshot, SubscribeOptions, Subscription, Written,
};
use crate::committer::Committer;
use crate::driver::{Driver, TaskHandle};
use crate::fold::Folder;
use crate::log::LogReader;
use crate::peers::Peers;
use crate::relation::RelationSpec;
use crate::request::{LogStarted, ReadStarted, Reading, Reply, Request};
use crate::shared::Shared;
use crate::task::Task;
use crate::{Error, Result};

/// How the engine runs.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Number of tasks, each a thread; 1 to 128.
    pub tasks: usize,
    /// Bytes of state in memory past which writes are refused.
    pub memory_limit_bytes: u64,
    /// Rows of a batch per source, at most.
    pub batch_rows: usize,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        let tasks = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(128);
        EngineConfig { tasks, memory_limit_bytes: 4 << 30, batch_rows: 65_536 }
    }
}

/// Commits that may wait for the disk while tasks go on (`max_batches_in_flight`).
const COMMITS_WAITING_MAX: usize = 2;

/// The handle to the driver, the tasks and the committer. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    requests: Sender<Request>,
    committed: watch::Receiver<TxId>,
    shared: Arc<Shared>,
    store: Arc<dyn StateStore>,
    /// Waited for by [`Engine::stop`]: after it nothing touches the store.
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Engine {
    /// Starts the threads over a store. Relations that exist are then given to [`Engine::restore`], in order, and
    /// [`Engine::start`] lets sources run.
    pub fn open(store: Arc<dyn StateStore>, config: EngineConfig) -> Result<Engine> {
        let config = EngineConfig { tasks: config.tasks.clamp(1, 128), ..config };
        let shared = Arc::new(Shared::default());
        let (requests, received) = unbounded();
        let (jobs, waiting) = bounded(COMMITS_WAITING_MAX);
        let (announce, committed) = watch::channel(store.last_txid());
        let (folder, fold_thread) =
            Folder::start(store.clone(), shared.merge_kinds.clone(), shared.log_guard.clone()).map_err(Error::bug)?;
        let mut threads = vec![fold_thread];
        let committer = Committer {
            store: store.clone(),
            committed: announce,
            subscribers: shared.subscribers.clone(),
            sinks: shared.sinks.clone(),
            folder,
            shared: shared.clone(),
        };
        threads.push(spawn("monsoon-commit".into(), move || committer.run(&waiting))?);
        let driver = Driver {
            config,
            store: store.clone(),
            shared: shared.clone(),
            tasks: start_tasks(config.tasks, &mut threads)?,
            jobs,
            requests: received,
            to_self: requests.clone(),
            relations: Default::default(),
            event_times: HashMap::new(),
            watermarks: Arc::default(),
            windowed: Default::default(),
            last: store.last_txid(),
            started: false,
            close_due: false,
            batches: 0,
            over_memory: false,
            owed: Vec::new(),
            opened_sinks: HashMap::new(),
            building: None,
            creations: VecDeque::new(),
            failed: None,
            turn: 0,
        };
        threads.push(spawn("monsoon-driver".into(), move || drive(driver))?);
        Ok(Engine { requests, committed, shared, store, threads: Arc::new(Mutex::new(threads)) })
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Error::Stopped("the engine has been stopped".into());
        self.requests.send(request(reply)).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Adds a relation that the store knows, with its state. Inputs come before what reads them.
    pub async fn restore(&self, relation: RelationSpec) -> Result<()> {
        self.ask(|reply| Request::Restore { relation: Box::new(relation), reply }).await
    }

    /// Everything is restored: sources begin to be read.
    pub async fn start(&self) -> Result<()> {
        self.ask(|reply| Request::Start { reply }).await
    }

    /// Creates a relation. A view is back-filled first, a piece at a time between the batches of the others. The catalog's writes are in
    /// the commit that makes it visible. State a relation of this number had before is dropped.
    pub async fn create(&self, relation: RelationSpec, catalog: Vec<Write>) -> Result<TxId> {
        self.ask(|reply| Request::Create { relation: Box::new(relation), catalog, reply }).await
    }

    /// Drops relations together; what depends on them must be among them.
    pub async fn drop_relations(&self, relations: Vec<RelationId>, catalog: Vec<Write>) -> Result<TxId> {
        self.ask(|reply| Request::Drop { relations, catalog, reply }).await
    }

    /// Applies changes of any number of relations in one batch; returns when it is durable.
    pub async fn write(&self, changes: Vec<Change>) -> Result<Written> {
        self.write_beside(changes, Vec::new()).await
    }

    /// As [`Engine::write`], with writes of the caller's own in the same commit: what it keeps of the work that made the changes.
    pub async fn write_beside(&self, changes: Vec<Change>, beside: Vec<Write>) -> Result<Written> {
        self.ask(|reply| Request::Write { changes, beside, reply }).await
    }

    /// Commits catalog writes alone.
    pub async fn commit_catalog(&self, writes: Vec<Write>) -> Result<TxId> {
        self.ask(|reply| Request::Catalog { writes, reply }).await
    }

    /// Reads relations at one committed txid.
    pub async fn read(&self, requests: Vec<ReadRequest>) -> Result<Snapshot> {
        let started = self.ask(|reply| Request::Read { requests, reply }).await?;
        self.collect(started).await
    }

    async fn collect(&self, started: ReadStarted) -> Result<Snapshot> {
        let mut relations = HashMap::new();
        for (relation, reading) in started.relations {
            let rows = match reading {
                Reading::Log(reader) => Rows::Log(Arc::new(move || reader.clone().stream())),
                Reading::Tasks { answers, tasks } => Rows::Batches(gather_rows(answers, tasks).await?),
            };
            relations.insert(relation, rows);
        }
        self.wait_for(started.txid).await?;
        Ok(Snapshot { txid: started.txid, relations })
    }

    async fn wait_for(&self, txid: TxId) -> Result<()> {
        let mut committed = self.committed.clone();
        let reached = committed.wait_for(|&committed| committed >= txid).await;
        reached.map(drop).map_err(|_| Error::Stopped("the engine has been stopped".into()))
    }

    /// Subscribes to a relation's changes.
    pub async fn subscribe(&self, relation: RelationId, options: SubscribeOptions) -> Result<Subscription> {
        let started = self.ask(|reply| Request::Subscribe { relation, options, reply }).await?;
        let Subscription { schema, changes } = started.subscription;
        let Some(snapshot) = started.snapshot else { return Ok(Subscription { schema, changes }) };
        let txid = started.txid;
        let rows = self.collect(snapshot).await?.relations.remove(&relation).unwrap_or(Rows::Batches(Vec::new()));
        let first = match rows {
            Rows::Batches(batches) => futures::stream::iter(batches.into_iter().map(Ok)).boxed(),
            Rows::Log(open) => open(),
        };
        Ok(Subscription { schema, changes: at_txid(txid, first).chain(changes).boxed() })
    }

    /// Follows an append-only relation from the row with this number on: what is there, in the order in which it came, and then what comes. Rows are
    /// numbered from 0 in that order, which a restart doesn't change; there must be as many as are left out. Who lets more than `buffer_rows_max` new
    /// rows wait is cut off, as in [`SubscribeOptions`].
    pub async fn follow(&self, relation: RelationId, first_row: u64, buffer_rows_max: usize) -> Result<Subscription> {
        let options = SubscribeOptions { snapshot: true, progress: false, buffer_rows_max };
        let LogStarted { reader, txid, subscription } =
            self.ask(|reply| Request::OpenLog { relation, options: Some(options), reply }).await?;
        let Subscription { schema, changes } =
            subscription.ok_or_else(|| Error::bug("a log was opened without the subscription asked for"))?;
        self.wait_for(txid).await?;
        let first = LogReader { first_row, ..reader }.stream();
        Ok(Subscription { schema, changes: at_txid(txid, first).chain(changes).boxed() })
    }

    /// How many rows an append-only relation has.
    pub async fn row_count(&self, relation: RelationId) -> Result<u64> {
        let LogStarted { reader, txid, .. } =
            self.ask(|reply| Request::OpenLog { relation, options: None, reply }).await?;
        self.wait_for(txid).await?;
        let counted = tokio::task::spawn_blocking(move || reader.row_count()).await;
        counted.map_err(Error::bug)?
    }

    /// Present figures of a relation.
    pub fn stats(&self, relation: RelationId) -> RelationStats {
        self.shared.stats(relation)
    }

    /// The newest rows and records that failed, oldest first.
    pub fn recent_errors(&self) -> Vec<ErrorRow> {
        self.shared.recent_errors()
    }

    /// The newest batch latencies in microseconds, oldest first: from the arrival of a batch's first row to its commit.
    pub fn latencies_us(&self) -> Vec<u64> {
        self.shared.latencies_us()
    }

    /// Bytes handed to the store since the start.
    pub fn bytes_written(&self) -> u64 {
        self.shared.bytes_written()
    }

    /// The last committed txid.
    pub fn committed(&self) -> TxId {
        *self.committed.borrow()
    }

    /// Returns when everything asked for before is committed.
    pub async fn flush(&self) -> Result<TxId> {
        self.ask(|reply| Request::Flush { reply }).await
    }

    /// Returns the reason when the engine has stopped writing because of an error; what is committed is safe.
    pub async fn failed(&self) -> Error {
        let mut failure = self.shared.failure();
        let failed = failure.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        failed.unwrap_or_else(|| Error::Stopped("the engine has been stopped".into()))
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// Stops sources and the driver, and waits for the last commit and for every thread that uses the store. A commit that waits for
    /// room on a full disk is given up: it has not been acknowledged.
    pub async fn stop(&self) -> Result<()> {
        self.shared.note_stopping();
        let outcome = self.ask(|reply| Request::Stop { reply }).await;
        let threads = std::mem::take(&mut *self.threads.lock());
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        // A thread that panicked has said so on stderr; there is nothing left to stop of it.
        let _ = joined.await;
        outcome
    }
}

fn start_tasks(tasks: usize, threads: &mut Vec<JoinHandle<()>>) -> Result<Vec<TaskHandle>> {
    let mut start = |(task, peers): (usize, Peers)| {
        let (commands, to_task) = unbounded();
        let (from_task, outputs) = unbounded();
        threads.push(spawn(format!("monsoon-task-{task}"), move || Task::new(peers).run(&to_task, &from_task))?);
        Ok(TaskHandle { commands, outputs })
    };
    Peers::all(tasks).into_iter().enumerate().map(&mut start).collect()
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(work).map_err(Error::bug)
}

/// The rows that all the tasks answer with.
async fn gather_rows(
    mut answers: UnboundedReceiver<Result<Vec<WeightedBatch>>>,
    tasks: usize,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for _ in 0..tasks {
        let answer = answers.recv().await.ok_or_else(|| Error::Stopped("a task has stopped".into()))?;
        for batch in answer? {
            batches.push(batch.expanded()?);
        }
    }
    Ok(batches)
}

/// Runs the driver; that it panicked is told as any other failure is.
fn drive(driver: Driver) {
    let shared = driver.shared.clone();
    if std::panic::catch_unwind(AssertUnwindSafe(|| driver.run())).is_err() {
        shared.note_failure(&Error::bug("the driver panicked"));
    }
}

/// Rows as insertions at one txid.
fn at_txid(
    txid: TxId,
    rows: impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static,
) -> impl futures::Stream<Item = Result<Committed>> + Send + 'static {
    rows.map(move |rows| Ok(Committed { txid, batches: vec![WeightedBatch::inserted(rows?)] }))
}
