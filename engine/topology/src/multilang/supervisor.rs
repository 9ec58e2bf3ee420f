//! `Supervisor`: the child of one task, started anew when it has ended.
//!
//! Nothing here waits: a child is started without waiting for its pid, and ended on a thread of its own. Only dropping the supervisor waits
//! for the child's end.
//!
//! Invariants:
//! - There is one child at a time: the next is started when the last has been reaped.
//! - What a child has said is given to the task before its failure; after that nothing of it is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use super::mailbox::Mailbox;
use super::shell_spec::ShellSpec;
use super::task_setup::setup_of;
use super::{ChildProcess, Error, FromChild, Launch, Outbox, Result, Setup};
use crate::clock::Moment;
use crate::context::TaskContext;
use crate::task::Restart;
use crate::{Outcome, Waker};

/// Whether there is a new child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    None,
    Started,
}

/// The child of one task, started anew when it has ended.
pub(super) struct Supervisor {
    launch: Launch,
    setup: Setup,
    waker: Waker,
    restart: Restart,
    state: State,
    /// Taken from the mailbox.
    messages: VecDeque<Result<FromChild>>,
    /// Removed when the child has ended.
    _pid_dir: Option<TempDir>,
}

enum State {
    /// There is none until it is time.
    Down,
    /// The last one is being ended.
    Ending(Ending),
    Up(Child),
}

/// A child at work. Dropping it waits for its end.
struct Child {
    process: ChildProcess,
    mailbox: Arc<Mailbox>,
    /// When its pid must be there; none once it is.
    greet_by: Option<Moment>,
}

impl Drop for Child {
    fn drop(&mut self) {
        // Its reader may wait for room.
        self.mailbox.close();
        self.process.kill();
    }
}

/// A child that is being ended on a thread of its own.
struct Ending {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in it has been printed; nothing else is to be had from it.
            let _ = thread.join();
        }
    }
}

impl Supervisor {
    /// Without a child yet: [`Supervisor::run`] starts it.
    pub fn new(spec: &ShellSpec, task: &TaskContext) -> Outcome<Supervisor> {
        let (pid_dir, own) = spec.pid_dir()?;
        Ok(Supervisor {
            launch: spec.launch(task.config()),
            setup: setup_of(task, &pid_dir),
            waker: task.waker(),
            restart: Restart::default(),
            state: State::Down,
            messages: VecDeque::new(),
            _pid_dir: own,
        })
    }

    /// Starts a child if there is none and it is time. After an error [`Supervisor::give_up`] is to be called.
    pub fn run(&mut self, now: Moment) -> Result<News> {
        match &mut self.state {
            State::Ending(ending) if ending.is_over.load(Ordering::SeqCst) => self.state = State::Down,
            State::Ending(_) => {}
            State::Up(child) => return child.check_greeting(now, self.launch.handshake_wait).map(|()| News::None),
            State::Down => {}
        }
        if !matches!(self.state, State::Down) || now < self.restart.due() {
            return Ok(News::None);
        }
        let mailbox = Arc::new(Mailbox::new(self.waker.clone()));
        let (reader, on_room) = (mailbox.clone(), self.waker.clone());
        let handler = Box::new(move |said: Result<FromChild>, _: &Outbox| reader.put(said));
        let process = ChildProcess::spawn(&self.launch, &self.setup, handler, Box::new(move || on_room.wake()))?;
        let greet_by = Some(now.after(self.launch.handshake_wait));
        self.state = State::Up(Child { process, mailbox, greet_by });
        Ok(News::Started)
    }

    /// Ends the child, if there is one, and forgets what it has said. Another is started in time.
    pub fn give_up(&mut self, now: Moment) {
        self.restart.note_failure(now);
        self.messages.clear();
        self.begin_end();
    }

    /// Asks the child to end, if there is one. Dropping the supervisor waits until it has.
    pub fn begin_end(&mut self) {
        if let State::Up(child) = std::mem::replace(&mut self.state, State::Down) {
            self.state = end(child, self.waker.clone());
        }
    }

    /// Fetches what the child has said, unless there is something left of what was fetched before.
    pub fn fetch(&mut self) {
        if self.messages.is_empty()
            && let State::Up(child) = &self.state
        {
            child.mailbox.take(&mut self.messages);
        }
    }

    /// The next thing that was fetched; an error is the child's failure.
    pub fn next_message(&mut self) -> Result<Option<FromChild>> {
        self.messages.pop_front().transpose()
    }

    /// Whether the child has said anything that hasn't been taken.
    pub fn has_messages(&self) -> bool {
        !self.messages.is_empty() || matches!(&self.state, State::Up(child) if !child.mailbox.is_empty())
    }

    /// The child, if there is one.
    pub fn child(&self) -> Option<&ChildProcess> {
        match &self.state {
            State::Up(child) => Some(&child.process),
            State::Down | State::Ending(_) => None,
        }
    }

    /// The child, if there is one that has sent its pid, as far as the last [`Supervisor::run`] knows.
    pub fn greeted_child(&self) -> Option<&ChildProcess> {
        match &self.state {
            State::Up(child) if child.greet_by.is_none() => Some(&child.process),
            _ => None,
        }
    }

    /// When there is something to do, besides when the waker asks.
    pub fn next_poll(&self) -> Option<Moment> {
        match &self.state {
            _ if self.has_messages() => Some(Moment(0)),
            State::Down => Some(self.restart.due()),
            State::Ending(_) => None,
            State::Up(child) => child.greet_by,
        }
    }
}

impl Child {
    fn check_greeting(&mut self, now: Moment, wait: Duration) -> Result<()> {
        match self.greet_by {
            Some(_) if self.process.pid().is_some() => self.greet_by = None,
            Some(due) if now >= due => {
                return Err(Error::Handshake { limit_ms: millis(wait), stderr: self.process.last_lines() });
            }
            _ => {}
        }
        Ok(())
    }
}

/// Ends a child on a thread of its own; here if there is none to be had.
fn end(child: Child, waker: Waker) -> State {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let work = move || {
        drop(child);
        over.store(true, Ordering::SeqCst);
        waker.wake();
    };
    match std::thread::Builder::new().name("child-end".into()).spawn(work) {
        Ok(thread) => State::Ending(Ending { is_over, thread: Some(thread) }),
        // The closure, and with it the child, has been dropped.
        Err(_) => State::Down,
    }
}

/// For messages.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
