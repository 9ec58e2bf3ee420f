//! `BoltTask`: one instance of a bolt at work.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::alignment::Alignment;
use super::restart::Restart;
use super::{Panicked, Report, Step, Wiring, caught, guarded, message_of, tell_hooks};
use crate::anchor::Anchor;
use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::component::Bolt;
use crate::config::Settings;
use crate::context::Guarantee;
use crate::message::{Control, Message};
use crate::skipping::Verdict;
use crate::streak::{Judge, Tally};
use crate::stream::{StreamInfo, TaskId};
use crate::tuple::{Tuple, TupleBatch};

/// How often groupings are told the load of their targets.
const LOAD_INTERVAL: Duration = Duration::from_millis(20);

/// A batch being worked on.
struct Current {
    batch: TupleBatch,
    /// The next row.
    row: usize,
}

/// One instance of a bolt at work.
pub(crate) struct BoltTask {
    pub wiring: Wiring,
    pub settings: Settings,
    make: Arc<dyn Fn() -> Box<dyn Bolt> + Send + Sync>,
    /// `None` before it is prepared first, and after it has failed.
    bolt: Option<Box<dyn Bolt>>,
    collector: BoltCollector,
    /// Its state at the last checkpoint.
    state: Vec<(Vec<u8>, Vec<u8>)>,
    /// A bolt whose state is kept exactly once has panicked: the whole topology goes back to the last checkpoint.
    state_lost: bool,
    /// The topology has been active.
    wanted: bool,
    current: Option<Current>,
    tick_stream: Arc<StreamInfo>,
    next_tick: Option<Moment>,
    alignment: Alignment,
    restart: Restart,
    /// Hooks of the topology's; those behind them are the instance's.
    hooks_given: usize,
    last_flush: Moment,
    next_load: Moment,
    /// Rows between two looks at the clock.
    stride: usize,
    executed: u64,
    /// What other threads had asked for and is done, but not told to be.
    answered: usize,
    judge: Judge,
}

/// Why the work on a batch ended.
enum Pause {
    /// The batch is done.
    Done,
    /// What it emitted finds no room.
    Blocked,
    /// The bolt can't take a tuple now.
    NotReady,
    /// It is time to look at other things.
    Time,
}

impl BoltTask {
    pub fn new(
        wiring: Wiring,
        settings: Settings,
        make: Arc<dyn Fn() -> Box<dyn Bolt> + Send + Sync>,
        collector: BoltCollector,
        state: Vec<(Vec<u8>, Vec<u8>)>,
        tick_stream: Arc<StreamInfo>,
        upstream: usize,
    ) -> BoltTask {
        let hooks_given = collector.hooks.len();
        let judge = Judge::new(&wiring.metrics);
        BoltTask {
            wiring,
            settings,
            make,
            bolt: None,
            collector,
            state,
            state_lost: false,
            wanted: false,
            current: None,
            tick_stream,
            next_tick: None,
            alignment: Alignment::new(upstream),
            restart: Restart::default(),
            hooks_given,
            last_flush: Moment(0),
            next_load: Moment(0),
            stride: 1,
            executed: 0,
            answered: 0,
            judge,
        }
    }

    /// Does some of what is to be done.
    pub fn step(&mut self, now: Moment) -> Step {
        self.collector.now = now;
        let mut busy = self.take_control();
        if !self.wiring.send(&mut self.collector.outputs.batches) {
            self.publish();
            return Step::Blocked;
        }
        if self.bolt.is_none() && !self.prepare(now) {
            self.publish();
            return Step::Idle((self.wanted && !self.state_lost).then(|| self.restart.due()));
        }
        busy |= self.run_remote();
        busy |= self.poll(now);
        self.tick(now);
        self.refresh_load(now);
        let blocked = self.work_on_data(&mut busy);
        let waiting = self.wiring.data.is_empty() && self.current.is_none();
        if blocked || waiting || now.since(self.last_flush) >= self.settings.flush_interval {
            self.flush(now);
        }
        let sent = self.wiring.send(&mut self.collector.outputs.batches);
        self.publish();
        match () {
            () if !sent => Step::Blocked,
            () if busy || (waiting && !self.wiring.inbox.is_empty()) => Step::Busy,
            () => self.rest(),
        }
    }

    fn rest(&self) -> Step {
        let poll = self.bolt.as_ref().and_then(|bolt| bolt.next_poll());
        Step::Idle([poll, self.next_tick].into_iter().flatten().min())
    }

