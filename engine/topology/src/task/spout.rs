//! `SpoutTask`: one instance of a spout at work.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::restart::Restart;
use super::{Panicked, Report, Step, Wiring, caught, guarded, message_of, tell_hooks};
use crate::clock::Moment;
use crate::collector::SpoutCollector;
use crate::component::Spout;
use crate::config::Settings;
use crate::ledger::Done;
use crate::message::{Acks, Control};
use crate::streak::{FAILING_FAILURES, Judge, Tally};

/// Calls of `next_tuple` in one step, at most.
const CALLS_MAX: usize = 256;
/// An idle spout is asked again after this long, and then less and less often.
const IDLE_FIRST: Duration = Duration::from_micros(50);
const IDLE_MAX: Duration = Duration::from_millis(1);
/// A spout isn't asked for tuples for so long after trees have failed in a row without one that was complete.
const FAILED_PAUSE_FIRST: Duration = Duration::from_millis(5);
/// And at most so long.
const FAILED_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often groupings are told the load of their targets.
const LOAD_INTERVAL: Duration = Duration::from_millis(20);

/// Whether a root came to a good end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acked,
    Failed,
    TimedOut,
}

/// One instance of a spout at work.
pub(crate) struct SpoutTask {
    pub wiring: Wiring,
    pub settings: Settings,
    make: Arc<dyn Fn() -> Box<dyn Spout> + Send + Sync>,
    /// `None` before it is opened first, and after it has failed.
    spout: Option<Box<dyn Spout>>,
    collector: SpoutCollector,
    /// Where it goes on after a crash.
    position: Option<Vec<u8>>,
    /// The topology has been active.
    started: bool,
    /// The operator wants it to emit; the spout has been told.
    wanted: bool,
    active: bool,
    /// A checkpoint is being taken.
    paused: bool,
    /// Roots that are done, of which the spout hasn't been told.
    finished: VecDeque<(Done, Fate)>,
    restart: Restart,
    /// Hooks of the topology's; those behind them are the instance's.
    hooks_given: usize,
    next_rotation: Option<Moment>,
    last_flush: Moment,
    next_load: Moment,
    idle: Duration,
    /// The inbox knows that it can't go on without acks.
    awaits_acks: bool,
    acked: u64,
    failed: u64,
    /// The position given to a checkpoint that isn't durable yet.
    given: Option<(u64, Vec<u8>)>,
    judge: Judge,
    /// It isn't asked for tuples before: they have failed again and again.
    emits_from: Moment,
}

impl SpoutTask {
    pub fn new(
        wiring: Wiring,
        settings: Settings,
        make: Arc<dyn Fn() -> Box<dyn Spout> + Send + Sync>,
        collector: SpoutCollector,
        position: Option<Vec<u8>>,
    ) -> SpoutTask {
        let hooks_given = collector.hooks.len();
        let judge = Judge::new(&wiring.metrics);
        SpoutTask {
            wiring,
            settings,
            make,
            spout: None,
            collector,
            position,
            started: false,
            wanted: false,
            active: false,
            paused: false,
            finished: VecDeque::new(),
            restart: Restart::default(),
            hooks_given,
            next_rotation: None,
            last_flush: Moment(0),
            next_load: Moment(0),
            idle: IDLE_FIRST,
            awaits_acks: false,
            acked: 0,
            failed: 0,
            given: None,
            judge,
            emits_from: Moment(0),
        }
    }

    /// Does some of what is to be done.
    pub fn step(&mut self, now: Moment) -> Step {
        self.collector.now = now;
        let mut busy = self.take_control();
        self.rotate(now);
        if self.spout.is_none() && !self.open(now) {
            return self.wait_to_open();
        }
        busy |= self.tell_fates();
        self.set_active();
        self.refresh_load(now);
        if !self.wiring.send(&mut self.collector.outputs.batches) {
            self.publish();
            return Step::Blocked;
        }
        let emitted = self.poll(now) | (self.may_emit() && self.emit_some());
        if !emitted || now.since(self.last_flush) >= self.settings.flush_interval {
            self.last_flush = now;
            self.collector.outputs.batches.flush();
        }
        let sent = self.wiring.send(&mut self.collector.outputs.batches);
        self.publish();
        match () {
            () if !sent => Step::Blocked,
            () if busy || emitted || self.has_news() => Step::Busy,
            () => self.rest(now),
        }
    }

