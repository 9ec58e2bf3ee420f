//! `Inbox`: what waits for a task. Bounded in tuples; control messages are few and always get in.
//!
//! That acks always get in keeps the graph from deadlocking: a spout waits for room at a bolt, a bolt never waits for a spout. They are bounded
//! all the same, by the tuples that wait in the bounded inboxes of bolts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::message::{Acks, Control, Message};

/// Pauses of the processor before a thread sleeps: about half a microsecond, in which a busy neighbour often sends more. With more, threads that wait
/// take the time of those that work when cores are few.
const SPINS_MAX: u32 = 20;

/// Wakes one executor's thread.
#[derive(Debug)]
pub(crate) struct Signal {
    thread: Mutex<Option<Thread>>,
    raised: AtomicBool,
    parked: AtomicBool,
}

impl Signal {
    pub fn new() -> Arc<Signal> {
        Arc::new(Signal { thread: Mutex::new(None), raised: AtomicBool::new(false), parked: AtomicBool::new(false) })
    }

    /// The calling thread is the one to wake from now on.
    pub fn attach(&self) {
        *self.thread.lock() = Some(std::thread::current());
    }

    /// There is something to do.
    pub fn raise(&self) {
        if let Some(thread) = self.raise_quietly() {
            thread.unpark();
        }
    }

    /// Like `raise`, but leaves it to the caller to wake the thread, if it sleeps: outside of locks that the thread would run into.
    #[must_use]
    pub fn raise_quietly(&self) -> Option<Thread> {
        // Raised and not taken: whoever raised it wakes the thread, and the thread will look after it takes it.
        if self.raised.load(Ordering::SeqCst) {
            return None;
        }
        self.raised.store(true, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) { self.thread.lock().clone() } else { None }
    }

    /// Whether it was raised since the last call.
    pub fn take(&self) -> bool {
        self.raised.load(Ordering::Relaxed) && self.raised.swap(false, Ordering::SeqCst)
    }

    /// Waits actively for a moment. Returns whether it has been raised.
    pub fn spin(&self) -> bool {
        for _ in 0..SPINS_MAX {
            if self.raised.load(Ordering::Relaxed) {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    /// Sleeps until it is raised or the time has passed; `None` has no bound.
    pub fn wait(&self, longest: Option<Duration>) {
        self.parked.store(true, Ordering::SeqCst);
        if !self.raised.load(Ordering::SeqCst) {
            match longest {
                Some(longest) => std::thread::park_timeout(longest),
                None => std::thread::park(),
            }
        }
        self.parked.store(false, Ordering::SeqCst);
        self.take();
    }
}

#[derive(Debug, Default)]
struct Content {
    data: VecDeque<Message>,
    control: VecDeque<Control>,
    /// Tuples in `data`.
    tuples: usize,
    /// Executors that found it full.
    waiting: Vec<Arc<Signal>>,
    owner: Option<Arc<Signal>>,
    /// The task can't go on without acks.
    awaits_acks: bool,
}

/// What waits for a task.
#[derive(Debug)]
pub(crate) struct Inbox {
    content: Mutex<Content>,
    capacity: usize,
    /// `Content::tuples`, for those who only want to know how full it is.
    tuples: AtomicUsize,
    /// Whether there is anything to take.
    filled: AtomicBool,
    /// What other threads have asked the task to do, and hasn't been done: it waits elsewhere, and is counted here so that the task is seen to
    /// have something to do.
    asked: AtomicUsize,
}

impl Inbox {
    /// With room for this many tuples. A batch larger than that gets in when nothing waits.
    pub fn new(capacity: usize) -> Inbox {
        let content = Mutex::new(Content::default());
        Inbox {
            content,
            capacity,
            tuples: AtomicUsize::new(0),
            filled: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        }
    }

    /// The executor that its task runs on.
    pub fn set_owner(&self, owner: &Arc<Signal>) {
        self.content.lock().owner = Some(owner.clone());
        owner.raise();
    }

    /// Puts a message in, or gives it back when it is full; then `sender` is woken when there is room.
    pub fn offer(&self, message: Message, sender: Option<&Arc<Signal>>) -> Result<(), Message> {
        let tuples = message.tuples();
        let mut content = self.content.lock();
        if content.tuples > 0 && content.tuples + tuples > self.capacity {
            if let Some(sender) = sender
                && !content.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, sender))
            {
                content.waiting.push(sender.clone());
            }
            return Err(message);
        }
        self.put(content, message, tuples);
        Ok(())
    }

    /// Puts a message in although it may be full: on the edges of a cycle, where waiting could be for ever.
    pub fn force(&self, message: Message) {
        let tuples = message.tuples();
        self.put(self.content.lock(), message, tuples);
    }

    fn put(&self, mut content: MutexGuard<'_, Content>, message: Message, tuples: usize) {
        content.data.push_back(message);
        content.tuples += tuples;
        self.tuples.store(content.tuples, Ordering::Relaxed);
        self.fill(content);
    }

    /// Another thread asks the task to do something.
    pub fn note_asked(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
    }

    /// The task has done so much of that, and has told what it has to do because of it.
    pub fn note_answered(&self, count: usize) {
        self.asked.fetch_sub(count, Ordering::SeqCst);
    }

    /// Whether other threads wait for it to do something.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 0
    }

