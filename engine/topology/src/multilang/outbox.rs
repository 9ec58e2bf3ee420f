//! `Outbox`: what waits to be said to a child.
//!
//! Two lanes. Replies and commands go first and are always taken, up to a bound in bytes that only a child that never reads
//! can reach. Tuples go after, and there is room for few of them: a sender waits, or does something else.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Error, Result, ToChild};

/// Bytes of replies that may wait: millions of task-id lists.
pub(crate) const REPLY_BYTES_MAX: usize = 64 << 20;

/// Bytes of tuples that are taken for one write: about what a pipe holds. More would only put off replies.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// What became of a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Offer {
    /// It will be said, unless the child ends.
    Taken,
    /// There was no room for it in the time given.
    Full,
}

/// What waits to be said to a child. Any thread may add to it.
pub struct Outbox {
    state: Mutex<State>,
    /// There is something to say, or it is closed.
    work: Condvar,
    /// There is room for a tuple, or it is closed.
    room: Condvar,
    tuples_max: usize,
    reply_bytes_max: usize,
    on_room: OnRoom,
}

/// Is told that the child takes tuples: it has sent its pid, or there is room again where there was none. Must not wait.
pub type OnRoom = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    /// Frames of replies and commands, one after the other.
    replies: Vec<u8>,
    /// A frame each.
    tuples: VecDeque<Vec<u8>>,
    closed: Option<Error>,
}

impl Outbox {
    pub(crate) fn new(tuples_max: usize, reply_bytes_max: usize, on_room: OnRoom) -> Outbox {
        let state = Mutex::new(State::default());
        Outbox { state, work: Condvar::new(), room: Condvar::new(), tuples_max, reply_bytes_max, on_room }
    }

    /// Says something before all tuples that wait: replies, commands and heartbeats. Never waits. The child's failure if it
    /// has failed; [`Error::Deaf`] if it has left too much unread.
    pub fn send(&self, message: ToChild<'_>) -> Result<()> {
        let mut state = self.state.lock();
        state.check_open()?;
        let waiting = state.replies.len();
        if waiting > self.reply_bytes_max {
            let error = Error::Deaf { waiting, limit: self.reply_bytes_max };
            drop(state);
            return Err(self.close(error));
        }
        message.append_frame(&mut state.replies);
        self.work.notify_one();
        Ok(())
    }

    /// Says a tuple after all that waits, if there is room within the time given. The child's failure if it has failed.
    pub fn offer(&self, tuple: ToChild<'_>, wait: Duration) -> Result<Offer> {
        let deadline = Instant::now() + wait;
        let mut state = self.state.lock();
        while state.closed.is_none() && state.tuples.len() >= self.tuples_max {
            if self.room.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.check_open()?;
        if state.tuples.len() >= self.tuples_max {
            return Ok(Offer::Full);
        }
        let mut frame = Vec::new();
        tuple.append_frame(&mut frame);
        state.tuples.push_back(frame);
        self.work.notify_one();
        Ok(Offer::Taken)
    }

    /// The child has sent its pid.
    pub(crate) fn greeted(&self) {
        (self.on_room)();
    }

    /// Whether a tuple would be taken now.
    pub fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.closed.is_none() && state.tuples.len() < self.tuples_max
    }

    /// How many tuples wait.
    pub fn tuples_waiting(&self) -> usize {
        self.state.lock().tuples.len()
    }

    /// Why nothing more can be said; none while it can.
    pub fn failure(&self) -> Option<Error> {
        self.state.lock().closed.clone()
    }

    /// Says no more, and forgets what waits. The first reason given stays the reason, and is returned.
    pub(crate) fn close(&self, reason: Error) -> Error {
        let mut state = self.state.lock();
        let reason = state.closed.get_or_insert(reason).clone();
        state.replies = Vec::new();
        state.tuples = VecDeque::new();
        self.work.notify_all();
        self.room.notify_all();
        reason
    }

