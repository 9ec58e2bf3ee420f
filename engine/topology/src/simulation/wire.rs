//! `ChaosWire`: delivers, delays, refuses and loses messages by chance. Tuples of one sender to one receiver stay in order; acks don't.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::random::Random;
use crate::inbox::Signal;
use crate::message::{Acks, Message};
use crate::stream::TaskId;
use crate::wire::{Inboxes, Wire};

/// Tuples under way between two tasks before the sender has to wait.
const LANE_TUPLES_MAX: usize = 64;

/// How often something goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub lost_tuples: u32,
    pub lost_acks: u32,
    /// The receiver is said to be full though it isn't.
    pub refused: u32,
}

/// What is under way from one task to another.
struct Lane {
    from: TaskId,
    to: TaskId,
    messages: VecDeque<(Message, Room)>,
}

/// Whether a message waits for room at the receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Needed,
    Forced,
}

#[derive(Default)]
struct Underway {
    lanes: Vec<Lane>,
    acks: Vec<(usize, Acks)>,
}

/// Delivers, delays, refuses and loses messages by chance.
pub(super) struct ChaosWire {
    inboxes: Arc<Inboxes>,
    random: Random,
    faults: Mutex<Faults>,
    underway: Mutex<Underway>,
}

impl ChaosWire {
    pub fn new(inboxes: Arc<Inboxes>, random: Random, faults: Faults) -> ChaosWire {
        ChaosWire { inboxes, random, faults: Mutex::new(faults), underway: Mutex::default() }
    }

    pub fn set_faults(&self, faults: Faults) {
        *self.faults.lock() = faults;
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        let underway = self.underway.lock();
        underway.acks.is_empty() && underway.lanes.iter().all(|lane| lane.messages.is_empty())
    }

    /// Delivers one message, if any is under way and its receiver has room.
    pub fn deliver_one(&self) {
        let mut underway = self.underway.lock();
        let lanes: Vec<usize> = (0..underway.lanes.len()).filter(|&l| !underway.lanes[l].messages.is_empty()).collect();
        let choices = lanes.len() + underway.acks.len().min(4);
        if choices == 0 {
            return;
        }
        match lanes.get(self.random.below(choices)) {
            Some(&lane) => drop(self.deliver(&mut underway.lanes[lane])),
            None => {
                let some = self.random.below(underway.acks.len());
                let (spout, acks) = underway.acks.swap_remove(some);
                self.inboxes.ack(spout, acks);
            }
        }
    }

    /// Delivers everything for which there is room.
    pub fn deliver_all(&self) {
        let mut underway = self.underway.lock();
        underway.acks.drain(..).for_each(|(spout, acks)| self.inboxes.ack(spout, acks));
        for lane in &mut underway.lanes {
            while self.deliver(lane) {}
        }
    }

    /// Delivers the first message of a lane. Returns whether there was one, and room for it.
    fn deliver(&self, lane: &mut Lane) -> bool {
        let Some((message, room)) = lane.messages.pop_front() else { return false };
        if room == Room::Forced {
            self.inboxes.force(lane.to, message);
            return true;
        }
        let refused = self.inboxes.inbox(lane.to).offer(message, None);
        refused.map_err(|message| lane.messages.push_front((message, room))).is_ok()
    }

    fn put(&self, to: TaskId, message: Message, room: Room) -> Result<(), Message> {
        let faults = *self.faults.lock();
        let from = match &message {
            Message::Tuples(batch) => batch.source,
            Message::Barrier { source, .. } => *source,
        };
        let mut underway = self.underway.lock();
        let known = underway.lanes.iter().position(|lane| (lane.from, lane.to) == (from, to));
        let lane = known.unwrap_or_else(|| {
            underway.lanes.push(Lane { from, to, messages: VecDeque::new() });
            underway.lanes.len() - 1
        });
        let lane = &mut underway.lanes[lane];
        let waiting: usize = lane.messages.iter().map(|(message, _)| message.tuples()).sum();
        let full = waiting > 0 && waiting + message.tuples() > LANE_TUPLES_MAX;
        if room == Room::Needed && (full || self.random.chance(faults.refused)) {
            return Err(message);
        }
        if self.random.chance(faults.lost_tuples) {
            return Ok(());
        }
        lane.messages.push_back((message, room));
        if self.random.chance(300) {
            self.deliver(lane);
        }
        Ok(())
    }
}

impl Wire for ChaosWire {
    fn offer(&self, target: TaskId, message: Message, _: &Arc<Signal>) -> Result<(), Message> {
        self.put(target, message, Room::Needed)
    }

    fn force(&self, target: TaskId, message: Message) {
        let forced = self.put(target, message, Room::Forced);
        debug_assert!(forced.is_ok(), "what is forced is never refused");
    }

    fn ack(&self, spout: usize, acks: Acks) {
        let faults = *self.faults.lock();
        if self.random.chance(faults.lost_acks) {
            return;
        }
        self.underway.lock().acks.push((spout, acks));
    }

    fn load(&self, task: TaskId) -> f64 {
        self.inboxes.load(task)
    }
}