    /// What was emitted before the spout failed is sent meanwhile.
    fn wait_to_open(&mut self) -> Step {
        self.collector.outputs.batches.flush();
        let sent = self.wiring.send(&mut self.collector.outputs.batches);
        self.publish();
        match sent {
            true => Step::Idle(self.started.then(|| self.restart.due())),
            false => Step::Blocked,
        }
    }

    fn has_news(&self) -> bool {
        !self.finished.is_empty() || !self.collector.done.is_empty()
    }

    /// Asked again when the spout says, or after longer and longer waits; these also bound the time until it sees acks that don't wake it.
    fn rest(&mut self, now: Moment) -> Step {
        let may_emit = self.may_emit();
        if self.awaits_acks == may_emit {
            self.awaits_acks = !may_emit;
            if self.wiring.inbox.await_acks(self.awaits_acks) {
                return Step::Busy;
            }
        }
        let may_poll = may_emit || (!self.paused && !self.settled());
        let polled = self.spout.as_ref().and_then(|spout| spout.next_poll()).filter(|_| may_poll);
        let open = self.collector.pending() > 0;
        let looked = (may_emit && (open || polled.is_none())).then(|| {
            let next = now.after(self.idle);
            self.idle = (self.idle * 2).min(IDLE_MAX);
            next
        });
        let rotation = self.next_rotation.filter(|_| open);
        let resumed = (self.emits_from > now).then_some(self.emits_from);
        Step::Idle([polled, looked, rotation, resumed].into_iter().flatten().min())
    }

    fn settled(&self) -> bool {
        self.spout.as_ref().is_none_or(|spout| spout.settled())
    }

    /// Lets the spout do what it does besides `next_tuple`. Returns whether it has emitted something.
    fn poll(&mut self, now: Moment) -> bool {
        if self.paused {
            return false;
        }
        let before = self.collector.outputs.emitted;
        self.call(|spout, collector| spout.poll(now, collector));
        self.collector.outputs.emitted != before
    }

    fn may_emit(&self) -> bool {
        self.active
            && !self.paused
            && self.collector.pending() < self.settings.max_spout_pending
            && self.emits_from <= self.collector.now
    }

    fn take_control(&mut self) -> bool {
        self.wiring.take();
        let mut any = self.wiring.context.waker.take();
        while let Some(control) = self.wiring.control.pop_front() {
            any = true;
            match control {
                Control::Acks(acks) => self.apply(acks),
                Control::SetActive(active) => {
                    self.wanted = active;
                    self.started |= active;
                }
                Control::Checkpoint { number, aligned } => self.checkpoint(number, aligned),
                Control::Resume => self.paused = false,
                Control::Durable(number) => self.note_durable(number),
            }
        }
        any
    }

    fn apply(&mut self, acks: Acks) {
        let Some(ledger) = &mut self.collector.ledger else { return };
        for (number, sum) in acks.sums {
            if let Some(done) = ledger.apply(number, sum) {
                self.finished.push_back((done, Fate::Acked));
            }
        }
        for number in acks.fails {
            self.finished.extend(ledger.fail(number).map(|done| (done, Fate::Failed)));
        }
        acks.resets.into_iter().for_each(|number| ledger.reset(number));
    }

    /// Fails what is too old.
    fn rotate(&mut self, now: Moment) {
        let (Some(timeout), Some(ledger)) = (self.settings.message_timeout, &mut self.collector.ledger) else { return };
        let due = *self.next_rotation.get_or_insert(now.after(timeout));
        if now < due {
            return;
        }
        self.next_rotation = Some(now.after(timeout));
        self.finished.extend(ledger.rotate().into_iter().map(|done| (done, Fate::TimedOut)));
    }

