//! `HeldAnchors`: the anchors of the tuples that windows hold, by their numbers.
//!
//! A tuple can be in several windows and in a file at the same time, but its anchor gathers the edges of all that is emitted for it: there is one,
//! and it is here. Only tuples that are in a tree have one.
//!
//! While a tuple waits in a window its message time-out is begun anew, three times per time-out: a root that is reset in every time-out never
//! expires, so windows may be longer than the time-out. Tuples that are younger than a third of it aren't reset: short windows cost nothing.

use std::collections::HashMap;
use std::time::Duration;

use super::item::Item;
use crate::anchor::{Anchor, Anchors};
use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::tuple::Tuple;

/// Resets per message time-out. With two, one that comes a little late could miss the time-out.
const RESETS_PER_TIMEOUT: u32 = 3;

/// The anchors of the tuples that windows hold.
#[derive(Default)]
pub(super) struct HeldAnchors {
    by_number: HashMap<u64, Anchor>,
    /// `None`: tuples don't time out.
    reset_interval: Option<Duration>,
    next_reset: Option<Moment>,
    /// Numbers below it were held at the last reset.
    older_below: u64,
}

/// One tuple, which has an anchor if it is in a tree.
struct One<'a>(Option<&'a Anchor>);

impl Anchors for One<'_> {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        self.0.into_iter().for_each(visit);
    }

    fn count(&self) -> usize {
        1
    }
}

/// The anchors of a window's tuples.
#[derive(Clone, Copy)]
pub(super) struct WindowAnchors<'a> {
    pub items: &'a [Item],
    pub held: &'a HeldAnchors,
}

impl Anchors for WindowAnchors<'_> {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        if !self.held.by_number.is_empty() {
            self.items.iter().filter_map(|item| self.held.by_number.get(&item.number)).for_each(visit);
        }
    }

    fn count(&self) -> usize {
        self.items.len()
    }
}

impl HeldAnchors {
    /// None yet.
    pub fn new(message_timeout: Option<Duration>) -> HeldAnchors {
        let reset_interval = message_timeout.map(|timeout| timeout / RESETS_PER_TIMEOUT);
        HeldAnchors { reset_interval, ..HeldAnchors::default() }
    }

    /// Takes a tuple's anchor.
    pub fn hold(&mut self, number: u64, tuple: &Tuple<'_>, now: Moment) {
        let Some(anchor) = tuple.anchor().filter(|anchor| anchor.is_tracked()) else { return };
        self.by_number.insert(number, anchor.moved());
        if let (None, Some(interval)) = (self.next_reset, self.reset_interval) {
            self.next_reset = Some(now.after(interval));
        }
    }

    /// Acks a tuple that has left. Without effect on the trees of one that has failed.
    pub fn ack(&mut self, number: u64, collector: &mut BoltCollector) {
        let anchor = self.by_number.remove(&number);
        collector.ack(One(anchor.as_ref()));
    }

    /// Fails every tuple that is held.
    pub fn fail_all(&mut self, collector: &mut BoltCollector) {
        self.by_number.drain().for_each(|(_, anchor)| collector.fail(One(Some(&anchor))));
    }

    /// Begins the time-outs of the older tuples anew, when it is time. `number_next`: the number the next tuple gets.
    pub fn poll(&mut self, now: Moment, number_next: u64, collector: &mut BoltCollector) {
        let (Some(due), Some(interval)) = (self.next_reset, self.reset_interval) else { return };
        if now < due {
            return;
        }
        let older = self.by_number.iter().filter(|(number, _)| **number < self.older_below);
        older.for_each(|(_, anchor)| collector.reset_timeout(One(Some(anchor))));
        self.older_below = number_next;
        self.next_reset = (!self.by_number.is_empty()).then(|| now.after(interval));
    }

    /// When [`HeldAnchors::poll`] is to be called.
    pub fn next_poll(&self) -> Option<Moment> {
        self.next_reset
    }
}
