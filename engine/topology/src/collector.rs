//! Collectors: what a component emits, acks and fails through.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::anchor::{Anchors, RootId, Roots, descend};
use crate::attempts::Spent;
use crate::clock::Moment;
use crate::error_log::ErrorLog;
use crate::hook::TaskHook;
use crate::inbox::{Inbox, Signal};
use crate::ledger::{Done, Ledger};
use crate::message::AckBuffer;
use crate::outputs::Outputs;
use crate::skipping::{SKIPPED_STREAM, Skipping, Verdict};
use crate::stream::TaskId;
use crate::tuple::{Row, Tuple};
use crate::{Outcome, Value};

/// What a spout emits through.
pub struct SpoutCollector {
    pub(crate) outputs: Outputs,
    /// `None`: acking is off.
    pub(crate) ledger: Option<Ledger>,
    /// The spout task's place among the topology's.
    pub(crate) spout: usize,
    /// Roots that were done as soon as they were emitted.
    pub(crate) done: VecDeque<Done>,
    pub(crate) now: Moment,
    pub(crate) errors: Arc<ErrorLog>,
    pub(crate) hooks: Vec<Box<dyn TaskHook>>,
    /// How often the component has failed and was to be begun anew.
    pub(crate) mishaps: u64,
}

impl SpoutCollector {
    /// Emits a tuple on the default stream and forgets it. Returns the tasks that get a copy.
    #[inline]
    pub fn emit(&mut self, row: impl Row) -> Outcome<&[TaskId]> {
        let stream = self.outputs.default_stream()?;
        self.send(stream, None, row, None)
    }

    /// Emits a tuple on the default stream; the spout will be told its fate by this message id.
    #[inline]
    pub fn emit_tracked(&mut self, row: impl Row, id: impl Into<Value>) -> Outcome<&[TaskId]> {
        let stream = self.outputs.default_stream()?;
        self.send(stream, None, row, Some(id.into()))
    }

    /// Emits a tuple on a stream, tracked if it has a message id.
    pub fn emit_on(&mut self, stream: &str, row: impl Row, id: Option<Value>) -> Outcome<&[TaskId]> {
        let stream = self.outputs.stream(stream)?;
        self.send(stream, None, row, id)
    }

    /// Emits a tuple on a direct stream to one task, tracked if it has a message id.
    pub fn emit_direct(&mut self, task: TaskId, stream: &str, row: impl Row, id: Option<Value>) -> Outcome {
        let stream = self.outputs.stream(stream)?;
        self.send(stream, Some(task), row, id).map(drop)
    }

    /// How many of its tuples are neither acked nor failed.
    pub fn pending(&self) -> usize {
        self.ledger.as_ref().map_or(0, Ledger::open_roots)
    }

    /// Tells the operator of the topology of an error, without stopping anything.
    pub fn report_error(&mut self, message: impl Into<String>) {
        self.errors.report(self.now, message.into());
    }

    /// Whether nothing waits to be sent: who emits many tuples in one call is to stop when something does.
    pub(crate) fn has_room(&self) -> bool {
        self.outputs.batches.ready.is_empty()
    }

    #[inline]
    fn send(&mut self, stream: usize, task: Option<TaskId>, row: impl Row, id: Option<Value>) -> Outcome<&[TaskId]> {
        self.hooks.iter_mut().for_each(|hook| hook.on_emit());
        let Some(id) = id else { return self.outputs.emit(stream, task, row, |_| Roots::None) };
        let done = Done { id, emitted_at: self.now };
        let Some(ledger) = &mut self.ledger else {
            let receivers = self.outputs.emit(stream, task, row, |_| Roots::None)?;
            self.done.push_back(done);
            return Ok(receivers);
        };
        let root = RootId::new(self.spout, ledger.next_number());
        let mut sum = 0;
        let receivers = self.outputs.emit(stream, task, row, |edges| {
            let edge = edges.next();
            sum ^= edge;
            Roots::One(root, edge)
        })?;
        if let Some(done) = ledger.seal(sum, receivers.len(), done) {
            self.done.push_back(done);
        }
        Ok(receivers)
    }
}

/// What a bolt emits, acks and fails through.
pub struct BoltCollector {
    pub(crate) outputs: Outputs,
    pub(crate) acks: AckBuffer,
    pub(crate) now: Moment,
    pub(crate) errors: Arc<ErrorLog>,
    pub(crate) hooks: Vec<Box<dyn TaskHook>>,
    pub(crate) remote: RemoteCollector,
    pub(crate) acked: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// How often the component has failed and was to be begun anew.
    pub(crate) mishaps: u64,
    /// `None`: what fails is left to its spout.
    pub(crate) skipping: Option<Box<Skipping>>,
    /// Why what was done since the last checkpoint isn't whole. Told to the checkpointer before the task's next part of a checkpoint.
    pub(crate) lost: Option<String>,
}

