//! `Mailbox`: what a child has said and its task hasn't taken yet.
//!
//! The child's reader puts in and waits for room; the task takes all there is and never waits. While the task's output is blocked it takes
//! nothing, so the reader stops reading, and the child stops when its pipe is full: back-pressure.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

use super::{Emit, Error, FromChild, Result};
use crate::{Value, Waker};

/// Messages that may wait.
const MESSAGES_MAX: usize = 1024;
/// And about how many bytes of them; a larger one gets in when nothing waits.
const BYTES_MAX: usize = 8 << 20;

/// What a child has said and its task hasn't taken yet.
pub(super) struct Mailbox {
    state: Mutex<State>,
    room: Condvar,
    waker: Waker,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Result<FromChild>>,
    bytes: usize,
    closed: bool,
}

impl Mailbox {
    /// Empty; the waker asks the task to take what comes.
    pub fn new(waker: Waker) -> Mailbox {
        Mailbox { state: Mutex::default(), room: Condvar::new(), waker }
    }

    /// Puts a message in as soon as there is room. A failure, the last there is, always gets in. [`Error::Killed`] once closed.
    pub fn put(&self, message: Result<FromChild>) -> Result<()> {
        let bytes = message.as_ref().map_or(0, weight);
        let mut state = self.state.lock();
        while !state.closed && message.is_ok() && !state.has_room(bytes) {
            self.room.wait(&mut state);
        }
        if state.closed {
            return Err(Error::Killed);
        }
        let was_empty = state.messages.is_empty();
        state.messages.push_back(message);
        state.bytes += bytes;
        drop(state);
        // The task takes all there is, so it needs to be asked for the first alone.
        if was_empty {
            self.waker.wake();
        }
        Ok(())
    }

    /// Takes all there is.
    pub fn take(&self, messages: &mut VecDeque<Result<FromChild>>) {
        let mut state = self.state.lock();
        messages.append(&mut state.messages);
        state.bytes = 0;
        self.room.notify_all();
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.state.lock().messages.is_empty()
    }

    /// Takes no more, and forgets what there is.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.messages = VecDeque::new();
        self.room.notify_all();
    }
}

impl State {
    fn has_room(&self, bytes: usize) -> bool {
        self.messages.is_empty() || (self.messages.len() < MESSAGES_MAX && self.bytes + bytes <= BYTES_MAX)
    }
}

/// About how many bytes a message takes.
fn weight(message: &FromChild) -> usize {
    let content = match message {
        FromChild::Emit(Emit { values, id, .. }) => values.iter().chain(id).map(bytes).sum(),
        FromChild::Log { message, .. } | FromChild::Error(message) | FromChild::Unknown(message) => message.len(),
        FromChild::Metrics { params, .. } => bytes(params),
        FromChild::Pid { .. } | FromChild::Ack(_) | FromChild::Fail(_) | FromChild::Sync | FromChild::More => 0,
    };
    size_of::<FromChild>() + content
}

/// About how many bytes a value takes.
pub(super) fn bytes(value: &Value) -> usize {
    let content = match value {
        Value::Text(text) => text.len(),
        Value::Bytes(content) => content.len(),
        Value::List(items) => items.iter().map(bytes).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| key.len() + bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Timestamp(_) => 0,
    };
    size_of::<Value>() + content
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::inbox::Signal;

    fn mailbox() -> Arc<Mailbox> {
        Arc::new(Mailbox::new(Waker::new(Signal::new())))
    }

    fn taken(mailbox: &Mailbox) -> Vec<Result<FromChild>> {
        let mut messages = VecDeque::new();
        mailbox.take(&mut messages);
        messages.into()
    }

    fn log(bytes: usize) -> Result<FromChild> {
        Ok(FromChild::Log { message: "x".repeat(bytes), level: super::super::Level::Info })
    }

    #[test]
    fn the_reader_waits_for_room_and_the_task_gets_all_in_order() {
        let mailbox = mailbox();
        let writer = mailbox.clone();
        let writer = std::thread::spawn(move || {
            (0..5000).try_for_each(|number: u32| writer.put(Ok(FromChild::Ack(number.to_string().into()))))
        });
        let mut next = 0;
        while next < 5000 {
            let messages = taken(&mailbox);
            assert!(messages.len() <= MESSAGES_MAX);
            for message in messages {
                assert_eq!(message, Ok(FromChild::Ack(next.to_string().into())));
                next += 1;
            }
        }
        assert_eq!(writer.join().unwrap(), Ok(()));
    }

    #[test]
    fn it_is_bounded_in_bytes_and_a_failure_gets_in_all_the_same() {
        let mailbox = mailbox();
        mailbox.put(log(BYTES_MAX)).unwrap();
        assert!(!mailbox.state.lock().has_room(1));
        mailbox.put(Err(Error::Killed)).unwrap();
        assert_eq!(taken(&mailbox).len(), 2);
        assert!(mailbox.is_empty());
        mailbox.put(log(2 * BYTES_MAX)).unwrap();
    }

    #[test]
    fn a_closed_one_lets_a_waiting_reader_go() {
        let mailbox = mailbox();
        mailbox.put(log(BYTES_MAX)).unwrap();
        let writer = mailbox.clone();
        let writer = std::thread::spawn(move || writer.put(log(BYTES_MAX)));
        mailbox.close();
        assert_eq!(writer.join().unwrap(), Err(Error::Killed));
        assert!(mailbox.is_empty());
    }
}