    /// Opens the spout for the first time, or anew after it has failed; then what was open is failed to the new instance. That is done also
    /// when it isn't active: what it has emitted must come to an end.
    fn open(&mut self, now: Moment) -> bool {
        if !self.started || now < self.restart.due() {
            return false;
        }
        let context = self.wiring.context.clone();
        context.hooks.lock().clear();
        let position = self.position.clone();
        let made = guarded(|| {
            let mut spout = (self.make)();
            spout.open(&context)?;
            if let Some(position) = &position {
                spout.seek(position)?;
            }
            Ok(spout)
        });
        match made {
            Ok(Ok(spout)) => {
                self.spout = Some(spout);
                self.active = false;
                self.collector.hooks.truncate(self.hooks_given);
                self.collector.hooks.append(&mut self.wiring.context.hooks.lock());
                let lost = self.collector.ledger.as_mut().map(|ledger| ledger.drain()).unwrap_or_default();
                self.finished.extend(lost.into_iter().map(|done| (done, Fate::Failed)));
                true
            }
            Ok(Err(failure)) => self.give_up(format!("could not be opened: {failure}")),
            Err(panicked) => self.give_up(panicked.message()),
        }
    }

    /// Drops the instance; a new one is made when it is time.
    pub fn give_up(&mut self, message: String) -> bool {
        // Dropping it may panic again.
        let _ = caught(|| drop(self.spout.take()));
        self.restart.note_failure(self.collector.now);
        self.collector.mishaps += 1;
        self.wiring.report_failed(&message);
        self.collector.report_error(message);
        false
    }

    /// Calls the spout. An error is reported; after a panic the instance is given up.
    fn call(&mut self, work: impl FnOnce(&mut dyn Spout, &mut SpoutCollector) -> crate::Outcome) {
        let Some(spout) = &mut self.spout else { return };
        let collector = &mut self.collector;
        let outcome = guarded(|| work(spout.as_mut(), collector));
        self.note(outcome);
    }

    fn note(&mut self, outcome: Result<crate::Outcome, Panicked>) {
        match outcome {
            Err(panicked) => drop(self.give_up(panicked.message())),
            outcome => message_of(outcome).into_iter().for_each(|message| self.collector.report_error(message)),
        }
    }

    fn set_active(&mut self) {
        if self.wanted == self.active {
            return;
        }
        self.active = self.wanted;
        match self.active {
            true => self.call(|spout, collector| spout.activate(collector)),
            false => self.call(|spout, collector| spout.deactivate(collector)),
        }
    }

    /// Tells the spout what has become of its tuples.
    fn tell_fates(&mut self) -> bool {
        while let Some(done) = self.collector.done.pop_front() {
            self.finished.push_back((done, Fate::Acked));
        }
        let any = !self.finished.is_empty();
        while self.spout.is_some() && !self.finished.is_empty() {
            let outcome = self.tell_some();
            self.note(outcome);
        }
        if any {
            self.judge();
        }
        any
    }