    /// Puts a control message in.
    pub fn control(&self, control: Control) {
        let mut content = self.content.lock();
        content.control.push_back(control);
        self.fill(content);
    }

    /// Puts acks in. They wake the task only if it waits for them: a spout that emits looks soon enough, and a wake-up costs both sides more than
    /// an ack does.
    pub fn acks(&self, acks: Acks) {
        let mut content = self.content.lock();
        content.control.push_back(Control::Acks(acks));
        match content.awaits_acks {
            true => self.fill(content),
            false => self.filled.store(true, Ordering::SeqCst),
        }
    }

    /// Whether its task can't go on without acks. Returns whether there is something to take.
    pub fn await_acks(&self, awaits: bool) -> bool {
        self.content.lock().awaits_acks = awaits;
        !self.is_empty()
    }

    fn fill(&self, content: MutexGuard<'_, Content>) {
        // Only written under the lock.
        if !self.filled.load(Ordering::Relaxed) {
            self.filled.store(true, Ordering::SeqCst);
        }
        let asleep = content.owner.as_ref().and_then(|owner| owner.raise_quietly());
        drop(content);
        if let Some(thread) = asleep {
            thread.unpark();
        }
    }

    /// Takes everything that waits.
    pub fn take(&self, data: &mut VecDeque<Message>, control: &mut VecDeque<Control>) {
        if !self.filled.load(Ordering::SeqCst) {
            return;
        }
        let mut content = self.content.lock();
        self.filled.store(false, Ordering::SeqCst);
        if data.is_empty() {
            std::mem::swap(data, &mut content.data);
        } else {
            data.append(&mut content.data);
        }
        control.append(&mut content.control);
        content.tuples = 0;
        self.tuples.store(0, Ordering::Relaxed);
        let waiting = std::mem::take(&mut content.waiting);
        drop(content);
        waiting.iter().for_each(|sender| sender.raise());
    }

    /// Takes the control messages that wait.
    pub fn take_control(&self, control: &mut VecDeque<Control>) {
        if self.filled.load(Ordering::SeqCst) {
            control.append(&mut self.content.lock().control);
        }
    }

    /// Tuples there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// How full it is: 0 empty, 1 full.
    pub fn load(&self) -> f64 {
        self.tuples.load(Ordering::Relaxed) as f64 / self.capacity as f64
    }

    /// Whether nothing waits, control messages included.
    pub fn is_empty(&self) -> bool {
        !self.filled.load(Ordering::SeqCst)
    }

    /// Tuples that wait.
    pub fn len(&self) -> usize {
        self.tuples.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::TaskId;
    use crate::tuple::TupleBatch;

    fn batch(stream: u32, len: usize) -> Message {
        Message::Tuples(TupleBatch { stream, source: TaskId(1), arity: 0, len, values: vec![], anchors: vec![] })
    }

    #[test]
    fn a16_it_takes_exactly_its_capacity_and_then_refuses() {
        let inbox = Inbox::new(64);
        assert!((0..64).all(|_| inbox.offer(batch(0, 1), None).is_ok()));
        assert!(inbox.offer(batch(0, 1), None).is_err());
        assert_eq!(inbox.load(), 1.0);
        inbox.take(&mut VecDeque::new(), &mut VecDeque::new());
        assert_eq!(inbox.load(), 0.0);
        assert!(inbox.offer(batch(0, 1), None).is_ok());
    }

    #[test]
    fn a16_a_refused_sender_is_woken_when_there_is_room() {
        let inbox = Inbox::new(1);
        let sender = Signal::new();
        inbox.offer(batch(0, 1), Some(&sender)).unwrap();
        inbox.offer(batch(0, 1), Some(&sender)).unwrap_err();
        assert!(!sender.take());
        inbox.take(&mut VecDeque::new(), &mut VecDeque::new());
        assert!(sender.take());
    }

    #[test]
    fn a17_what_one_sender_puts_in_comes_out_in_order() {
        let inbox = Arc::new(Inbox::new(100));
        let threads: Vec<_> = (0..4)
            .map(|sender| {
                let inbox = inbox.clone();
                std::thread::spawn(move || {
                    for number in 0..1000 {
                        let mut message = batch(sender * 1000 + number, 1);
                        while let Err(refused) = inbox.offer(message, None) {
                            message = refused;
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut next = [0; 4];
        let mut data = VecDeque::new();
        while next.iter().sum::<u32>() < 4000 {
            inbox.take(&mut data, &mut VecDeque::new());
            for message in data.drain(..) {
                let Message::Tuples(batch) = message else { unreachable!("only batches were sent") };
                let sender = (batch.stream / 1000) as usize;
                assert_eq!(batch.stream % 1000, next[sender]);
                next[sender] += 1;
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