    /// Waits for something to say and appends it: all the replies, then tuples up to the size of a write. False once closed.
    pub(crate) fn take(&self, out: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        while state.closed.is_none() && state.replies.is_empty() && state.tuples.is_empty() {
            self.work.wait(&mut state);
        }
        out.append(&mut state.replies);
        let was_full = state.tuples.len() >= self.tuples_max;
        while out.len() < WRITE_BYTES_MAX
            && let Some(frame) = state.tuples.pop_front()
        {
            out.extend_from_slice(&frame);
        }
        self.room.notify_all();
        let is_open = state.closed.is_none();
        let has_room = state.tuples.len() < self.tuples_max;
        drop(state);
        if was_full && has_room {
            (self.on_room)();
        }
        is_open
    }
}

impl State {
    fn check_open(&self) -> Result<()> {
        self.closed.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn offer(outbox: &Outbox, value: &str) -> Result<Offer> {
        let values = [Value::from(value)];
        let tuple = ToChild::Tuple { id: "1", comp: "c", stream: "s", task: 1, values: &values };
        outbox.offer(tuple, Duration::ZERO)
    }

    fn taken(outbox: &Outbox) -> String {
        let mut out = Vec::new();
        assert!(outbox.take(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_overtake_tuples() {
        let outbox = Outbox::new(10, 100, Box::new(|| {}));
        assert_eq!(offer(&outbox, "first"), Ok(Offer::Taken));
        outbox.send(ToChild::TaskIds(&[4])).unwrap();
        outbox.send(ToChild::TaskIds(&[5])).unwrap();
        let text = taken(&outbox);
        assert!(text.starts_with("[4]\nend\n[5]\nend\n{\"id\""), "{text}");
    }

    #[test]
    fn a_full_lane_of_tuples_takes_replies_still() {
        let outbox = Outbox::new(2, 100, Box::new(|| {}));
        assert_eq!(offer(&outbox, "1"), Ok(Offer::Taken));
        assert_eq!(offer(&outbox, "2"), Ok(Offer::Taken));
        assert_eq!(offer(&outbox, "3"), Ok(Offer::Full));
        outbox.send(ToChild::Next).unwrap();
        assert_eq!(outbox.tuples_waiting(), 2);
        assert_eq!(taken(&outbox).matches("\nend\n").count(), 3);
        assert_eq!(offer(&outbox, "3"), Ok(Offer::Taken));
    }

    #[test]
    fn one_write_takes_about_as_much_as_a_pipe() {
        let outbox = Outbox::new(10, 100, Box::new(|| {}));
        let long = "x".repeat(40_000);
        for _ in 0..3 {
            assert_eq!(offer(&outbox, &long), Ok(Offer::Taken));
        }
        assert_eq!(taken(&outbox).matches("\nend\n").count(), 2);
        assert_eq!(outbox.tuples_waiting(), 1);
    }

    #[test]
    fn a_child_that_never_reads_its_replies_fails() {
        let outbox = Outbox::new(2, 100, Box::new(|| {}));
        let error = (0..100).find_map(|_| outbox.send(ToChild::TaskIds(&[4])).err());
        assert!(matches!(error, Some(Error::Deaf { limit: 100, .. })), "{error:?}");
        assert_eq!(outbox.failure(), error);
    }

    #[test]
    fn once_closed_everything_says_why() {
        let outbox = Outbox::new(2, 100, Box::new(|| {}));
        assert_eq!(offer(&outbox, "1"), Ok(Offer::Taken));
        assert_eq!(outbox.close(Error::Killed), Error::Killed);
        assert_eq!(outbox.close(Error::Protocol("later".into())), Error::Killed);
        assert_eq!(offer(&outbox, "1"), Err(Error::Killed));
        assert_eq!(outbox.send(ToChild::Next), Err(Error::Killed));
        assert!(!outbox.take(&mut Vec::new()));
    }

    #[test]
    fn room_is_told_of_when_there_was_none() {
        let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = told.clone();
        let count = move || _ = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let outbox = Outbox::new(2, 100, Box::new(count));
        let told = || told.load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(offer(&outbox, "1"), Ok(Offer::Taken));
        assert!(outbox.has_room());
        taken(&outbox);
        assert_eq!(told(), 0);
        assert_eq!(offer(&outbox, "1"), Ok(Offer::Taken));
        assert_eq!(offer(&outbox, "2"), Ok(Offer::Taken));
        assert!(!outbox.has_room());
        taken(&outbox);
        assert_eq!(told(), 1);
    }
}
