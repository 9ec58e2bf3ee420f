//! `Checkpointer`: takes a topology's checkpoints, and brings it back to the last one after a failure.
//!
//! Aligned checkpoints (state exactly once): spouts send a barrier after what they have emitted, tell their position and pause; a bolt that has
//! barriers from all who send to it hands out what has changed of its state and passes the barrier on (Chandy and Lamport's snapshot with drained
//! channels). Since spouts pause little is ever behind a barrier: what a bolt sends of its own accord, such as on a tick; that is set aside by who
//! gets it while another barrier is awaited. When all tasks have reported, spouts go on, and states and positions are committed as one. On a
//! failure before that everything goes back to the last checkpoint. Without state only positions are kept, and nobody pauses.
//!
//! What is to be done is decided by [`CheckpointRounds`]; here it is done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::builder::{Factory, Topology};
use crate::checkpoint_round::{CheckpointRounds, Effect, Event};
use crate::context::{ComponentInfo, Guarantee};
use crate::message::Control;
use crate::running::{End, Inner, STOP_MAX};
use crate::stream::TaskId;
use crate::task::Report;
use crate::{Error, Result};

/// A round may take at least so long, however short the message time-out is: a busy machine must not have the topology go back.
const ROUND_MIN: Duration = Duration::from_secs(1);
/// And at most so long: more can't be added to the time of day.
const ROUND_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// Where a round may take for ever, how often it is told who holds it up.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// Tasks that are named in one message.
const NAMED_MAX: usize = 8;
/// How soon it is noticed that the topology is to end.
const LOOK_MAX: Duration = Duration::from_millis(20);
/// Waits before going back to a checkpoint again when it fails again at once.
const RESTORE_DELAY_MAX: Duration = Duration::from_secs(5);
/// A topology that has failed is well again after twice as long as it took to fail. What counts for that is at least so long.
const FAILED_AFTER_MIN: Duration = Duration::from_millis(100);
/// And at most so long.
const FAILED_AFTER_MAX: Duration = Duration::from_secs(30);
/// At most, for the first failure, before which it may have been well for days.
const FAILED_AFTER_FIRST: Duration = Duration::from_secs(1);

type Answer = Sender<Result<()>>;

/// When the topology is to have ended in order, once that is known; `None` in it: it has as long as it takes.
type LastBy = OnceLock<Option<Instant>>;

/// Takes a topology's checkpoints.
pub(crate) struct Checkpointer {
    ending: Arc<AtomicBool>,
    last_by: Arc<LastBy>,
    requests: Sender<Answer>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub fn start(topology: Arc<Inner>, reports: Receiver<Report>) -> Result<Checkpointer> {
        let (ending, last_by) = (Arc::<AtomicBool>::default(), Arc::<LastBy>::default());
        let (requests, asked) = channel();
        let last = topology.checkpoints.as_ref().map_or(Ok(0), |checkpoints| checkpoints.last())?;
        let aligned = topology.guarantee == Guarantee::ExactlyOnceState;
        let rounds = CheckpointRounds::new(aligned, awaited(&topology, aligned), last);
        let patience = Patience::of(&topology.topology);
        let mut run = Run {
            topology,
            reports,
            asked,
            ending: ending.clone(),
            last_by: last_by.clone(),
            rounds,
            patience,
            health: Health::default(),
        };
        let work = move || run.run();
        let thread = std::thread::Builder::new().name("checkpointer".into()).spawn(work);
        let thread = thread.map_err(|error| Error::Checkpoint(format!("no thread: {error}")))?;
        Ok(Checkpointer { ending, last_by, requests, thread })
    }

    /// Asks for a checkpoint now. The answer comes when it is durable, and none if the topology ends before.
    pub fn ask(&self) -> Receiver<Result<()>> {
        let (answer, answered) = channel();
        // If nobody takes it, it is gone with its receiver, and whoever waits hears of that.
        let _ = self.requests.send(answer);
        answered
    }

