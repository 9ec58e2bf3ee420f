//! `Group`: a child and all it starts: one process group, signalled as a whole.
//!
//! Invariant: the group is signalled only while its leader hasn't been reaped. A leader that has ended and isn't reaped holds
//! the group's number, so that it can't have become a stranger's. This is why the wait comes in two steps.
//!
//! A process that leaves the group by itself (`setsid`) is out of reach.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// The process group of a child that was started as its leader.
pub(crate) struct Group {
    leader: Pid,
    state: Mutex<State>,
    changed: Condvar,
}

/// What became of the leader.
#[derive(Clone, Copy)]
enum State {
    Alive,
    Reaped(ExitStatus),
    /// It can't be waited for: nobody knows, and its number is not to be used.
    Lost,
}

impl Group {
    pub fn new(leader: &Child) -> Group {
        Group { leader: Pid::from_child(leader), state: Mutex::new(State::Alive), changed: Condvar::new() }
    }

    /// Waits for the leader's end, kills what is left of the group, and reaps the leader. To be called once.
    pub fn wait_and_reap(&self, mut leader: Child) {
        let ended = self.wait_unreaped();
        if ended {
            self.signal(Signal::KILL);
        }
        let mut state = self.state.lock();
        *state = if ended { leader.wait().map_or(State::Lost, State::Reaped) } else { State::Lost };
        self.changed.notify_all();
    }

    /// False when there is no such child to wait for.
    fn wait_unreaped(&self) -> bool {
        loop {
            match waitid(WaitId::Pid(self.leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Signals every process of the group, if its leader hasn't been reaped.
    pub fn signal(&self, signal: Signal) {
        let state = self.state.lock();
        if matches!(*state, State::Alive) {
            // Fails only when no process of the group is left, or each has become another user's: nothing is to be done then.
            let _ = kill_process_group(self.leader, signal);
        }
    }

    /// Waits until the leader has been reaped; its status, none when time is over.
    pub fn wait_end(&self, wait: Duration) -> Option<String> {
        let deadline = Instant::now() + wait;
        let mut state = self.state.lock();
        while matches!(*state, State::Alive) {
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        match *state {
            State::Alive => None,
            State::Reaped(status) => Some(status.to_string()),
            State::Lost => Some("an unknown status".into()),
        }
    }

    /// Asks all to end, and after the grace makes them. True once the leader has been reaped.
    pub fn terminate(&self, grace: Duration) -> bool {
        /// A killed process ends at once unless the kernel is in the middle of something for it.
        const KILL_WAIT: Duration = Duration::from_secs(10);
        self.signal(Signal::TERM);
        if self.wait_end(grace).is_some() {
            return true;
        }
        self.signal(Signal::KILL);
        self.wait_end(KILL_WAIT).is_some()
    }
}
