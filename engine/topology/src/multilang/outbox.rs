//! `Outbox`: what waits to be said to a child.
//!
//! Two lanes. Replies and commands go first and are always taken, up to a bound in bytes that only a child that never reads
//! can reach. Tuples go after, and there is room for few of them: a sender waits, or does something else. Before the child has greeted there is
//! room for none, because nobody knows yet how it is to be spoken to.
//!
//! In the Arrow dialect all tuples that wait go together, once the child has taken up what it was sent before: batches grow by themselves
//! when the child is slow, and nobody waits for one to fill.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::dialect::{Dialect, Waiting};
use super::{Error, Result, ToChild, arrow};

/// Bytes of replies that may wait: millions of task-id lists.
pub(crate) const REPLY_BYTES_MAX: usize = 64 << 20;

/// Bytes of tuples that are taken for one write: about what a pipe holds. More would only put off replies.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Tuples that are gathered for one write in the Arrow dialect, and about how many bytes of them.
const GATHERED_ROWS_MAX: usize = 4096;
const GATHERED_BYTES_MAX: usize = 1 << 20;

/// Batches that a child may have been sent and not taken up yet, before it is sent more.
const UNREAD_BATCHES_MAX: usize = 2;

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
    reply_bytes_max: usize,
    on_room: OnRoom,
}

/// Is told that the child takes tuples: it has sent its pid, or there is room again where there was none. Must not wait.
pub type OnRoom = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    /// Frames of replies and commands, one after the other.
    replies: Vec<u8>,
    tuples: VecDeque<Waiting>,
    /// Room for tuples; none before the child has greeted.
    tuples_max: usize,
    /// JSON before the child has greeted.
    dialect: Option<Dialect>,
    /// Batches that the child has been sent and hasn't taken up.
    unread_batches: usize,
    closed: Option<Error>,
}

impl Outbox {
    pub(crate) fn new(reply_bytes_max: usize, on_room: OnRoom) -> Outbox {
        let state = Mutex::new(State::default());
        Outbox { state, work: Condvar::new(), room: Condvar::new(), reply_bytes_max, on_room }
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
        let dialect = state.dialect();
        dialect.append(message, &mut state.replies);
        self.work.notify_one();
        Ok(())
    }

    /// Says a tuple after all that waits, if there is room within the time given. The child's failure if it has failed.
    pub fn offer(&self, tuple: ToChild<'_>, wait: Duration) -> Result<Offer> {
        let deadline = Instant::now() + wait;
        let mut state = self.state.lock();
        while state.closed.is_none() && !state.has_room() {
            if self.room.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.check_open()?;
        if !state.has_room() {
            return Ok(Offer::Full);
        }
        let waiting = state.dialect().waiting(tuple)?;
        state.tuples.push_back(waiting);
        self.work.notify_one();
        Ok(Offer::Taken)
    }

    /// The child has said how it will speak: there is room for so many tuples.
    pub(crate) fn speak(&self, dialect: Dialect, tuples_max: usize) {
        let mut state = self.state.lock();
        (state.dialect, state.tuples_max) = (Some(dialect), tuples_max);
        self.room.notify_all();
    }

    /// Tells that the child has sent its pid, and that there is room.
    pub(crate) fn greeted(&self) {
        (self.on_room)();
    }

    /// The child has taken up a batch.
    pub(crate) fn more(&self) {
        let mut state = self.state.lock();
        state.unread_batches = state.unread_batches.saturating_sub(1);
        self.work.notify_one();
    }

    /// How many fates of a spout's tuples one message may tell.
    pub(crate) fn fates_max(&self) -> usize {
        self.state.lock().dialect().fates_max()
    }

    /// Whether a tuple would be taken now.
    pub fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.closed.is_none() && state.has_room()
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

    /// Waits for something to say and appends it: all the replies, then tuples up to the size of a write. False once closed. To be called by
    /// one thread alone.
    pub(crate) fn take(&self, out: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        while state.closed.is_none() && state.replies.is_empty() && !state.has_tuples_to_say() {
            self.work.wait(&mut state);
        }
        out.append(&mut state.replies);
        let was_full = !state.has_room();
        let rows = if state.has_tuples_to_say() { state.take_tuples(out) } else { Vec::new() };
        self.room.notify_all();
        let is_open = state.closed.is_none();
        let has_room = state.has_room();
        drop(state);
        if was_full && has_room {
            (self.on_room)();
        }
        if !rows.is_empty() {
            // Nobody else has to wait while they are encoded. The child can't take them up before they are written.
            let batches = arrow::append_batches(rows, out);
            self.state.lock().unread_batches += batches;
        }
        is_open
    }
}

impl State {
    fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or(Dialect::Json)
    }

    fn has_room(&self) -> bool {
        self.tuples.len() < self.tuples_max
    }