    /// Takes a last checkpoint and ends. One that is being taken is finished first: what tasks have handed out for it is gone from them. What can't
    /// be had until `by` is given up: the last durable checkpoint stays, and what came after it is done again after the next start.
    pub fn stop(self, by: Option<Instant>) {
        // It is taken out of the topology to be stopped, so nobody has said it before.
        let _ = self.last_by.set(by);
        self.join();
    }

    /// Ends without one.
    pub fn abandon(self) {
        self.ending.store(true, Ordering::SeqCst);
        self.join();
    }

    fn join(self) {
        // A checkpointer that has panicked has nothing to hand over.
        let _ = self.thread.join();
    }
}

struct Run {
    topology: Arc<Inner>,
    reports: Receiver<Report>,
    asked: Receiver<Answer>,
    /// End at once.
    ending: Arc<AtomicBool>,
    /// The end is an orderly one, with a last checkpoint if it can be had by then.
    last_by: Arc<LastBy>,
    rounds: CheckpointRounds,
    patience: Patience,
    health: Health,
}

impl Run {
    fn run(&mut self) {
        let interval = self.topology.topology.components.iter().map(|c| c.settings.checkpoint_interval).min();
        let interval = interval.unwrap_or(Duration::from_secs(1));
        while let Some(answer) = self.wait(interval) {
            let outcome = self.checkpoint();
            if let Some(answer) = answer {
                // Who asked may have gone.
                let _ = answer.send(outcome);
            }
        }
        if self.last_by.get().is_some() && !self.is_out_of_time() {
            // What isn't in it is done again after the next start.
            let _ = self.checkpoint();
        }
    }

    /// Waits until a checkpoint is due or asked for; goes back to the last one on failures meanwhile. `None`: the topology ends.
    fn wait(&mut self, interval: Duration) -> Option<Option<Answer>> {
        let started = Instant::now();
        while started.elapsed() < interval {
            if self.is_ending() {
                return None;
            }
            if let Ok(answer) = self.asked.try_recv() {
                return Some(Some(answer));
            }
            match self.reports.recv_timeout(LOOK_MAX.min(interval)) {
                Ok(report) => drop(self.handle(Event::Report(report))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK_MAX),
            }
        }
        Some(None)
    }

