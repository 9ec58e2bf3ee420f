//! The driver: turns requests into batches, gives them to the tasks, and makes a commit of what they did.
//!
//! One thread. It is the only one that gives out txids and the only one that talks to the tasks, so the order of its work
//! is the order of everything: a read sees exactly the batches dispatched before it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use monsoon_circuit::{RelationId, WeightedBatch};
use monsoon_connectors::{Position, Sink};
use monsoon_state::{Commit, StateStore, TxId, Write};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::unbounded_channel;

use crate::api::{Change, ReadRequest, Written};
use crate::backfill::{Building, Creation};
use crate::batch_input::{BatchInput, SourceRows, WriteReply};
use crate::command::{Command, Output, Step, relation_of, table_id};
use crate::committer::{Job, Then};
use crate::late::{LateRange, count_late};
use crate::log::{LogReader, OpenSource, RowsFrom, late_prefix};
use crate::request::{LogStarted, ReadStarted, Reading, Reply, Request, SubscribeStarted};
use crate::shared::Shared;
use crate::source_reader::SourceReader;
use crate::{EngineConfig, Error, Result};

/// A running task, as the driver sees it.
pub(crate) struct TaskHandle {
    pub commands: Sender<Command>,
    pub outputs: Receiver<Result<Output>>,
}

/// What the driver knows of a relation.
pub(crate) struct Relation {
    pub schema: arrow::datatypes::SchemaRef,
    pub role: Role,
}

/// What a relation is to the driver.
pub(crate) enum Role {
    /// With the place of the column of event time, if it has a watermark.
    Stream {
        time_column: Option<usize>,
    },
    Source(SourceRole),
    Table,
    View,
    Sink,
}

/// A source and how far it is.
pub(crate) struct SourceRole {
    pub open: OpenSource,
    pub time_column: Option<usize>,
    pub progress: SourceProgress,
    pub reader: Option<SourceReader>,
}

/// What is committed of a source, as JSON under `e/source/<id>`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SourceProgress {
    /// Where to go on.
    pub position: Position,
    /// Rows delivered so far.
    pub rows: u64,
}

/// What is committed of a stream's event time, as JSON under `e/watermark/<id>`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct EventTime {
    pub watermark_us: Option<i64>,
    pub late: u64,
}

/// The driver's state.
pub(crate) struct Driver {
    pub config: EngineConfig,
    pub store: Arc<dyn StateStore>,
    pub shared: Arc<Shared>,
    pub tasks: Vec<TaskHandle>,
    pub jobs: Sender<Job>,
    pub requests: Receiver<Request>,
    /// For source readers.
    pub to_self: Sender<Request>,
    pub relations: BTreeMap<RelationId, Relation>,
    pub event_times: HashMap<RelationId, EventTime>,
    pub watermarks: Arc<HashMap<RelationId, i64>>,
    pub windowed: HashSet<RelationId>,
    /// The last txid given out.
    pub last: TxId,
    pub started: bool,
    /// A watermark has advanced, and windows may close in the next batch.
    pub close_due: bool,
    pub batches: u64,
    pub over_memory: bool,
    /// Sources whose rows were taken and that may not read more while there is too much state.
    pub owed: Vec<RelationId>,
    /// Sinks that may not publish yet.
    pub opened_sinks: HashMap<RelationId, Box<dyn Sink>>,
    /// The relation that is being filled.
    pub building: Option<Building>,
    /// Relations to be created after it.
    pub creations: VecDeque<Creation>,
    pub failed: Option<Error>,
    /// Which task gets the next small batch.
    pub turn: usize,
}

