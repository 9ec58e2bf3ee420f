//! `MatchCounts`: how much matches each row (or each key), and which of them gained their first or lost their last match.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Signed counts by dense id, with the counts from before the delta at work.
#[derive(Debug, Default)]
pub(super) struct MatchCounts {
    counts: Vec<i64>,
    before: HashMap<u32, i64, ahash::RandomState>,
}

/// Ids whose count became positive, and ids whose count no longer is.
#[derive(Debug, Default)]
pub(super) struct Turned {
    pub(super) matched: Vec<u32>,
    pub(super) unmatched: Vec<u32>,
}

impl MatchCounts {
    pub(super) fn get(&self, id: u32) -> i64 {
        self.counts.get(id as usize).copied().unwrap_or(0)
    }

    /// Sets a count, outside of any delta.
    pub(super) fn set(&mut self, id: u32, count: i64) {
        *self.slot(id) = count;
    }

    /// Adds to a count, outside of any delta.
    pub(super) fn add(&mut self, id: u32, count: i64) {
        *self.slot(id) += count;
    }

    /// Adds to a count as part of the delta at work.
    pub(super) fn change(&mut self, id: u32, count: i64) {
        let slot = self.slot(id);
        let old = *slot;
        *slot += count;
        if let Entry::Vacant(place) = self.before.entry(id) {
            place.insert(old);
        }
    }

    /// Ends the delta at work.
    pub(super) fn turned(&mut self) -> Turned {
        let mut turned = Turned::default();
        for (id, old) in self.before.drain() {
            let new = self.counts[id as usize];
            match (old > 0, new > 0) {
                (false, true) => turned.matched.push(id),
                (true, false) => turned.unmatched.push(id),
                _ => {}
            }
        }
        // The output must not depend on the map's order.
        turned.matched.sort_unstable();
        turned.unmatched.sort_unstable();
        turned
    }

    pub(super) fn memory(&self) -> usize {
        8 * self.counts.capacity() + 24 * self.before.capacity()
    }

    fn slot(&mut self, id: u32) -> &mut i64 {
        let place = id as usize;
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        &mut self.counts[place]
    }
}