    /// Whether the topology is to end, in order or at once.
    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst) || self.last_by.get().is_some()
    }

    /// Whether the time of an orderly end is over.
    fn is_out_of_time(&self) -> bool {
        matches!(self.last_by.get(), Some(Some(by)) if Instant::now() >= *by)
    }

    /// Takes a checkpoint. A round that has begun is finished even if the topology is to end in order meanwhile: bolts have handed in their
    /// changes, and won't do so again. It is left open when time is over: then there is no next one.
    fn checkpoint(&mut self) -> Result<()> {
        if !self.topology.is_woken() {
            // No task has done anything since the last one, and none would answer.
            return Ok(());
        }
        let ended = || Err(Error::Checkpoint("the topology has ended".into()));
        let (mut look_at, mut work) = (Instant::now() + self.patience.longest(), self.work());
        let mut outcome = self.handle(Event::Due);
        loop {
            if let Some(outcome) = outcome {
                return outcome;
            }
            if self.ending.load(Ordering::SeqCst) {
                return ended();
            }
            if self.is_out_of_time() {
                return Err(self.leave_open());
            }
            if Instant::now() >= look_at {
                look_at += self.patience.longest();
                // Slow components that come on are waited for: they would be as slow the next time.
                let before = std::mem::replace(&mut work, self.work());
                if work == before {
                    outcome = self.lose_patience();
                }
                continue;
            }
            outcome = match self.reports.recv_timeout(LOOK_MAX) {
                Ok(report) => self.handle(Event::Report(report)),
                Err(RecvTimeoutError::Disconnected) => return ended(),
                Err(RecvTimeoutError::Timeout) => None,
            };
        }
    }

    /// What tasks have done so far. In an open round spouts emit nothing new, so it grows until all is done.
    fn work(&self) -> u64 {
        let counts = self.topology.shared.metrics.iter().map(|metrics| metrics.counts());
        counts.map(|counts| counts.executed + counts.acked).sum()
    }

    /// Nothing has come on in the open round for too long.
    fn lose_patience(&mut self) -> Option<Result<()>> {
        let HeldUp { tasks, reason, .. } = self.held_up(&format!("within {:?}", self.patience.longest()));
        match self.patience {
            Patience::Until(_) => self.handle(Event::Overdue { reason, tasks }),
            Patience::ForEver => {
                self.tell(&tasks, &format!("{reason}; it is waited for, since message_timeouts is off"));
                None
            }
        }
    }

    /// The topology ends, and the open round isn't complete.
    fn leave_open(&self) -> Error {
        let (name, last) = (&self.topology.topology.info.name, self.rounds.durable());
        let reason = self.held_up("in the time that the end may take").reason;
        tracing::warn!(topology = %name, "ends with checkpoint {last}; what came after it is done again at the next start: {reason}");
        Error::Checkpoint(reason)
    }

    /// Tasks that hold up the open round, and what there is to say of them. Those that wait for the barrier of another don't.
    fn held_up(&self, by: &str) -> HeldUp {
        let (topology, rounds) = (&self.topology.topology, &self.rounds);
        let aligned = self.topology.guarantee == Guarantee::ExactlyOnceState;
        let awaited = |component: &ComponentInfo| -> Vec<TaskId> {
            let tasks = component.tasks.iter().enumerate();
            tasks.filter(|(index, _)| rounds.is_awaited(&component.name, *index)).map(|(_, task)| *task).collect()
        };
        let waits = |component: &ComponentInfo| {
            let sources = component.inputs.iter().filter_map(|input| topology.info.component(&input.stream.component));
            sources.into_iter().any(|source| !awaited(source).is_empty())
        };
        let (mut tasks, mut names, mut any_spout) = (Vec::new(), Vec::new(), false);
        for (component, info) in topology.components.iter().zip(&topology.info.components) {
            let is_spout = matches!(component.factory, Factory::Spout(_));
            if is_spout || (aligned && !waits(info)) {
                let own = awaited(info);
                any_spout |= is_spout && !own.is_empty();
                names.extend(own.iter().map(|task| format!("task {task} of {:?}", info.name)));
                tasks.extend(own);
            }
        }
        let number = rounds.begun();
        let one = names.len() == 1;
        names.truncate(NAMED_MAX);
        let names = match tasks.len().saturating_sub(names.len()) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        };
        let reason = match (one, any_spout) {
            (_, true) => "a spout doesn't return from a call",
            (true, false) => "a tuple it was given isn't acked yet",
            (false, false) => "tuples they were given aren't acked yet",
        };
        let reason = match one {
            true => format!("{names} hasn't handed in its part of checkpoint {number} {by}: {reason}"),
            false => format!("{names} haven't handed in their parts of checkpoint {number} {by}: {reason}"),
        };
        HeldUp { tasks, any_spout, reason }
    }

    /// Has done what an event calls for. Returns what has become of the checkpoint, if that is known now.
    fn handle(&mut self, event: Event) -> Option<Result<()>> {
        let mut outcome = None;
        let mut next = Some(self.with_cause(event));
        while let Some(event) = next.take() {
            for effect in self.rounds.on(event) {
                match effect {
                    Effect::Begin(number) => {
                        self.health.begun = Instant::now();
                        let aligned = self.topology.guarantee == Guarantee::ExactlyOnceState;
                        self.topology.tell_spouts(|| Control::Checkpoint { number, aligned });
                    }
                    Effect::Resume => self.topology.tell_spouts(|| Control::Resume),
                    Effect::Commit(checkpoint) => {
                        let store = self.topology.checkpoints.as_ref();
                        next = Some(Event::Committed(store.map_or(Ok(()), |store| store.commit(checkpoint))));
                    }
                    Effect::Durable(number) => {
                        if self.health.is_well() {
                            self.topology.restores.store(0, Ordering::Relaxed);
                        }
                        self.topology.tell_spouts(|| Control::Durable(number));
                        outcome = Some(Ok(()));
                    }
                    Effect::Restore(error, tasks) => {
                        self.restore(&error, &tasks);
                        outcome = Some(Err(error));
                    }
                    Effect::GiveUp(error, tasks) => {
                        self.tell(&tasks, &error.to_string());
                        outcome = Some(Err(error));
                    }
                }
            }
        }
        outcome
    }

    /// A tuple that isn't acked in time while a checkpoint is taken is most likely what holds up the checkpoint; the spout that tells of it isn't to blame.
    /// Not so while spouts haven't begun it: then no bolt has been asked for its part.
    fn with_cause(&self, event: Event) -> Event {
        if let Event::Report(Report::TimedOut { .. }) = event
            && self.topology.guarantee == Guarantee::ExactlyOnceState
            && let HeldUp { tasks, any_spout: false, reason } = self.held_up("before a tuple's time was over")
            && !tasks.is_empty()
        {
            return Event::Overdue { reason, tasks };
        }
        event
    }

    /// Tells something as an error of the components of tasks; of the first component if it is no task's failure, as that the store can't be written.
    fn tell(&self, tasks: &[TaskId], message: &str) {
        let components = &self.topology.topology.info.components;
        let of_task = |task| components.iter().position(|component| component.tasks.contains(task));
        let mut places: Vec<usize> = tasks.iter().filter_map(of_task).collect();
        places.dedup();
        if places.is_empty() {
            places.push(0);
        }
        let now = self.topology.shared.clock.now();
        let logs = places.into_iter().filter_map(|place| self.topology.shared.errors.get(place));
        logs.for_each(|log| log.report_consequence(now, message.to_owned()));
    }

    /// Begins all tasks anew from the last durable checkpoint. It is told as an error of the components whose tasks have failed.
    fn restore(&mut self, reason: &Error, failed: &[TaskId]) {
        let (name, last) = (self.topology.topology.info.name.clone(), self.rounds.durable());
        tracing::warn!(topology = %name, "going back to checkpoint {last}: {reason}");
        self.tell(failed, &format!("the topology goes back to checkpoint {last}: {reason}"));
        let longest = match self.last_by.get() {
            Some(Some(by)) => STOP_MAX.min(by.saturating_duration_since(Instant::now())),
            _ => STOP_MAX,
        };
        self.topology.stop(End::AtOnce, longest);
        let is_first = self.topology.restores.load(Ordering::Relaxed) == 0;
        self.health.note_failure(Instant::now() - self.health.launched, is_first);
        loop {
            self.pause_before_restore();
            // The next start goes on from the same checkpoint.
            if self.is_ending() {
                return;
            }
            match self.topology.launch() {
                Ok(reports) => {
                    self.reports = reports;
                    self.health.launched = Instant::now();
                    return;
                }
                Err(error) => {
                    tracing::warn!(topology = %name, "can't go back to checkpoint {last} yet: {error}")
                }
            }
        }
    }

    fn pause_before_restore(&mut self) {
        let delay = match self.topology.restores.fetch_add(1, Ordering::Relaxed) {
            0 => Duration::ZERO,
            restores => (Duration::from_millis(5) * 2_u32.pow(restores.min(10))).min(RESTORE_DELAY_MAX),
        };
        let started = Instant::now();
        while started.elapsed() < delay && !self.is_ending() {
            std::thread::sleep(LOOK_MAX.min(delay));
        }
    }
}