impl Driver {
    /// Works until it is told to stop or everybody has hung up.
    pub fn run(mut self) {
        loop {
            let mut next = if self.building.is_some() {
                // One piece of the back-fill, then whatever has come in.
                self.build_on();
                self.requests.try_recv().ok()
            } else {
                let Ok(first) = self.requests.recv() else { return };
                Some(first)
            };
            let mut batch = BatchInput::default();
            let mut taken = 0;
            while let Some(request) = next.take() {
                match request {
                    Request::Write { changes, beside, reply } => {
                        self.take_write(changes, beside, reply, &mut batch);
                    }
                    Request::SourceRows { relation, rows, next, bad, read_at } => {
                        self.shared.note_bad_records(relation, bad);
                        batch.add_source(relation, rows, next, read_at);
                    }
                    Request::Stop { reply } => {
                        self.dispatch(batch);
                        self.stop(reply);
                        return;
                    }
                    other => {
                        self.dispatch(std::mem::take(&mut batch));
                        // Whoever reads now sees the windows closed that the batches before have closed.
                        self.close_due_windows();
                        self.handle(other);
                    }
                }
                taken += 1;
                // What is being filled gets its turn, however much comes in.
                let may_go_on = self.building.is_none() || taken < REQUESTS_BETWEEN_PIECES;
                if may_go_on && !batch.is_full(self.config.batch_rows) {
                    next = self.requests.try_recv().ok();
                }
            }
            self.dispatch(batch);
            self.close_due_windows();
        }
    }

    fn close_due_windows(&mut self) {
        while self.close_due && self.failed.is_none() {
            self.close_due = false;
            self.run_batch(BatchInput::default());
        }
    }

    fn handle(&mut self, request: Request) {
        match request {
            Request::Create { relation, catalog, reply } => self.create(Creation { spec: *relation, catalog, reply }),
            Request::Restore { relation, reply } => drop(reply.send(self.restore(*relation))),
            Request::Start { reply } => {
                self.started = true;
                // A crash may have come between a batch and the windows it ended.
                self.close_due |= !self.windowed.is_empty();
                self.start_sources();
                drop(reply.send(self.clear_orphans()));
            }
            Request::Drop { relations, catalog, reply } => self.drop_relations(&relations, catalog, reply),
            Request::Catalog { writes, reply } => self.commit(writes, Output::default(), vec![answer(reply)]),
            Request::Read { requests, reply } => drop(reply.send(self.read(requests))),
            Request::Subscribe { relation, options, reply } => drop(reply.send(self.subscribe(relation, options))),
            Request::OpenLog { relation, options, reply } => drop(reply.send(self.open_log(relation, options))),
            Request::Flush { reply } => self.barrier(vec![answer(reply)]),
            Request::Write { .. } | Request::SourceRows { .. } | Request::Stop { .. } => {}
        }
    }