impl BoltCollector {
    /// Emits a tuple on the default stream, descending from `anchors`: a tuple, several, or `()` for none. Returns the tasks that get a copy.
    #[inline]
    pub fn emit(&mut self, anchors: impl Anchors, row: impl Row) -> Outcome<&[TaskId]> {
        let stream = self.outputs.default_stream()?;
        self.send(stream, None, anchors, row)
    }

    /// Emits a tuple on a stream.
    pub fn emit_on(&mut self, stream: &str, anchors: impl Anchors, row: impl Row) -> Outcome<&[TaskId]> {
        let stream = self.outputs.stream(stream)?;
        self.send(stream, None, anchors, row)
    }

    /// Emits a tuple on a direct stream to one task.
    pub fn emit_direct(&mut self, task: TaskId, stream: &str, anchors: impl Anchors, row: impl Row) -> Outcome {
        let stream = self.outputs.stream(stream)?;
        self.send(stream, Some(task), anchors, row).map(drop)
    }

    /// Whether nothing waits to be sent: who emits many tuples in one call is to stop when something does.
    pub(crate) fn has_room(&self) -> bool {
        self.outputs.batches.ready.is_empty()
    }

    #[inline]
    fn send(
        &mut self,
        stream: usize,
        task: Option<TaskId>,
        anchors: impl Anchors,
        row: impl Row,
    ) -> Outcome<&[TaskId]> {
        self.hooks.iter_mut().for_each(|hook| hook.on_emit());
        self.outputs.emit(stream, task, row, |edges| descend(&anchors, edges))
    }

    /// The bolt is done with these tuples. Acking a tuple a second time has no effect.
    #[inline]
    pub fn ack(&mut self, tuples: impl Anchors) {
        tuples.each(&mut |anchor| self.acks.ack(anchor.take()));
        let count = tuples.count();
        self.acked += count as u64;
        self.hooks.iter_mut().for_each(|hook| (0..count).for_each(|_| hook.on_ack()));
    }

    /// Fails the trees of these tuples at once.
    pub fn fail(&mut self, tuples: impl Anchors) {
        let count = tuples.count();
        let mut any = count > 0;
        tuples.each(&mut |anchor| {
            any = true;
            self.acks.fail(anchor.take());
        });
        self.failed += count as u64;
        if any {
            self.lost.get_or_insert_with(|| "a tuple failed".into());
        }
        self.hooks.iter_mut().for_each(|hook| (0..count).for_each(|_| hook.on_fail()));
    }

    /// Fails a tuple because the bolt can't work on it, for this reason. As [`BoltCollector::fail`], but where the setting `on_error` is `skip` it
    /// counts as one of the tuple's attempts, and after the last one the tuple is skipped instead. A bolt that returns an error from `execute` has no
    /// need of it.
    pub fn fail_because(&mut self, tuple: &Tuple<'_>, reason: &str) {
        let now = self.now;
        // A tick is no data that could be skipped.
        let skipping = self.skipping.as_mut().filter(|_| !tuple.is_tick());
        match skipping.and_then(|skipping| skipping.note_failure(tuple, reason, now)) {
            Some(spent) => self.skip(tuple, &spent),
            None => {
                self.lost.get_or_insert_with(|| format!("a tuple failed: {reason}"));
                self.fail(tuple);
            }
        }
    }

    /// The bolt has panicked in a tuple.
    pub(crate) fn fail_panicked(&mut self, tuple: &Tuple<'_>, message: &str) {
        let now = self.now;
        let spent = self.skipping.as_mut().and_then(|skipping| skipping.note_failure(tuple, message, now));
        // What it has acked is done, and what it has taken out has gone with it and comes again.
        let is_open = tuple.anchor().is_none_or(|anchor| anchor.is_open());
        match spent.filter(|_| is_open) {
            Some(spent) => self.skip(tuple, &spent),
            None => tuple.anchor().into_iter().for_each(|anchor| self.acks.fail(anchor.take())),
        }
    }

    /// Whether [`BoltCollector::verdict`] is to be asked before a tuple is worked on.
    pub(crate) fn is_watching(&self) -> bool {
        self.skipping.as_ref().is_some_and(|skipping| skipping.is_watching())
    }

    /// What is to become of a tuple that has come.
    pub(crate) fn verdict(&mut self, tuple: &Tuple<'_>) -> Verdict {
        let now = self.now;
        self.skipping.as_mut().map_or(Verdict::Try, |skipping| skipping.verdict(tuple, now))
    }

    /// A tuple that may have failed before was worked on without error.
    pub(crate) fn note_passed(&mut self, tuple: &Tuple<'_>) {
        let now = self.now;
        if let Some(skipping) = self.skipping.as_mut().filter(|skipping| skipping.is_watching())
            && let Verdict::TryKnown(identity) = skipping.verdict(tuple, now)
        {
            skipping.note_passed(identity);
        }
    }