/// Who holds up a round.
struct HeldUp {
    tasks: Vec<TaskId>,
    /// Spouts are among them.
    any_spout: bool,
    /// As a sentence.
    reason: String,
}

/// How long the parts of a checkpoint are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Then the topology goes back to the last checkpoint, if there is state.
    Until(Duration),
    /// Tuples never time out, and so does no checkpoint that waits for one: it would be given the tuple again, and again not have the time for it. It
    /// is told who holds it up.
    ForEver,
}

impl Patience {
    /// Twice the longest time-out of a spout, as its trees fail between one and two of them: tuples that are in no tree have as long.
    fn of(topology: &Topology) -> Patience {
        let spouts = topology.components.iter().filter(|component| matches!(component.factory, Factory::Spout(_)));
        let timeouts: Option<Vec<Duration>> = spouts.map(|spout| spout.settings.message_timeout).collect();
        match timeouts {
            Some(timeouts) => {
                let longest = timeouts.into_iter().max().unwrap_or_default();
                Patience::Until(longest.saturating_mul(2).clamp(ROUND_MIN, ROUND_MAX))
            }
            None => Patience::ForEver,
        }
    }

    /// How long until something is done about it.
    fn longest(self) -> Duration {
        match self {
            Patience::Until(longest) => longest,
            Patience::ForEver => TELL_INTERVAL,
        }
    }
}

