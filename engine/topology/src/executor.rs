//! Executors: threads that step tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::inbox::Signal;
use crate::task::{Step, Task};
use crate::{Error, Result};

/// A task that waits for room looks again after this long at the latest.
const BLOCKED_MAX: Duration = Duration::from_millis(1);

/// What a thread is asked to do, or has done.
mod state {
    pub const RUN: u8 = 0;
    pub const STOP: u8 = 1;
    pub const STOPPED: u8 = 2;
}

/// A thread, and the tasks it steps.
pub(crate) struct Executor {
    /// The place of the component that its tasks are of.
    pub component: usize,
    signal: Arc<Signal>,
    state: Arc<AtomicU8>,
    /// Disconnected when the thread has nothing more to do.
    ended: Receiver<()>,
    thread: JoinHandle<Vec<Task>>,
}

impl Executor {
    /// Starts a thread that steps these tasks.
    pub fn start(name: &str, mut tasks: Vec<Task>, clock: Arc<dyn Clock>) -> Result<Executor> {
        let signal = Signal::new();
        let state = Arc::new(AtomicU8::new(state::RUN));
        let component = tasks.first().map_or(0, Task::component);
        let label = format!("{name}-{}", tasks.first().map_or(0, |task| task.id().0));
        let run = Run { signal: signal.clone(), state: state.clone(), clock };
        let (ending, ended) = channel::<()>();
        let work = move || {
            let _ending = ending;
            run.signal.attach();
            tasks.iter_mut().for_each(|task| task.set_signal(&run.signal));
            run.run(&mut tasks);
            tasks
        };
        let thread = std::thread::Builder::new().name(label).spawn(work);
        let failed = |error| Error::Component { component: name.into(), reason: format!("no thread: {error}") };
        Ok(Executor { component, signal, state, ended, thread: thread.map_err(failed)? })
    }

    /// Asks the thread to end after the step it is in.
    pub fn ask_to_stop(&self) {
        let _ = self.state.compare_exchange(state::RUN, state::STOP, Ordering::SeqCst, Ordering::SeqCst);
        self.signal.raise();
    }

    /// Ends the thread after the step it is in; its tasks. When it hasn't ended after `longest`, because user code holds it, it goes on and is
    /// given back.
    pub fn stop(self, longest: Duration) -> std::result::Result<Vec<Task>, Executor> {
        self.ask_to_stop();
        let ended = self.ended.recv_timeout(longest) == Err(RecvTimeoutError::Disconnected);
        // A thread that has just seen that it is to stop doesn't go on: its tasks would be stepped by nobody.
        let goes_on = self.state.compare_exchange(state::STOP, state::RUN, Ordering::SeqCst, Ordering::SeqCst);
        match goes_on.is_ok() && !ended {
            true => Err(self),
            false => Ok(self.thread.join().unwrap_or_default()),
        }
    }
}

struct Run {
    signal: Arc<Signal>,
    state: Arc<AtomicU8>,
    clock: Arc<dyn Clock>,
}

impl Run {
    fn run(&self, tasks: &mut [Task]) {
        let busy_wait = tasks.iter().any(Task::busy_wait);
        while !self.is_to_stop() {
            self.signal.take();
            let now = self.clock.now();
            let steps = tasks.iter_mut().map(|task| task.step(now));
            let Some(rest) = steps.fold(Some(Rest::default()), Rest::and) else {
                continue;
            };
            if !busy_wait && !self.signal.spin() {
                self.signal.wait(rest.longest(self.clock.now()));
            }
        }
    }

    fn is_to_stop(&self) -> bool {
        self.state.load(Ordering::Relaxed) == state::STOP
            && self.state.compare_exchange(state::STOP, state::STOPPED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// How long the tasks of an executor have nothing to do.
#[derive(Default)]
struct Rest {
    until: Option<Moment>,
    blocked: bool,
}

impl Rest {
    /// `None`: there is something to do.
    fn and(rest: Option<Rest>, step: Step) -> Option<Rest> {
        // A task that is busy doesn't keep the others from being stepped: `fold` goes on.
        let rest = rest?;
        match step {
            Step::Busy => None,
            Step::Blocked => Some(Rest { blocked: true, ..rest }),
            Step::Idle(until) => Some(Rest { until: [rest.until, until].into_iter().flatten().min(), ..rest }),
        }
    }

    fn longest(&self, now: Moment) -> Option<Duration> {
        let until = self.until.map(|until| until.since(now));
        match self.blocked {
            true => Some(until.map_or(BLOCKED_MAX, |until| until.min(BLOCKED_MAX))),
            false => until,
        }
    }
}
