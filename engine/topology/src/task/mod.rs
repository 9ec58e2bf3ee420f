//! Tasks: one instance of a component at work. Each is stepped by the executor it runs on; a step never waits.

mod alignment;
mod bolt;
mod restart;
mod spout;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batches::Batches;
use crate::clock::{Clock, Moment};
use crate::context::TaskContext;
use crate::error_log::ErrorLog;
use crate::hook::TaskHook;
use crate::inbox::{Inbox, Signal};
use crate::message::{Control, Message};
use crate::metrics::TaskMetrics;
use crate::state::TaskCheckpoint;
use crate::stream::{StreamInfo, TaskId};
use crate::wire::Wire;
use crate::{Failure, Outcome};

pub(crate) use bolt::BoltTask;
pub(crate) use restart::Restart;
pub(crate) use spout::SpoutTask;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It did something; there may be more.
    Busy,
    /// It waits for room in another task's inbox.
    Blocked,
    /// Nothing to do before this time, or before its signal is raised.
    Idle(Option<Moment>),
}

/// What a task tells the one who runs the topology.
#[derive(Debug)]
pub(crate) enum Report {
    /// Its part of a checkpoint.
    Checkpoint { number: u64, part: TaskCheckpoint },
    /// A tuple failed or timed out, or a component panicked: what was done since the last checkpoint may not all have been done.
    Failed { task: TaskId, reason: String },
    /// Tuples of a spout task weren't acked in time: likewise.
    TimedOut { task: TaskId },
}

/// What every task has.
pub(crate) struct Wiring {
    pub task: TaskId,
    pub context: Arc<TaskContext>,
    pub inbox: Arc<Inbox>,
    pub wire: Arc<dyn Wire>,
    pub signal: Arc<Signal>,
    pub clock: Arc<dyn Clock>,
    /// The topology's streams, by place.
    pub streams: Arc<[Arc<StreamInfo>]>,
    /// Tasks on edges that close a cycle: what is for them is sent even when they are full.
    pub cyclic: Vec<TaskId>,
    pub errors: Arc<ErrorLog>,
    pub metrics: Arc<TaskMetrics>,
    pub reports: std::sync::mpsc::Sender<Report>,
    pub data: VecDeque<Message>,
    pub control: VecDeque<Control>,
}

impl Wiring {
    /// Sends what is ready. Returns whether everything was sent.
    #[inline]
    pub fn send(&self, batches: &mut Batches) -> bool {
        while let Some(parcel) = batches.ready.pop_front() {
            let Err(message) = self.wire.offer(parcel.target, parcel.message, &self.signal) else { continue };
            if self.cyclic.contains(&parcel.target) {
                self.wire.force(parcel.target, message);
                continue;
            }
            batches.ready.push_front(crate::batches::Parcel { target: parcel.target, message });
            return false;
        }
        true
    }

    /// Takes what waits. Says first that something is under way: nobody may see an empty inbox and a task that says it has nothing.
    pub fn take(&mut self) {
        if self.inbox.is_empty() {
            return;
        }
        if self.metrics.pending.load(Ordering::Relaxed) == 0 {
            self.metrics.pending.store(1, Ordering::Release);
        }
        self.inbox.take(&mut self.data, &mut self.control);
    }

    /// Whom to wake from now on.
    pub fn set_signal(&mut self, signal: &Arc<Signal>) {
        self.signal = signal.clone();
        self.inbox.set_owner(signal);
        *self.context.waker.executor.lock() = signal.clone();
    }

    pub fn report_failed(&self, reason: &str) {
        // Nobody listens where there are no checkpoints.
        let _ = self.reports.send(Report::Failed { task: self.task, reason: reason.into() });
    }

    pub fn report_timed_out(&self) {
        let _ = self.reports.send(Report::TimedOut { task: self.task });
    }

    pub fn part(&self) -> TaskCheckpoint {
        let component = self.context.component().name.to_string();
        TaskCheckpoint { component, index: self.context.task_index(), state: Default::default(), position: None }
    }
}

/// One instance of a component at work.
pub(crate) enum Task {
    Spout(Box<SpoutTask>),
    Bolt(Box<BoltTask>),
}

impl Task {
    /// Does some of what is to be done. Calls of user code are guarded one by one where what is to be failed is known; this guard is for
    /// the rest, hooks among them: a panic must not take the thread and its other tasks along.
    pub fn step(&mut self, now: Moment) -> Step {
        let stepped = caught(|| match self {
            Task::Spout(spout) => spout.step(now),
            Task::Bolt(bolt) => bolt.step(now),
        });
        stepped.unwrap_or_else(|panicked| {
            match self {
                Task::Spout(spout) => spout.give_up(panicked.message()),
                Task::Bolt(bolt) => bolt.give_up(panicked.message()),
            };
            Step::Busy
        })
    }

    pub fn set_signal(&mut self, signal: &Arc<Signal>) {
        match self {
            Task::Spout(spout) => spout.wiring.set_signal(signal),
            Task::Bolt(bolt) => bolt.wiring.set_signal(signal),
        }
    }

    /// The topology ends in order. What is under way then, as a child process that is to end, is over when the task is dropped.
    pub fn close(&mut self) {
        match self {
            Task::Spout(spout) => spout.close(),
            Task::Bolt(bolt) => bolt.close(),
        }
    }

    /// Drops it; that may panic.
    pub fn discard(self) {
        let _ = caught(|| drop(self));
    }

    pub fn id(&self) -> TaskId {
        match self {
            Task::Spout(spout) => spout.wiring.task,
            Task::Bolt(bolt) => bolt.wiring.task,
        }
    }

    pub fn busy_wait(&self) -> bool {
        match self {
            Task::Spout(spout) => spout.settings.busy_wait,
            Task::Bolt(bolt) => bolt.settings.busy_wait,
        }
    }

    pub fn component(&self) -> usize {
        match self {
            Task::Spout(spout) => spout.wiring.context.component,
            Task::Bolt(bolt) => bolt.wiring.context.component,
        }
    }
}

/// Calls user code that may fail; a panic in it is an error of its own.
fn guarded<T>(work: impl FnOnce() -> Outcome<T>) -> Result<Outcome<T>, Panicked> {
    caught(work)
}

/// A panic as an error with its message.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Panicked(text.unwrap_or_else(|| "no message".into()))
    })
}

/// Tells hooks something. What escapes them stops nobody.
fn tell_hooks(hooks: &mut [Box<dyn TaskHook>], tell: impl FnMut(&mut Box<dyn TaskHook>)) -> Result<Outcome, Panicked> {
    guarded(|| {
        hooks.iter_mut().for_each(tell);
        Ok(())
    })
}

/// A component has panicked, and what it said.
#[derive(Debug)]
struct Panicked(String);

impl Panicked {
    fn message(&self) -> String {
        format!("panicked: {}", self.0)
    }
}

/// A failure or a panic as one message.
fn message_of(outcome: Result<Outcome, Panicked>) -> Option<String> {
    match outcome {
        Ok(Ok(())) => None,
        Ok(Err(Failure(message))) => Some(message),
        Err(panicked) => Some(panicked.message()),
    }
}
