//! `Checkpointer`: takes a topology's checkpoints, and brings it back to the last one after a failure.
//!
//! Aligned checkpoints (state exactly once): spouts send a barrier after what they have emitted, tell their position and pause; a bolt that has
//! barriers from all who send to it hands out what has changed of its state and passes the barrier on. Since spouts pause nothing is ever behind a
//! barrier, so no input has to be set aside while another one's barrier is awaited (Chandy and Lamport's snapshot with drained channels). When all
//! tasks have reported, spouts go on, and states and positions are committed as one. On a failure before that everything goes back to the last
//! checkpoint. Without state only positions are kept, and nobody pauses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::builder::Factory;
use crate::context::Guarantee;
use crate::message::Control;
use crate::running::Inner;
use crate::state::Checkpoint;
use crate::task::Report;
use crate::{Error, Result};

/// A checkpoint that isn't complete after this long has failed.
const CHECKPOINT_MAX: Duration = Duration::from_secs(60);
/// How soon it is noticed that the topology is to end.
const LOOK_MAX: Duration = Duration::from_millis(20);
/// Waits before going back to a checkpoint again when it fails again at once.
const RESTORE_DELAY_MAX: Duration = Duration::from_secs(5);

type Answer = Sender<Result<()>>;

/// Takes a topology's checkpoints.
pub(crate) struct Checkpointer {
    ending: Arc<AtomicBool>,
    last_one: Arc<AtomicBool>,
    requests: Sender<Answer>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    pub fn start(topology: Arc<Inner>, reports: Receiver<Report>) -> Result<Checkpointer> {
        let (ending, last_one) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (requests, asked) = channel();
        let last = topology.checkpoints.as_ref().map_or(Ok(0), |checkpoints| checkpoints.last())?;
        let (abandoned, take_last) = (ending.clone(), last_one.clone());
        let mut run = Run { topology, reports, asked, ending: abandoned, take_last, last, restores: 0 };
        let work = move || run.run();
        let thread = std::thread::Builder::new().name("checkpointer".into()).spawn(work);
        let thread = thread.map_err(|error| Error::Checkpoint(format!("no thread: {error}")))?;
        Ok(Checkpointer { ending, last_one, requests, thread })
    }

    /// Takes a checkpoint now; returns when it is durable.
    pub fn take_now(&self) -> Result<()> {
        let (answer, answered) = channel();
        let ended = |_| Error::Checkpoint("the topology has ended".into());
        self.requests.send(answer).map_err(|_| Error::Checkpoint("the topology has ended".into()))?;
        answered.recv().map_err(ended)?
    }

    /// Takes a last checkpoint and ends. One that is being taken is finished first: what tasks have handed out for it is gone from them.
    pub fn stop(self) {
        self.last_one.store(true, Ordering::SeqCst);
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
    /// End with a last checkpoint.
    take_last: Arc<AtomicBool>,
    /// The number of the last durable checkpoint.
    last: u64,
    /// Restores since the last durable checkpoint.
    restores: u32,
}

/// Why a checkpoint wasn't taken.
enum Broken {
    /// Something failed: back to the last one.
    Failed(String),
    /// The topology is to end.
    Ending,
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
        if !self.ending.load(Ordering::SeqCst) {
            // What isn't in it is done again after the next start.
            let _ = self.checkpoint();
        }
    }