/// Whether a topology that has gone back to its last checkpoint does well since. That a checkpoint is durable says little: one that begins at once
/// has nothing in it, and what fails may still be under way.
struct Health {
    /// When the tasks were begun.
    launched: Instant,
    /// When the last round was begun.
    begun: Instant,
    /// The longest that it took to fail since it was last well.
    failed_after: Duration,
}

impl Default for Health {
    fn default() -> Health {
        let now = Instant::now();
        Health { launched: now, begun: now, failed_after: Duration::ZERO }
    }
}

impl Health {
    /// The topology has failed after so long, for the first time since it was well or once more.
    fn note_failure(&mut self, after: Duration, is_first: bool) {
        self.failed_after = match is_first {
            true => after.clamp(FAILED_AFTER_MIN, FAILED_AFTER_FIRST),
            false => after.clamp(self.failed_after, FAILED_AFTER_MAX.max(self.failed_after)),
        };
    }

    /// Whether the round that was begun last has what failed before, or would have failed.
    fn is_well(&self) -> bool {
        self.begun - self.launched >= self.failed_after * 2
    }
}

/// How many tasks hand in a part of a checkpoint.
fn awaited(topology: &Inner, aligned: bool) -> usize {
    let topology = &topology.topology;
    let components = topology.components.iter().zip(&topology.info.components);
    let reporting = components.filter(|(component, _)| aligned || matches!(component.factory, Factory::Spout(_)));
    reporting.map(|(_, info)| info.tasks.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SpoutCollector, TopologyBuilder};

    struct Nothing;

    impl crate::Spout for Nothing {
        fn declare(&self, _: &mut crate::Streams) {}

        fn next_tuple(&mut self, _: &mut SpoutCollector) -> crate::Outcome {
            Ok(())
        }
    }

    #[test]
    fn a_checkpoint_may_take_twice_as_long_as_messages() {
        let patience = |settings: &[(&str, crate::Value)]| {
            let mut builder = TopologyBuilder::new();
            for (name, value) in settings {
                builder.config(name, value.clone());
            }
            builder.set_spout("one", || Nothing);
            builder.set_spout("two", || Nothing).config("message_timeout", "3 s");
            Patience::of(&builder.build("patience").unwrap())
        };
        let until = |seconds| Patience::Until(Duration::from_secs(seconds));
        assert_eq!(patience(&[]), until(60));
        assert_eq!(patience(&[("message_timeout", "1 s".into())]), until(6), "that of the most patient spout");
        assert_eq!(patience(&[("message_timeouts", false.into())]), Patience::ForEver);
    }

    #[test]
    fn a_topology_is_well_when_it_has_run_longer_than_it_took_to_fail() {
        let ms = Duration::from_millis;
        let mut health = Health::default();
        let is_well = |health: &mut Health, after: Duration| {
            health.begun = health.launched + after;
            health.is_well()
        };
        assert!(is_well(&mut health, Duration::ZERO), "it hasn't failed");
        // After days, and again after some milliseconds: what is begun at once has nothing in it.
        health.note_failure(ms(1_000_000_000), true);
        assert!(!is_well(&mut health, ms(1_999)) && is_well(&mut health, ms(2_000)));
        health.note_failure(ms(3), false);
        assert!(!is_well(&mut health, ms(1_999)) && is_well(&mut health, ms(2_000)));
        health.note_failure(ms(5_000), false);
        assert!(!is_well(&mut health, ms(9_999)) && is_well(&mut health, ms(10_000)));
        health.note_failure(ms(100_000), false);
        assert!(is_well(&mut health, ms(60_000)));
        health.note_failure(ms(3), true);
        assert!(!is_well(&mut health, ms(199)) && is_well(&mut health, ms(200)));
    }
}