    fn has_tuples_to_say(&self) -> bool {
        !self.tuples.is_empty() && self.unread_batches < UNREAD_BATCHES_MAX
    }

    /// Appends tuples up to the size of a write, or returns those that are to be gathered in batches.
    fn take_tuples(&mut self, out: &mut Vec<u8>) -> Vec<arrow::Row> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while out.len() < WRITE_BYTES_MAX
            && rows.len() < GATHERED_ROWS_MAX
            && bytes < GATHERED_BYTES_MAX
            && let Some(waiting) = self.tuples.pop_front()
        {
            match waiting {
                Waiting::Frame(frame) => out.extend_from_slice(&frame),
                Waiting::Row(row) => {
                    bytes += row.bytes;
                    rows.push(row);
                }
            }
        }
        rows
    }

    fn check_open(&self) -> Result<()> {
        self.closed.clone().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn outbox(tuples_max: usize, on_room: impl Fn() + Send + Sync + 'static) -> Outbox {
        let outbox = Outbox::new(100, Box::new(on_room));
        outbox.speak(Dialect::Json, tuples_max);
        outbox
    }

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
        let outbox = outbox(10, || {});
        assert_eq!(offer(&outbox, "first"), Ok(Offer::Taken));
        outbox.send(ToChild::TaskIds(&[4])).unwrap();
        outbox.send(ToChild::TaskIds(&[5])).unwrap();
        let text = taken(&outbox);
        assert!(text.starts_with("[4]\nend\n[5]\nend\n{\"id\""), "{text}");
    }

    #[test]
    fn a_full_lane_of_tuples_takes_replies_still() {
        let outbox = outbox(2, || {});
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
        let outbox = outbox(10, || {});
        let long = "x".repeat(40_000);
        for _ in 0..3 {
            assert_eq!(offer(&outbox, &long), Ok(Offer::Taken));
        }
        assert_eq!(taken(&outbox).matches("\nend\n").count(), 2);
        assert_eq!(outbox.tuples_waiting(), 1);
    }

    #[test]
    fn a_child_that_never_reads_its_replies_fails() {
        let outbox = outbox(2, || {});
        let error = (0..100).find_map(|_| outbox.send(ToChild::TaskIds(&[4])).err());
        assert!(matches!(error, Some(Error::Deaf { limit: 100, .. })), "{error:?}");
        assert_eq!(outbox.failure(), error);
    }

    #[test]
    fn once_closed_everything_says_why() {
        let outbox = outbox(2, || {});
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
        let outbox = outbox(2, count);
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

    #[test]
    fn before_the_greeting_there_is_room_for_no_tuple() {
        let outbox = Outbox::new(100, Box::new(|| {}));
        assert_eq!(offer(&outbox, "1"), Ok(Offer::Full));
        assert!(!outbox.has_room());
        outbox.speak(Dialect::Json, 1);
        assert_eq!(offer(&outbox, "1"), Ok(Offer::Taken));
    }

    /// The headers of the frames that were taken.
    fn headers(outbox: &Outbox) -> Vec<String> {
        let mut out = Vec::new();
        assert!(outbox.take(&mut out));
        let (mut input, mut headers) = (out.as_slice(), Vec::new());
        while let Some((header, _)) = arrow::frame::read(&mut input, 1 << 20).unwrap() {
            headers.push(String::from_utf8(header).unwrap());
        }
        headers
    }

    #[test]
    fn in_arrow_what_waits_goes_together_once_the_child_asks_for_more() {
        let outbox = Outbox::new(100, Box::new(|| {}));
        outbox.speak(Dialect::Arrow, 10);
        let offer = |id: &str, task| {
            let tuple = ToChild::Tuple { id, comp: "c", stream: "s", task, values: &[Value::Null] };
            assert_eq!(outbox.offer(tuple, Duration::ZERO), Ok(Offer::Taken));
        };
        let header = |task, rows, ids: &str| {
            format!(r#"{{"command":"tuples","comp":"c","stream":"s","task":{task},"rows":{rows},"ids":{ids}}}"#)
        };
        offer("1", 4);
        assert_eq!(headers(&outbox), [header(4, 1, "[1]")]);
        offer("2", 4);
        assert_eq!(headers(&outbox), [header(4, 1, "[2]")]);
        [("3", 4), ("4", 5), ("5", 4), ("6", 4)].into_iter().for_each(|(id, task)| offer(id, task));
        outbox.send(ToChild::Heartbeat { id: "-7" }).unwrap();
        assert_eq!(headers(&outbox), [r#"{"command":"heartbeat"}"#], "two batches are unread");
        assert_eq!(outbox.tuples_waiting(), 4);
        outbox.more();
        assert_eq!(headers(&outbox), [header(4, 3, "[3,[5,6]]"), header(5, 1, "[4]")]);
    }
}