    fn take_control(&mut self) -> bool {
        match self.wiring.data.is_empty() && self.current.is_none() {
            true => self.wiring.take(),
            false => self.wiring.inbox.take_control(&mut self.wiring.control),
        }
        let any = !self.wiring.control.is_empty();
        for control in self.wiring.control.drain(..) {
            if let Control::SetActive(true) = control {
                self.wanted = true;
            }
        }
        any
    }

    /// Prepares the bolt for the first time, or anew after it has failed.
    fn prepare(&mut self, now: Moment) -> bool {
        if !self.wanted || self.state_lost || now < self.restart.due() {
            return false;
        }
        let context = self.wiring.context.clone();
        context.hooks.lock().clear();
        let state = &self.state;
        let made = guarded(|| {
            let mut bolt = (self.make)();
            bolt.prepare(&context)?;
            if bolt.stateful() {
                bolt.restore(state.clone())?;
            }
            Ok(bolt)
        });
        match made {
            Ok(Ok(bolt)) => {
                // Where a failure has the whole topology go back, it isn't asked for again.
                if self.is_aligned() {
                    self.state = Vec::new();
                }
                self.bolt = Some(bolt);
                self.collector.hooks.truncate(self.hooks_given);
                self.collector.hooks.append(&mut self.wiring.context.hooks.lock());
                self.next_tick = self.settings.tick_interval.map(|interval| now.after(interval));
                true
            }
            Ok(Err(failure)) => self.give_up(format!("could not be prepared: {failure}")),
            Err(panicked) => self.give_up(panicked.message()),
        }
    }

    /// Drops the instance; a new one is made when it is time.
    pub fn give_up(&mut self, message: String) -> bool {
        // Dropping it may panic again.
        let stateful = caught(|| self.bolt.take().is_some_and(|bolt| bolt.stateful())).unwrap_or(true);
        self.state_lost |= stateful && self.is_aligned();
        self.restart.note_failure(self.collector.now);
        self.collector.mishaps += 1;
        self.wiring.report_failed(&message);
        self.collector.report_error(message);
        false
    }

    /// Does what other threads have asked for.
    fn run_remote(&mut self) -> bool {
        let mut any = false;
        while self.collector.outputs.batches.ready.is_empty()
            && let Some(work) = self.collector.remote.next()
        {
            any = true;
            self.answered += 1;
            let collector = &mut self.collector;
            let message = message_of(guarded(|| work(collector)));
            self.note(message);
        }
        any
    }

    fn note(&mut self, message: Option<String>) {
        if let Some(message) = message {
            self.collector.report_error(message);
        }
    }

    fn poll(&mut self, now: Moment) -> bool {
        let asked = self.wiring.context.waker.take();
        let Some(bolt) = &mut self.bolt else { return asked };
        if !asked && bolt.next_poll().is_none_or(|due| now < due) {
            return false;
        }
        let collector = &mut self.collector;
        match guarded(|| bolt.poll(now, collector)) {
            Err(panicked) => drop(self.give_up(panicked.message())),
            outcome => self.note(message_of(outcome)),
        }
        true
    }

    /// A tick tuple, when it is time. Ticks that were missed aren't made up for.
    fn tick(&mut self, now: Moment) {
        let (Some(due), Some(interval)) = (self.next_tick, self.settings.tick_interval) else { return };
        if now < due {
            return;
        }
        let next = due.after(interval);
        self.next_tick = Some(if next > now { next } else { now.after(interval) });
        let Some(bolt) = &mut self.bolt else { return };
        let values = [crate::Value::Int(interval.as_secs() as i64)];
        // In no tree; whether it is failed is seen by it.
        let anchor = Anchor::default();
        let tick = Tuple::new(&values, Some(&anchor), &self.tick_stream, TaskId::SYSTEM);
        let collector = &mut self.collector;
        match guarded(|| bolt.execute(&tick, collector)) {
            Err(panicked) => drop(self.give_up(panicked.message())),
            outcome => self.note(message_of(outcome)),
        }
    }

    /// Works on what has been taken from the inbox. Returns whether it had to stop before the end.
    fn work_on_data(&mut self, busy: &mut bool) -> bool {
        while self.bolt.is_some() {
            if self.current.is_none() {
                match self.wiring.data.pop_front() {
                    None => return false,
                    Some(Message::Tuples(batch)) if self.alignment.is_behind(batch.source) => {
                        self.alignment.set_aside(Message::Tuples(batch));
                        continue;
                    }
                    Some(Message::Tuples(batch)) => self.current = Some(Current { batch, row: 0 }),
                    Some(Message::Barrier { checkpoint, source }) => {
                        if !self.note_barrier(checkpoint, source) {
                            return true;
                        }
                        *busy = true;
                        continue;
                    }
                }
            }
            let before = self.executed;
            let pause = self.work_on_batch();
            *busy |= self.executed != before;
            match pause {
                Pause::Done => self.current = None,
                Pause::NotReady | Pause::Blocked => return true,
                Pause::Time => {
                    *busy = true;
                    return true;
                }
            }
        }
        true
    }