    /// Tells the spout until there is an error, which is about one tuple: there may be more to tell.
    fn tell_some(&mut self) -> Result<crate::Outcome, Panicked> {
        let Some(spout) = &mut self.spout else { return Ok(Ok(())) };
        let (collector, metrics) = (&mut self.collector, &self.wiring.metrics);
        guarded(|| {
            while let Some((done, fate)) = self.finished.pop_front() {
                let took = collector.now.since(done.emitted_at);
                match fate {
                    Fate::Acked => {
                        self.acked += 1;
                        metrics.complete_latency.record(took);
                        tell_and_report(collector, |hook| hook.on_spout_ack(&done.id, took));
                        spout.ack(done.id, collector)?;
                    }
                    Fate::Failed | Fate::TimedOut => {
                        self.failed += 1;
                        match fate {
                            Fate::TimedOut => self.wiring.report_timed_out(),
                            _ => self.wiring.report_failed("a tuple failed"),
                        }
                        tell_and_report(collector, |hook| hook.on_spout_fail(&done.id, took));
                        spout.fail(done.id, collector)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Asks for tuples until there is none, or no room. Returns whether there were some.
    fn emit_some(&mut self) -> bool {
        let before = self.collector.outputs.emitted;
        let pending_max = self.settings.max_spout_pending;
        let Some(spout) = &mut self.spout else { return false };
        let (collector, wiring) = (&mut self.collector, &self.wiring);
        let outcome = guarded(|| {
            for _ in 0..CALLS_MAX {
                let before = collector.outputs.emitted;
                spout.next_tuple(collector)?;
                let room = wiring.send(&mut collector.outputs.batches) && collector.pending() < pending_max;
                if !room || collector.outputs.emitted == before {
                    break;
                }
            }
            Ok(())
        });
        self.note(outcome);
        let emitted = self.collector.outputs.emitted != before;
        if emitted {
            self.idle = IDLE_FIRST;
        }
        emitted
    }

    fn refresh_load(&mut self, now: Moment) {
        if now >= self.next_load {
            self.next_load = now.after(LOAD_INTERVAL);
            let wire = &self.wiring.wire;
            self.collector.outputs.refresh_load(|task| wire.load(task));
        }
    }

    /// Tells where the spout stands. If the checkpoint is aligned nothing more is emitted until it is taken everywhere.
    fn checkpoint(&mut self, number: u64, aligned: bool) {
        if aligned {
            self.paused = true;
            self.collector.outputs.batches.barrier(number);
        }
        let mut part = self.wiring.part();
        if let Some(spout) = &mut self.spout {
            match guarded(|| Ok(spout.position())) {
                Ok(Ok(position)) => part.position = position,
                _ => drop(self.give_up("panicked in position()".into())),
            }
        } else {
            part.position = self.position.clone();
        }
        // A round before this one is durable, which was told before, or given up.
        self.given = part.position.clone().map(|position| (number, position));
        let _ = self.wiring.reports.send(Report::Checkpoint { number, part });
    }

    fn note_durable(&mut self, number: u64) {
        if let Some((_, position)) = self.given.take_if(|(of, _)| *of == number) {
            self.call(|spout, _| {
                spout.committed(&position);
                Ok(())
            });
            self.position = Some(position);
        }
    }

    /// After trees have failed in a row without one that was complete, and the spout itself, there is a pause: what fails is most often what was
    /// emitted again at once.
    fn judge(&mut self) {
        let (emitted, now) = (self.collector.outputs.emitted, self.collector.now);
        let tracked = self.collector.ledger.as_ref().map_or(0, |ledger| ledger.next_number());
        let succeeded = self.acked + emitted.saturating_sub(tracked);
        let tally = Tally { succeeded, failed: self.failed, mishaps: self.collector.mishaps };
        if let Some(failures) = self.judge.note(tally, now, &self.wiring.metrics) {
            self.emits_from = now.after(pause_after(failures));
        }
    }

    fn publish(&mut self) {
        self.judge();

        let metrics = &self.wiring.metrics;
        metrics.emitted.store(self.collector.outputs.emitted, Ordering::Relaxed);
        metrics.transferred.store(self.collector.outputs.transferred, Ordering::Relaxed);
        metrics.acked.store(self.acked, Ordering::Relaxed);
        metrics.failed.store(self.failed, Ordering::Relaxed);
        let told = self.finished.len() + self.collector.done.len();
        let unsent = usize::from(!self.collector.outputs.batches.is_empty()) + usize::from(!self.settled());
        metrics.pending.store((self.collector.pending() + told + unsent) as u64, Ordering::Release);
    }

    /// The roots that are open; `None` if acking is off.
    #[cfg(test)]
    pub fn ledger(&self) -> Option<&crate::ledger::Ledger> {
        self.collector.ledger.as_ref()
    }

    /// The topology ends in order.
    pub fn close(&mut self) {
        self.call(|spout, _| {
            spout.close();
            Ok(())
        });
        tell_and_report(&mut self.collector, |hook| hook.cleanup());
    }
}

/// How long a spout isn't asked for tuples after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    match failures.checked_sub(FAILING_FAILURES) {
        None => Duration::ZERO,
        Some(more) => (FAILED_PAUSE_FIRST * 2_u32.pow(more.min(10))).min(FAILED_PAUSE_MAX),
    }
}

/// Tells the hooks; what goes wrong in one is reported, and the spout goes on.
fn tell_and_report(collector: &mut SpoutCollector, tell: impl FnMut(&mut Box<dyn crate::hook::TaskHook>)) {
    if collector.hooks.is_empty() {
        return;
    }
    let told = message_of(tell_hooks(&mut collector.hooks, tell));
    told.into_iter().for_each(|message| collector.report_error(message));
}