    /// Checks a write and adds it to the batch; a wrong one is answered at once, alone.
    fn take_write(&mut self, changes: Vec<Change>, beside: Vec<Write>, reply: Reply<Written>, batch: &mut BatchInput) {
        match self.check_write(&changes).and_then(|()| self.late_rows(&changes)) {
            Ok(late) => batch.add_write(changes, beside, WriteReply { reply, late }),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// How many rows the tasks will drop: no watermark advances between this and the batch.
    fn late_rows(&self, changes: &[Change]) -> Result<u64> {
        let mut late = 0;
        for change in changes {
            let Some(Relation { role: Role::Stream { time_column: Some(column) }, .. }) =
                self.relations.get(&change.relation)
            else {
                continue;
            };
            let Some(watermark) = self.watermarks.get(&change.relation) else { continue };
            for batch in &change.batches {
                late += count_late(batch.rows.column(*column), *watermark)?;
            }
        }
        Ok(late)
    }

    fn check_write(&mut self, changes: &[Change]) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let inserts =
            changes.iter().flat_map(|change| &change.batches).any(|batch| has_weight(batch, |weight| weight > 0));
        if inserts && self.over_memory && self.measure_memory() {
            return Err(self.out_of_memory());
        }
        for change in changes {
            let relation = self.relations.get(&change.relation).ok_or(Error::NoRelation(change.relation.0))?;
            let deletes = change.batches.iter().any(|batch| has_weight(batch, |weight| weight < 0));
            match &relation.role {
                Role::Table => {}
                Role::Stream { .. } if !deletes => {}
                Role::Stream { .. } => return Err(Error::Rejected("rows can't be deleted from a stream".into())),
                _ => return Err(Error::Rejected("only streams and tables can be written to".into())),
            }
            if change.batches.iter().any(|batch| batch.rows.schema().fields().len() != relation.schema.fields().len()) {
                return Err(Error::Rejected("rows don't have the relation's columns".into()));
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, batch: BatchInput) {
        if !batch.is_empty() {
            self.run_batch(batch);
        }
    }

    /// One batch: all tasks run it, and the committer gets the commit.
    fn run_batch(&mut self, mut batch: BatchInput) {
        if let Some(error) = &self.failed {
            batch.refuse(error);
            return;
        }
        let arrived = batch.arrived();
        let sources = batch.take_sources();
        let before: Vec<u64> = sources.iter().map(|rows| self.source_rows(rows.relation)).collect();
        let mut writes = self.advance_sources(&sources);
        writes.extend(batch.take_beside());
        let wanted = Arc::new(self.shared.subscribers.wanted());
        let relations = &self.relations;
        // Tables take their writes in order, so one task must see them all before the exchange.
        let keeps_order = |id: RelationId| matches!(relations.get(&id), Some(Relation { role: Role::Table, .. }));
        let (inputs, replies) = batch.share_out(self.tasks.len(), &mut self.turn, keeps_order);
        for (task, inputs) in self.tasks.iter().zip(inputs) {
            let step = Step { inputs, watermarks: self.watermarks.clone(), wanted: wanted.clone() };
            let _ = task.commands.send(Command::Step(step));
        }
        let outcome = self.gather();
        self.owed.extend(sources.iter().map(|rows| rows.relation));
        match outcome {
            Ok(output) => {
                writes.extend(self.note_late_ranges(&sources, &before, &output));
                let then = replies.into_iter().map(acknowledge).collect();
                self.commit_arrived(writes, output, then, arrived);
            }
            Err(error) => {
                self.fail(error.clone());
                replies.into_iter().for_each(|write| drop(write.reply.send(Err(error.clone()))));
            }
        }
        self.check_memory();
        self.let_sources_go_on();
    }

    /// Rows that a source has delivered so far.
    fn source_rows(&self, relation: RelationId) -> u64 {
        match self.relations.get(&relation).map(|relation| &relation.role) {
            Some(Role::Source(source)) => source.progress.rows,
            _ => 0,
        }
    }

    /// Of the pieces that a batch took from sources: those that a replay must look for late rows in.
    fn note_late_ranges(&self, sources: &[SourceRows], before: &[u64], output: &Output) -> Vec<Write> {
        let mut firsts: HashMap<RelationId, u64> = HashMap::new();
        let mut writes = Vec::new();
        for (piece, before) in sources.iter().zip(before) {
            let first = firsts.entry(piece.relation).or_insert(*before);
            let is_late = output.late.iter().any(|(relation, _)| *relation == piece.relation);
            if is_late && let Some(&watermark_us) = self.watermarks.get(&piece.relation) {
                let range = LateRange { first: *first, rows: piece.rows, watermark_us };
                writes.extend(put_json(format!("{}{first:020}", late_prefix(piece.relation)), &range));
            }
            *first += piece.rows;
        }
        writes
    }

    fn advance_sources(&mut self, sources: &[SourceRows]) -> Vec<Write> {
        let mut writes = Vec::new();
        for SourceRows { relation, rows, next } in sources {
            let Some(Relation { role: Role::Source(source), .. }) = self.relations.get_mut(relation) else { continue };
            source.progress = SourceProgress { position: next.clone(), rows: source.progress.rows + rows };
            writes.extend(put_json(format!("e/source/{relation}"), &source.progress));
            self.shared.note_position(*relation, &source.progress.position);
        }
        writes
    }

    /// Waits for every task, and adds up what they did.
    pub fn gather(&mut self) -> Result<Output> {
        let mut sum = Output::default();
        let mut failed = None;
        for task in &self.tasks {
            match task.outputs.recv() {
                Ok(Ok(output)) => sum.absorb(output),
                Ok(Err(error)) => failed = Some(worse(failed, error)),
                Err(_) => failed = Some(worse(failed, Error::Stopped("a task has stopped".into()))),
            }
        }
        failed.map_or(Ok(sum), Err)
    }

    /// Hands a commit to the committer.
    pub fn commit(&mut self, writes: Vec<Write>, output: Output, then: Vec<Then>) {
        self.commit_arrived(writes, output, then, None);
    }

    fn commit_arrived(&mut self, mut writes: Vec<Write>, output: Output, then: Vec<Then>, arrived: Option<Instant>) {
        if let Some(error) = &self.failed {
            then.into_iter().for_each(|then| then(Err(error.clone())));
            return;
        }
        writes.extend(self.advance_event_time(&output));
        writes.extend(output.chunks.into_iter().map(|(table, payload)| Write::Append { table, payload }));
        self.shared.note_rows(&output.rows);
        self.shared.note_row_errors(output.errors);
        let (sinks, published) = output
            .changes
            .into_iter()
            .partition(|(id, _)| matches!(self.relations.get(id).map(|r| &r.role), Some(Role::Sink)));
        self.last = self.last.next();
        let commit = Some(Commit { txid: self.last, writes });
        if self.jobs.send(Job { commit, published, sinks, then, arrived }).is_err() {
            self.fail(Error::Stopped("the committer has stopped".into()));
        }
    }

    fn advance_event_time(&mut self, output: &Output) -> Vec<Write> {
        let mut changed = HashSet::new();
        for (relation, late) in &output.late {
            self.event_times.entry(*relation).or_default().late += late;
            changed.insert(*relation);
        }
        for (relation, implied) in &output.watermarks {
            let time = self.event_times.entry(*relation).or_default();
            if time.watermark_us.is_none_or(|old| old < *implied) {
                time.watermark_us = Some(*implied);
                changed.insert(*relation);
                self.close_due |= !self.windowed.is_empty();
            }
        }
        if changed.is_empty() {
            return Vec::new();
        }
        self.refresh_watermarks();
        let entries = changed.into_iter().map(|relation| (relation, self.event_times[&relation]));
        entries.filter_map(|(relation, time)| put_json(format!("e/watermark/{relation}"), &time)).collect()
    }

    pub fn refresh_watermarks(&mut self) {
        let known =
            self.event_times.iter().filter_map(|(id, time)| time.watermark_us.map(|watermark| (*id, watermark)));
        self.watermarks = Arc::new(known.collect());
        self.shared.note_event_times(&self.event_times);
    }

    /// Runs `then` after everything handed over before is committed.
    pub fn barrier(&mut self, then: Vec<Then>) {
        let _ = self.jobs.send(Job { commit: None, published: Vec::new(), sinks: Vec::new(), then, arrived: None });
    }

    pub fn fail(&mut self, error: Error) {
        tracing::error!("engine stops writing: {error}");
        let error = if matches!(error, Error::Stopped(_)) { error } else { Error::Stopped(error.to_string()) };
        self.shared.note_failure(&error);
        self.failed.get_or_insert(error);
    }

    fn read(&mut self, requests: Vec<ReadRequest>) -> Result<ReadStarted> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut relations = Vec::with_capacity(requests.len());
        for request in requests {
            let reading = self.read_one(request.relation, request.keys)?;
            relations.push((request.relation, reading));
        }
        Ok(ReadStarted { txid: self.last, relations })
    }

    fn read_one(&self, id: RelationId, keys: Option<Vec<Vec<datafusion::common::ScalarValue>>>) -> Result<Reading> {
        let relation = self.relations.get(&id).ok_or(Error::NoRelation(id.0))?;
        match &relation.role {
            Role::Stream { .. } | Role::Source(_) => Ok(Reading::Log(self.log_reader(id))),
            Role::Sink => Err(Error::Rejected("a sink can't be read".into())),
            Role::Table | Role::View => {
                let (reply, answers) = unbounded_channel();
                let keys = keys.map(Arc::new);
                for task in &self.tasks {
                    let _ =
                        task.commands.send(Command::Read { relation: id, keys: keys.clone(), reply: reply.clone() });
                }
                Ok(Reading::Tasks { answers, tasks: self.tasks.len() })
            }
        }
    }

    /// Reads a stream, or a view that is kept and only grows, up to the last dispatched txid.
    pub fn log_reader(&self, id: RelationId) -> LogReader {
        let rows_from = match self.relations.get(&id).map(|relation| &relation.role) {
            Some(Role::Source(source)) => RowsFrom::Source {
                open: source.open.clone(),
                progress: source.progress.clone(),
                time_column: source.time_column,
            },
            _ => RowsFrom::Chunks {
                hold: Arc::new(self.shared.log_guard.hold(table_id(id, 0), self.last)),
                sizes: self.shared.log_sizes.clone(),
            },
        };
        LogReader { store: self.store.clone(), relation: id, rows_from, first_row: 0 }
    }

    fn subscribe(&mut self, id: RelationId, options: crate::api::SubscribeOptions) -> Result<SubscribeStarted> {
        let relation = self.relations.get(&id).ok_or(Error::NoRelation(id.0))?;
        if matches!(relation.role, Role::Sink) {
            return Err(Error::Rejected("a sink can't be subscribed to; subscribe to what it publishes".into()));
        }
        let schema = relation.schema.clone();
        let snapshot =
            if options.snapshot { Some(self.read(vec![ReadRequest { relation: id, keys: None }])?) } else { None };
        let subscription = self.shared.subscribers.add(id, schema, self.last, options);
        Ok(SubscribeStarted { snapshot, txid: self.last, subscription })
    }

    fn open_log(&mut self, id: RelationId, options: Option<crate::api::SubscribeOptions>) -> Result<LogStarted> {
        let relation = self.relations.get(&id).ok_or(Error::NoRelation(id.0))?;
        if matches!(relation.role, Role::Sink) || !self.shared.is_append_only(id) {
            return Err(Error::Rejected("only the rows of a relation that only grows have an order".into()));
        }
        let schema = relation.schema.clone();
        let subscription = options.map(|options| self.shared.subscribers.add(id, schema, self.last, options));
        Ok(LogStarted { reader: self.log_reader(id), txid: self.last, subscription })
    }

    fn drop_relations(&mut self, ids: &[RelationId], catalog: Vec<Write>, reply: Reply<TxId>) {
        self.give_up_building(ids);
        self.remove(ids, catalog, reply);
        self.begin_waiting();
    }

    fn remove(&mut self, ids: &[RelationId], catalog: Vec<Write>, reply: Reply<TxId>) {
        // So that no chunk of theirs is still under way.
        self.wait_for_commits();
        let mut writes = catalog;
        for &id in ids {
            match self.removals(id) {
                Ok(removals) => writes.extend(removals),
                Err(error) => return drop(reply.send(Err(error))),
            }
        }
        self.forget(ids);
        self.commit(writes, Output::default(), vec![answer(reply)]);
    }

    /// Removes everything that the store holds of a relation.
    pub fn removals(&self, id: RelationId) -> Result<Vec<Write>> {
        let tables = self.store.tables()?.into_iter().filter(|&table| relation_of(table) == id);
        let mut writes: Vec<Write> = tables.map(|table| Write::Clear { table }).collect();
        let late = self.store.scan(late_prefix(id).as_bytes())?.into_iter().map(|(key, _)| key);
        let keys = [format!("e/source/{id}"), format!("e/watermark/{id}")].map(String::into_bytes);
        writes.extend(keys.into_iter().chain(late).map(|key| Write::Delete { key }));
        Ok(writes)
    }

    pub fn forget(&mut self, ids: &[RelationId]) {
        for id in ids {
            self.relations.remove(id);
            self.event_times.remove(id);
            self.windowed.remove(id);
            self.opened_sinks.remove(id);
            self.shared.log_sizes.forget(table_id(*id, 0));
            let sink = self.shared.sinks.lock().remove(id);
            drop(sink);
        }
        self.shared.subscribers.end(ids);
        crate::fold::forget(&self.shared.merge_kinds, ids);
        self.refresh_watermarks();
        for task in &self.tasks {
            let _ = task.commands.send(Command::Remove(ids.to_vec()));
        }
        if self.over_memory {
            self.measure_memory();
            self.let_sources_go_on();
        }
    }

    /// Chunks of relations that no longer exist: a back-fill that a crash cut short.
    fn clear_orphans(&mut self) -> Result<()> {
        let tables = self.store.tables()?;
        let orphans = tables.into_iter().filter(|&table| !self.relations.contains_key(&relation_of(table)));
        let writes: Vec<Write> = orphans.map(|table| Write::Clear { table }).collect();
        if !writes.is_empty() {
            self.commit(writes, Output::default(), Vec::new());
        }
        Ok(())
    }

    fn stop(mut self, reply: Reply<()>) {
        for relation in self.relations.values_mut() {
            if let Role::Source(source) = &mut relation.role {
                source.reader = None;
            }
        }
        let shared = self.shared.clone();
        self.barrier(vec![Box::new(move |outcome: Result<TxId>| {
            // Taken out before they are dropped: dropping waits for the sinks' threads.
            let sinks = std::mem::take(&mut *shared.sinks.lock());
            drop(sinks);
            drop(reply.send(outcome.map(drop)));
        })]);
    }

    /// Returns when everything handed to the committer is in the store.
    pub fn wait_for_commits(&mut self) {
        let (done, wait) = crossbeam_channel::bounded(1);
        self.barrier(vec![Box::new(move |_| done.send(()).unwrap_or_default())]);
        let _ = wait.recv();
    }
}

/// Requests taken between two pieces of a back-fill, at most.
const REQUESTS_BETWEEN_PIECES: usize = 64;

/// The one to tell: what stopped a task rather than what that did to its peers.
fn worse(old: Option<Error>, new: Error) -> Error {
    let rank = |error: &Error| match error {
        Error::Stopped(_) => 2,
        Error::PeerStopped => 1,
        _ => 0,
    };
    match old {
        Some(old) if rank(&old) >= rank(&new) => old,
        _ => new,
    }
}

fn has_weight(batch: &WeightedBatch, wanted: impl Fn(i64) -> bool) -> bool {
    match &batch.weights {
        None => batch.len() > 0 && wanted(1),
        Some(weights) => weights.values().iter().any(|&weight| wanted(weight)),
    }
}

fn acknowledge(WriteReply { reply, late }: WriteReply) -> Then {
    Box::new(move |outcome| drop(reply.send(outcome.map(|txid| Written { txid, late }))))
}

/// Answers with the txid.
pub(crate) fn answer(reply: Reply<TxId>) -> Then {
    Box::new(move |outcome| drop(reply.send(outcome)))
}

/// A key set to JSON; our own types always serialise.
pub(crate) fn put_json<T: Serialize>(key: String, value: &T) -> Option<Write> {
    serde_json::to_vec(value).ok().map(|value| Write::Put { key: key.into_bytes(), value })
}

/// State tables a relation may have: content or log, then its circuit's.
pub(crate) fn content_table(relation: RelationId) -> monsoon_state::TableId {
    table_id(relation, 0)
}
