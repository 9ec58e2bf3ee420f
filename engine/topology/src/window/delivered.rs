//! `Delivered`: which items of a session a fired window has held.
//!
//! Invariant: the ranges are ascending, not empty, and don't touch.

use std::ops::Range;

/// Places in a session, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Delivered(Vec<Range<u64>>);

impl Delivered {
    /// Those for which the flag is set, of all in order.
    pub fn of(flags: impl IntoIterator<Item = bool>) -> Delivered {
        let mut delivered = Delivered::default();
        for (place, flag) in (0..).zip(flags) {
            if flag {
                delivered.push(place..place + 1);
            }
        }
        delivered
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of a session of `len` items, all.
    pub fn set_all(&mut self, len: u64) {
        self.0.clear();
        self.push(0..len);
    }

    /// An item that none has held came at a place; those from there on have moved by one.
    pub fn insert(&mut self, place: u64) {
        let at = self.0.partition_point(|range| range.end <= place);
        let Some(range) = self.0.get_mut(at) else { return };
        let behind = if range.start < place {
            let split = place + 1..range.end + 1;
            range.end = place;
            self.0.insert(at + 1, split);
            at + 2
        } else {
            at
        };
        self.0[behind..].iter_mut().for_each(|range| *range = range.start + 1..range.end + 1);
    }

    /// A session with these of its items comes behind the `len` items of this one.
    pub fn append(&mut self, len: u64, later: Delivered) {
        later.0.into_iter().for_each(|range| self.push(range.start + len..range.end + len));
    }

    /// For each of a session's items in order, whether it is one.
    pub fn flags(&self) -> impl FnMut() -> bool {
        let (mut place, mut ranges) = (0, self.0.iter().peekable());
        move || {
            let at = place;
            place += 1;
            while ranges.next_if(|range| range.end <= at).is_some() {}
            ranges.peek().is_some_and(|range| range.contains(&at))
        }
    }

    /// Adds places behind all.
    fn push(&mut self, places: Range<u64>) {
        match self.0.last_mut() {
            _ if places.is_empty() => {}
            Some(last) if last.end == places.start => last.end = places.end,
            _ => self.0.push(places),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::EdgeIds;

    fn flags(delivered: &Delivered, len: usize) -> Vec<bool> {
        let mut flag = delivered.flags();
        (0..len).map(|_| flag()).collect()
    }

    #[test]
    fn it_is_what_a_flag_per_item_would_be() {
        for seed in 0..500 {
            let mut ids = EdgeIds::new(seed);
            let mut below = |end: usize| (ids.next() % end as u64) as usize;
            let (mut delivered, mut model) = (Delivered::default(), Vec::<bool>::new());
            for _ in 0..below(60) {
                match below(12) {
                    0 => {
                        delivered.set_all(model.len() as u64);
                        model.fill(true);
                    }
                    1 => {
                        let later: Vec<bool> = (0..below(8)).map(|_| below(2) == 0).collect();
                        delivered.append(model.len() as u64, Delivered::of(later.iter().copied()));
                        model.extend(later);
                    }
                    _ => {
                        let place = below(model.len() + 1);
                        delivered.insert(place as u64);
                        model.insert(place, false);
                    }
                }
                assert_eq!(flags(&delivered, model.len()), model, "seed {seed}");
                assert_eq!(delivered, Delivered::of(model.iter().copied()), "seed {seed}: {model:?}");
                assert_eq!(delivered.is_empty(), !model.contains(&true));
            }
        }
    }
}