    /// Executes tuples of the current batch until something else is to be done.
    fn work_on_batch(&mut self) -> Pause {
        let (Some(bolt), Some(current)) = (&mut self.bolt, &mut self.current) else { return Pause::Done };
        let wiring = &self.wiring;
        let stream = &wiring.streams[current.batch.stream as usize];
        let (collector, executed, stride) = (&mut self.collector, &mut self.executed, &mut self.stride);
        let (clock, flush_interval) = (&*wiring.clock, self.settings.flush_interval);
        let mut watched = collector.is_watching();
        // Read after a panic.
        let executing = Cell::new(false);
        let worked = guarded(|| {
            let started = collector.now;
            let mut looked = started;
            let mut look_at = current.row + *stride;
            while current.row < current.batch.len {
                if !bolt.ready() {
                    return Ok(Pause::NotReady);
                }
                let row = current.row;
                current.row += 1;
                *executed += 1;
                executing.set(true);
                if !execute(bolt.as_mut(), &current.batch, row, stream, watched, collector) {
                    watched = collector.is_watching();
                }
                executing.set(false);
                if !wiring.send(&mut collector.outputs.batches) {
                    return Ok(Pause::Blocked);
                }
                if current.row == look_at {
                    let now = clock.now();
                    *stride = next_stride(*stride, now.since(looked));
                    (looked, look_at) = (now, current.row + *stride);
                    if now.since(started) >= flush_interval {
                        return Ok(Pause::Time);
                    }
                }
            }
            Ok(Pause::Done)
        });
        match worked {
            Ok(pause) => pause.unwrap_or(Pause::Done),
            Err(panicked) => self.fail_current(&panicked, executing.get()),
        }
    }

    /// The bolt has panicked: the tuple it was working on fails, if it was, and a new instance goes on with the next.
    fn fail_current(&mut self, panicked: &Panicked, executing: bool) -> Pause {
        let message = panicked.message();
        if let Some(Current { batch, row }) = &self.current
            && let Some(row) = row.checked_sub(1).filter(|_| executing)
        {
            let stream = &self.wiring.streams[batch.stream as usize];
            let tuple = Tuple::new(batch.row(row), batch.anchors.get(row), stream, batch.source);
            self.collector.fail_panicked(&tuple, &message);
        }
        self.give_up(message);
        Pause::Time
    }

    /// Counts a barrier; when all have come the bolt's state is part of the checkpoint. Returns whether work can go on.
    fn note_barrier(&mut self, checkpoint: u64, source: TaskId) -> bool {
        if !self.alignment.note(source) {
            return true;
        }
        if self.bolt.as_ref().is_some_and(|bolt| !bolt.settled()) {
            // It comes back when the bolt has settled; what is behind it waits.
            self.wiring.data.push_front(Message::Barrier { checkpoint, source });
            return false;
        }
        self.take_checkpoint(checkpoint);
        self.alignment.release(&mut self.wiring.data);
        true
    }

    /// Whether the state of bolts is kept exactly once: then a failure has the whole topology go back to the last checkpoint. Otherwise a bolt begins
    /// anew with what state it began with.
    fn is_aligned(&self) -> bool {
        self.wiring.context.guarantee == Guarantee::ExactlyOnceState
    }

    /// Tells of what failed or was lost: it must not be missing in a checkpoint. Of a tuple that is in a tree its spout would tell too, but too late.
    fn report_lost(&mut self) {
        if let Some(reason) = self.collector.lost.take()
            && self.is_aligned()
        {
            self.wiring.report_failed(&reason);
        }
    }

    fn take_checkpoint(&mut self, number: u64) {
        let mut part = self.wiring.part();
        self.collector.skipping.iter_mut().for_each(|skipping| skipping.note_checkpoint());
        let (bolt, collector) = (&mut self.bolt, &mut self.collector);
        match guarded(|| Ok(bolt.as_mut().and_then(|bolt| bolt.checkpoint(collector)))) {
            Ok(Ok(Some(state))) => part.state = state,
            Ok(_) => {}
            Err(panicked) => drop(self.give_up(panicked.message())),
        }
        // What is lost isn't worked on again after this checkpoint, so it must not become durable.
        self.report_lost();
        self.send_acks();
        self.collector.outputs.batches.barrier(number);
        let _ = self.wiring.reports.send(Report::Checkpoint { number, part });
    }

