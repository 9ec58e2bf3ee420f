//! `Residents`: of which keys items are in memory, and whose were not used for longest.
//!
//! Pure: it is told how many items each key has in memory, and says whose are to leave.

use std::collections::{BTreeMap, HashMap};

/// The keys that have items in memory.
#[derive(Default)]
pub(super) struct Residents {
    /// Of each such key, by number, when its items changed last and how many they are.
    by_key: HashMap<u64, (u64, usize)>,
    by_turn: BTreeMap<u64, u64>,
    turn_next: u64,
    items: usize,
}

impl Residents {
    /// A key has so many items in memory. If that has changed it is the one used last.
    pub fn note(&mut self, key: u64, items: usize) {
        if let Some(&(turn, before)) = self.by_key.get(&key) {
            if before == items {
                return;
            }
            self.items -= before;
            self.by_turn.remove(&turn);
            self.by_key.remove(&key);
        }
        if items > 0 {
            self.items += items;
            self.by_turn.insert(self.turn_next, key);
            self.by_key.insert(key, (self.turn_next, items));
            self.turn_next += 1;
        }
    }

    /// Items in memory, of all keys.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The key that was not used for longest, but for one.
    pub fn oldest_but(&self, key: u64) -> Option<u64> {
        self.by_turn.values().copied().find(|oldest| *oldest != key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_who_changed_longest_ago() {
        let mut residents = Residents::default();
        [(1, 5), (2, 7), (3, 1), (1, 6), (2, 7)].into_iter().for_each(|(key, items)| residents.note(key, items));
        assert_eq!((residents.items(), residents.oldest_but(9), residents.oldest_but(2)), (14, Some(2), Some(3)));
        residents.note(2, 0);
        assert_eq!((residents.items(), residents.oldest_but(3)), (7, Some(1)));
        [1, 3, 3].into_iter().for_each(|key| residents.note(key, 0));
        assert_eq!((residents.items(), residents.oldest_but(9)), (0, None));
    }
}