    /// Waits until a checkpoint is due or asked for; goes back to the last one on failures meanwhile. `None`: the topology ends.
    fn wait(&mut self, interval: Duration) -> Option<Option<Answer>> {
        let started = Instant::now();
        while started.elapsed() < interval {
            if self.ending.load(Ordering::SeqCst) || self.take_last.load(Ordering::SeqCst) {
                return None;
            }
            if let Ok(answer) = self.asked.try_recv() {
                return Some(Some(answer));
            }
            match self.reports.recv_timeout(LOOK_MAX.min(interval)) {
                Ok(Report::Failed { reason, .. }) if self.aligned() => self.restore(&reason),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK_MAX),
            }
        }
        Some(None)
    }

    fn aligned(&self) -> bool {
        self.topology.guarantee == Guarantee::ExactlyOnceState
    }

    fn checkpoint(&mut self) -> Result<()> {
        if !self.topology.was_active() {
            // Nothing has been opened, so there is nobody to pass a barrier on, and nothing has changed.
            return Ok(());
        }
        match self.collect() {
            Ok(checkpoint) => self.commit(checkpoint),
            Err(Broken::Failed(reason)) => {
                self.restore(&reason);
                Err(Error::Checkpoint(reason))
            }
            Err(Broken::Ending) => Err(Error::Checkpoint("the topology has ended".into())),
        }
    }

    /// Has every task report its part.
    fn collect(&mut self) -> std::result::Result<Checkpoint, Broken> {
        let (number, aligned) = (self.last + 1, self.aligned());
        let awaited = self.awaited(aligned);
        self.topology.tell_spouts(|| Control::Checkpoint { number, aligned });
        let started = Instant::now();
        let mut parts = Vec::new();
        while parts.len() < awaited {
            if self.ending.load(Ordering::SeqCst) {
                return Err(Broken::Ending);
            }
            match self.reports.recv_timeout(LOOK_MAX) {
                Ok(Report::Checkpoint { number: of, part }) if of == number => parts.push(part),
                Ok(Report::Failed { reason, task }) if aligned => {
                    return Err(Broken::Failed(format!("task {task}: {reason}")));
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Broken::Ending),
            }
            if started.elapsed() > CHECKPOINT_MAX {
                return Err(Broken::Failed(format!("checkpoint {number} was not complete after {CHECKPOINT_MAX:?}")));
            }
        }
        if aligned {
            self.topology.tell_all(|| Control::Resume);
        }
        parts.retain(|part| !part.state.is_empty() || part.position.is_some());
        Ok(Checkpoint { number, tasks: parts })
    }

    fn awaited(&self, aligned: bool) -> usize {
        let topology = &self.topology.topology;
        let components = topology.components.iter().zip(&topology.info.components);
        let reporting = components.filter(|(component, _)| aligned || matches!(component.factory, Factory::Spout(_)));
        reporting.map(|(_, info)| info.tasks.len()).sum()
    }

    fn commit(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let number = checkpoint.number;
        let Some(checkpoints) = &self.topology.checkpoints else { return Ok(()) };
        match checkpoints.commit(checkpoint) {
            Ok(()) => {
                (self.last, self.restores) = (number, 0);
                self.topology.tell_spouts(|| Control::Durable(number));
                Ok(())
            }
            Err(error) => {
                // What the tasks handed out is gone from them: only the last checkpoint is whole.
                if self.aligned() {
                    self.restore(&error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Begins all tasks anew from the last durable checkpoint.
    fn restore(&mut self, reason: &str) {
        let name = self.topology.topology.info.name.clone();
        tracing::warn!(topology = %name, "going back to checkpoint {}: {reason}", self.last);
        self.topology.stop(false);
        loop {
            self.pause_before_restore();
            if self.ending.load(Ordering::SeqCst) {
                return;
            }
            match self.topology.launch() {
                Ok(reports) => {
                    self.reports = reports;
                    return;
                }
                Err(error) => {
                    tracing::warn!(topology = %name, "can't go back to checkpoint {} yet: {error}", self.last)
                }
            }
        }
    }

    fn pause_before_restore(&mut self) {
        let delay = match self.restores {
            0 => Duration::ZERO,
            restores => (Duration::from_millis(5) * 2_u32.pow(restores.min(10))).min(RESTORE_DELAY_MAX),
        };
        self.restores += 1;
        let started = Instant::now();
        while started.elapsed() < delay && !self.ending.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK_MAX.min(delay));
        }
    }
}
