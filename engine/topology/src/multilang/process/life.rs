//! `Life`: what has happened to a child so far, and waiting for it to happen.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// What has happened to a child so far.
pub(super) struct Life {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    pid: Option<u32>,
    last_heard: Instant,
    /// The handler is at work on a message.
    handling: bool,
    /// It has failed, or has been killed.
    over: bool,
    listener_over: bool,
    stderr_over: bool,
}

impl Life {
    pub fn new() -> Life {
        let state = State {
            pid: None,
            last_heard: Instant::now(),
            handling: false,
            over: false,
            listener_over: false,
            stderr_over: false,
        };
        Life { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub fn pid(&self) -> Option<u32> {
        self.state.lock().pid
    }

    pub fn last_heard(&self) -> Instant {
        let state = self.state.lock();
        if state.handling { Instant::now() } else { state.last_heard }
    }

    pub fn heard(&self) {
        self.state.lock().last_heard = Instant::now();
    }

    pub fn greeted(&self, pid: u32) {
        self.change(|state| state.pid = Some(pid));
    }

    pub fn over(&self) {
        self.change(|state| state.over = true);
    }

    pub fn listener_over(&self) {
        self.change(|state| state.listener_over = true);
    }

    pub fn stderr_over(&self) {
        self.change(|state| state.stderr_over = true);
    }

    /// The child can't be heard while its last message is being handled, which isn't its fault.
    pub fn while_handling<T>(&self, handle: impl FnOnce() -> T) -> T {
        self.state.lock().handling = true;
        let result = handle();
        self.change(|state| {
            state.handling = false;
            state.last_heard = Instant::now();
        });
        result
    }

    /// Whether the child has sent its pid, within the time; it may have failed since.
    pub fn await_pid(&self, wait: Duration) -> bool {
        self.await_until(wait, |state| state.pid.is_some() || state.over).pid.is_some()
    }

    pub fn await_stderr(&self, wait: Duration) {
        drop(self.await_until(wait, |state| state.stderr_over));
    }

    /// Waits for the reader to be done; the time it spends in the handler doesn't count.
    pub fn await_listener(&self, wait: Duration) {
        loop {
            let state = self.await_until(wait, |state| state.listener_over);
            if state.listener_over || (!state.handling && state.last_heard.elapsed() >= wait) {
                return;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    fn await_until(&self, wait: Duration, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let deadline = Instant::now().checked_add(wait);
        let mut state = self.state.lock();
        while !done(&state) {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) if self.changed.wait_until(&mut state, deadline).timed_out() => break,
                Some(_) => {}
            }
        }
        state
    }
}