    fn flush(&mut self, now: Moment) {
        self.last_flush = now;
        // Before the spout hears of it, so that the failure is told as this task's.
        self.report_lost();
        self.send_acks();
        self.collector.outputs.batches.flush();
    }

    fn send_acks(&mut self) {
        if self.collector.acks.waiting() > 0 {
            let wire = &self.wiring.wire;
            self.collector.acks.drain().for_each(|(spout, acks)| wire.ack(spout, acks));
        }
    }

    fn refresh_load(&mut self, now: Moment) {
        if now >= self.next_load {
            self.next_load = now.after(LOAD_INTERVAL);
            let wire = &self.wiring.wire;
            self.collector.outputs.refresh_load(|task| wire.load(task));
            self.collector.skipping.iter_mut().for_each(|skipping| skipping.look(now));
        }
    }

    fn publish(&mut self) {
        self.report_lost();
        let metrics = &self.wiring.metrics;
        metrics.emitted.store(self.collector.outputs.emitted, Ordering::Relaxed);
        metrics.transferred.store(self.collector.outputs.transferred, Ordering::Relaxed);
        metrics.executed.store(self.executed, Ordering::Relaxed);
        metrics.acked.store(self.collector.acked, Ordering::Relaxed);
        metrics.failed.store(self.collector.failed, Ordering::Relaxed);
        metrics.skipped.store(self.collector.skipped, Ordering::Relaxed);
        let (succeeded, failed) = (self.collector.acked, self.collector.failed);
        let tally = Tally { succeeded, failed, mishaps: self.collector.mishaps };
        self.judge.note(tally, self.collector.now, metrics);
        let settled = self.bolt.as_ref().is_none_or(|bolt| bolt.settled());
        let unsent = !self.collector.outputs.batches.is_empty() || self.collector.acks.waiting() > 0;
        let taken = !self.wiring.data.is_empty() || self.current.is_some() || !self.alignment.is_empty();
        metrics.pending.store(u64::from(!settled || unsent || taken), Ordering::Release);
        if self.answered > 0 {
            self.wiring.inbox.note_answered(std::mem::take(&mut self.answered));
        }
    }

    /// The topology ends in order.
    pub fn close(&mut self) {
        if let Some(bolt) = &mut self.bolt {
            let outcome = guarded(|| {
                bolt.cleanup();
                Ok(())
            });
            self.note(message_of(outcome));
        }
        let told = message_of(tell_hooks(&mut self.collector.hooks, |hook| hook.cleanup()));
        self.note(told);
    }
}

/// Executes one tuple. An error is reported and fails the tuple, unless it has been acked, failed or taken out. Returns whether there was none.
fn execute(
    bolt: &mut dyn Bolt,
    batch: &TupleBatch,
    row: usize,
    stream: &Arc<StreamInfo>,
    watched: bool,
    collector: &mut BoltCollector,
) -> bool {
    let tuple = Tuple::new(batch.row(row), batch.anchors.get(row), stream, batch.source);
    match watched {
        true => execute_watched(bolt, &tuple, collector),
        false => try_execute(bolt, &tuple, collector),
    }
}

/// Executes a tuple where some have failed lately: this may be one that isn't to be executed again.
#[cold]
fn execute_watched(bolt: &mut dyn Bolt, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> bool {
    let known = match collector.verdict(tuple) {
        Verdict::Skip(spent) => {
            collector.skip(tuple, &spent);
            return true;
        }
        Verdict::TryKnown(_) => true,
        Verdict::Try => false,
    };
    let acked = collector.acked;
    let succeeded = try_execute(bolt, tuple, collector);
    // What the bolt keeps may fail yet.
    if known && succeeded && collector.acked > acked {
        collector.note_passed(tuple);
    }
    succeeded
}

#[inline]
fn try_execute(bolt: &mut dyn Bolt, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> bool {
    collector.hooks.iter_mut().for_each(|hook| hook.on_execute());
    let outcome = bolt.execute(tuple, collector);
    if let Err(failure) = &outcome {
        collector.report_error(failure.0.clone());
        // What it has acked is done, and what it has taken out is its own to fail.
        if tuple.anchor().is_none_or(|anchor| anchor.is_open()) {
            collector.fail_because(tuple, &failure.0);
        }
    }
    outcome.is_ok()
}

/// Looks at the clock about every 100 microseconds, however long a tuple takes.
fn next_stride(stride: usize, took: Duration) -> usize {
    match took.as_micros() {
        0..50 => (stride * 2).min(1024),
        50..200 => stride,
        _ => (stride / 2).max(1),
    }
}