    /// A tuple is done with, without having been worked on.
    pub(crate) fn skip(&mut self, tuple: &Tuple<'_>, spent: &Spent) {
        let (stream, Spent { failures, error }) = (tuple.stream(), spent);
        let of = format!("a tuple of {:?}, stream {:?},", stream.component, stream.stream);
        let now = self.now;
        self.errors.report_consequence(now, format!("{of} is skipped after {failures} failed attempts: {error}"));
        if let Some(row) = self.skipping.as_ref().map(|skipping| skipping.row(tuple, spent))
            && let Err(failure) = self.emit_on(SKIPPED_STREAM, tuple, row)
        {
            self.report_error(failure.0);
        }
        self.skipped += 1;
        self.ack(tuple);
    }

    /// Begins the message time-out of the trees of these tuples anew.
    pub fn reset_timeout(&mut self, tuples: impl Anchors) {
        tuples.each(&mut |anchor| anchor.each_root(|root| self.acks.reset(root.spout(), root.number())));
    }

    /// Tells the operator of the topology of an error, without failing anything.
    pub fn report_error(&mut self, message: impl Into<String>) {
        self.errors.report(self.now, message.into());
    }

    /// What the bolt was given or made is lost. Failing tuples has those that are in trees sent again; this has a topology whose state is
    /// exactly once go back to its last checkpoint, whatever is lost.
    pub(crate) fn lose(&mut self, reason: String) {
        self.lost.get_or_insert(reason);
    }

    /// What other threads emit, ack and fail through. The tuples they work on are taken out with [`Tuple::hold`].
    pub fn remote(&self) -> RemoteCollector {
        self.remote.clone()
    }

    /// The time at which the executor called.
    pub fn now(&self) -> Moment {
        self.now
    }
}

/// What a basic bolt emits through: everything is anchored to the tuple it was given.
pub struct BasicCollector<'a, 'b> {
    tuple: &'a Tuple<'b>,
    collector: &'a mut BoltCollector,
}

impl<'a, 'b> BasicCollector<'a, 'b> {
    pub(crate) fn new(tuple: &'a Tuple<'b>, collector: &'a mut BoltCollector) -> BasicCollector<'a, 'b> {
        BasicCollector { tuple, collector }
    }

    /// Emits a tuple on the default stream. Returns the tasks that get a copy.
    pub fn emit(&mut self, row: impl Row) -> Outcome<&[TaskId]> {
        self.collector.emit(self.tuple, row)
    }

    /// Emits a tuple on a stream.
    pub fn emit_on(&mut self, stream: &str, row: impl Row) -> Outcome<&[TaskId]> {
        self.collector.emit_on(stream, self.tuple, row)
    }

    /// Emits a tuple on a direct stream to one task.
    pub fn emit_direct(&mut self, task: TaskId, stream: &str, row: impl Row) -> Outcome {
        self.collector.emit_direct(task, stream, self.tuple, row)
    }

    /// Tells the operator of the topology of an error, without failing the tuple.
    pub fn report_error(&mut self, message: impl Into<String>) {
        self.collector.report_error(message);
    }
}

type Work = Box<dyn FnOnce(&mut BoltCollector) -> Outcome + Send>;

/// Lets other threads use a bolt's collector: what they ask for is done in the bolt's own thread, in the order asked.
#[derive(Clone)]
pub struct RemoteCollector {
    work: Arc<Mutex<VecDeque<Work>>>,
    signal: Waker,
    inbox: Arc<Inbox>,
}

impl RemoteCollector {
    pub(crate) fn new(signal: Waker, inbox: Arc<Inbox>) -> RemoteCollector {
        RemoteCollector { work: Arc::default(), signal, inbox }
    }

    /// Has `work` done with the collector, soon.
    pub fn run(&self, work: impl FnOnce(&mut BoltCollector) -> Outcome + Send + 'static) {
        self.inbox.note_asked();
        self.work.lock().push_back(Box::new(work));
        self.signal.wake();
    }

    pub(crate) fn next(&self) -> Option<Work> {
        self.work.lock().pop_front()
    }
}

/// Asks the engine to call a component soon: a spout's `next_tuple`, a bolt's `poll`.
#[derive(Clone)]
pub struct Waker {
    pub(crate) asked: Arc<std::sync::atomic::AtomicBool>,
    pub(crate) executor: Arc<Mutex<Arc<Signal>>>,
}

impl Waker {
    pub(crate) fn new(signal: Arc<Signal>) -> Waker {
        Waker { asked: Arc::default(), executor: Arc::new(Mutex::new(signal)) }
    }

    /// Whether it is for the same task.
    pub(crate) fn is_same(&self, other: &Waker) -> bool {
        Arc::ptr_eq(&self.asked, &other.asked)
    }

    /// Asks for a call.
    pub fn wake(&self) {
        self.asked.store(true, std::sync::atomic::Ordering::SeqCst);
        self.executor.lock().raise();
    }

    /// Whether a call was asked for since the last time.
    pub(crate) fn take(&self) -> bool {
        self.asked.load(std::sync::atomic::Ordering::Relaxed)
            && self.asked.swap(false, std::sync::atomic::Ordering::SeqCst)
    }
}
