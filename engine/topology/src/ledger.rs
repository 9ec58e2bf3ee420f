//! `Ledger`: the open roots of one spout task, and the XOR of what each has heard.
//!
//! Spouts are their own ackers. Storm's separate acker costs two more messages per root and a hash table; here roots are numbered in
//! order, so the ledger is an array of pages, and a page goes when all of its roots are done. Pure: no clock, no messages.
//!
//! Invariants:
//! - every root opened is returned exactly once: by `seal`, `apply`, `fail`, `rotate` or `drain`;
//! - what arrives for a root that is done has no effect, however late;
//! - with no open roots one page is kept at most: the one that the next roots go to.

use std::collections::{HashMap, VecDeque};

use crate::Value;
use crate::clock::Moment;

const PAGE_ROOTS: usize = 512;

/// A root that is done: its message id, and when it was emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub id: Value,
    pub emitted_at: Moment,
}

#[derive(Debug, Default)]
struct Entry {
    /// XOR of the edge ids heard of.
    sum: u64,
    /// `None`: done, or not yet opened.
    root: Option<Done>,
}

#[derive(Debug)]
struct Page {
    entries: Box<[Entry]>,
    open: usize,
}

/// The open roots of one spout task.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The page of roots `first_page * PAGE_ROOTS..` and those after it; `None` where all roots are done.
    pages: VecDeque<Option<Box<Page>>>,
    first_page: u64,
    next: u64,
    open: usize,
    /// Roots below it were emitted before the rotation before the last.
    expire_below: u64,
    /// Roots below it were emitted before the last rotation.
    rotated_at: u64,
    rotations: u64,
    /// Root -> the rotation in which its time was reset.
    resets: HashMap<u64, u64>,
}

impl Ledger {
    /// How many roots are open.
    pub fn open_roots(&self) -> usize {
        self.open
    }

    /// The number that the next root gets.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Opens a root whose first edges XOR to `sum`. Returns it when it has no edge: then it is done.
    pub fn seal(&mut self, sum: u64, edges: usize, done: Done) -> Option<Done> {
        let number = self.next;
        self.next += 1;
        self.leave_pages_before(number / PAGE_ROOTS as u64);
        if edges == 0 {
            return Some(done);
        }
        let place = (number / PAGE_ROOTS as u64 - self.first_page) as usize;
        while self.pages.len() <= place {
            self.pages.push_back(None);
        }
        let page = self.pages[place].get_or_insert_with(Page::empty);
        page.entries[number as usize % PAGE_ROOTS] = Entry { sum, root: Some(done) };
        page.open += 1;
        self.open += 1;
        None
    }

    /// Adds what an ack tells. Returns the root when its tree is complete.
    pub fn apply(&mut self, number: u64, sum: u64) -> Option<Done> {
        let entry = self.entry(number)?;
        entry.sum ^= sum;
        if entry.sum != 0 || entry.root.is_none() {
            return None;
        }
        self.close(number)
    }

    /// Fails a root. Returns it if it was open.
    pub fn fail(&mut self, number: u64) -> Option<Done> {
        self.close(number)
    }

    /// Begins the time of a root anew.
    pub fn reset(&mut self, number: u64) {
        if self.entry(number).is_some_and(|entry| entry.root.is_some()) {
            self.resets.insert(number, self.rotations);
        }
    }

    /// Called once per message time-out: returns the roots that were open through a whole one. With rotations a time-out apart a root expires
    /// between one and two time-outs after it was emitted or reset, as in Storm.
    pub fn rotate(&mut self) -> Vec<Done> {
        self.expire_below = self.rotated_at;
        self.rotated_at = self.next;
        self.rotations += 1;
        let expired: Vec<u64> =
            self.open_below(self.expire_below).filter(|&number| !self.reset_lately(number)).collect();
        expired.into_iter().filter_map(|number| self.close(number)).collect()
    }

    /// Gives up every open root, oldest first. The next number isn't used: a spout that panicked while it emitted may have sent copies of a
    /// tuple whose root was never opened.
    pub fn drain(&mut self) -> Vec<Done> {
        self.next += 1;
        let open: Vec<u64> = self.open_below(self.next).collect();
        open.into_iter().filter_map(|number| self.close(number)).collect()
    }

    /// Pages held.
    #[cfg(test)]
    pub fn pages(&self) -> usize {
        self.pages.iter().flatten().count()
    }

    /// Roots whose time was reset.
    #[cfg(test)]
    pub fn resets(&self) -> usize {
        self.resets.len()
    }

    /// The open roots below `bound`, oldest first.
    fn open_below(&self, bound: u64) -> impl Iterator<Item = u64> {
        let first = |place: usize| (self.first_page + place as u64) * PAGE_ROOTS as u64;
        let pages = self.pages.iter().enumerate().filter_map(move |(place, page)| Some((first(place), page.as_ref()?)));
        let pages = pages.take_while(move |(first, _)| *first < bound);
        let numbers = pages.flat_map(|(first, page)| {
            page.entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.root.is_some())
                .map(move |(place, _)| first + place as u64)
        });
        numbers.take_while(move |number| *number < bound)
    }

    fn reset_lately(&self, number: u64) -> bool {
        self.resets.get(&number).is_some_and(|&reset| reset + 1 >= self.rotations)
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let place = (number / PAGE_ROOTS as u64).checked_sub(self.first_page)? as usize;
        let page = self.pages.get_mut(place)?.as_mut()?;
        Some(&mut page.entries[number as usize % PAGE_ROOTS])
    }

    fn close(&mut self, number: u64) -> Option<Done> {
        let place = (number / PAGE_ROOTS as u64).checked_sub(self.first_page)? as usize;
        let page = self.pages.get_mut(place)?.as_mut()?;
        let done = page.entries[number as usize % PAGE_ROOTS].root.take()?;
        page.open -= 1;
        self.open -= 1;
        if !self.resets.is_empty() {
            self.resets.remove(&number);
        }
        if self.pages[place].as_ref().is_some_and(|page| page.open == 0) {
            self.release(place);
        }
        Some(done)
    }

    /// The next roots go to this page: the one that they went to until now may be free already.
    fn leave_pages_before(&mut self, page: u64) {
        if let Some(last) = self.pages.len().checked_sub(1)
            && self.first_page + (last as u64) < page
        {
            self.release(last);
        }
        if self.pages.is_empty() {
            self.first_page = page;
        }
    }

    /// Frees a page without open roots, unless the next roots go to it.
    fn release(&mut self, place: usize) {
        let in_use = self.next / PAGE_ROOTS as u64 == self.first_page + place as u64;
        if in_use || self.pages[place].as_ref().is_some_and(|page| page.open > 0) {
            return;
        }
        self.pages[place] = None;
        while let Some(None) = self.pages.front() {
            self.pages.pop_front();
            self.first_page += 1;
        }
    }
}

impl Page {
    fn empty() -> Box<Page> {
        let entries = std::iter::repeat_with(Entry::default).take(PAGE_ROOTS).collect();
        Box::new(Page { entries, open: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(id: i64) -> Done {
        Done { id: Value::Int(id), emitted_at: Moment(0) }
    }

    fn ids(done: impl IntoIterator<Item = Done>) -> Vec<i64> {
        done.into_iter().map(|done| done.id.as_int().unwrap()).collect()
    }

    #[test]
    fn a_tree_is_complete_when_every_edge_was_told_twice() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.seal(0b11, 2, root(1)), None);
        assert_eq!(ledger.apply(0, 0b01 ^ 0b100), None);
        assert_eq!(ledger.apply(0, 0b100), None);
        assert_eq!(ids(ledger.apply(0, 0b10)), [1]);
        assert_eq!(ledger.apply(0, 0b10), None);
        assert_eq!(ledger.fail(0), None);
    }

    #[test]
    fn a_root_that_nobody_reads_is_done_at_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ids(ledger.seal(0, 0, root(1))), [1]);
        assert_eq!(ledger.open_roots(), 0);
    }

    #[test]
    fn a_root_expires_between_one_and_two_rotations() {
        let mut ledger = Ledger::default();
        ledger.seal(1, 1, root(1));
        assert!(ids(ledger.rotate()).is_empty());
        ledger.seal(1, 1, root(2));
        assert_eq!(ids(ledger.rotate()), [1]);
        assert_eq!(ids(ledger.rotate()), [2]);
    }

    #[test]
    fn a_reset_begins_the_time_anew() {
        let mut ledger = Ledger::default();
        ledger.seal(1, 1, root(1));
        ledger.rotate();
        ledger.reset(0);
        assert!(ids(ledger.rotate()).is_empty());
        assert_eq!(ids(ledger.rotate()), [1]);
        assert!(ids(ledger.rotate()).is_empty());
    }

    #[test]
    fn memory_follows_open_roots_not_their_numbers() {
        let mut ledger = Ledger::default();
        ledger.seal(1, 1, root(0));
        for number in 1..1_000_000 {
            ledger.seal(1, 1, root(number));
            assert!(ledger.apply(number as u64, 1).is_some());
        }
        assert!(ledger.pages() <= 2, "the oldest root's page, and the one in use");
        assert_eq!(ids(ledger.drain()), [0]);
        assert!(ledger.pages() <= 1);
    }

    #[test]
    fn a_root_without_edges_on_the_border_of_pages_keeps_no_page() {
        let mut ledger = Ledger::default();
        for number in 0..20 * PAGE_ROOTS as u64 {
            let edges = usize::from(number % PAGE_ROOTS as u64 != 0);
            ledger.seal(1, edges, root(1));
            ledger.apply(number, 1);
        }
        assert!(ledger.pages() <= 1, "{} pages", ledger.pages());
    }

    #[test]
    fn every_root_is_returned_exactly_once() {
        let mut random = crate::anchor::EdgeIds::new(1);
        let mut ledger = Ledger::default();
        let mut returned = vec![0; 20_000];
        let mut opened = 0;
        while opened < returned.len() {
            let some = random.next() % (opened as u64 + 1);
            let done = match random.next() % 16 {
                0..8 => {
                    opened += 1;
                    ledger.seal(7, 1, root(opened as i64 - 1)).into_iter().collect()
                }
                8..14 => ledger.apply(some, 7).into_iter().collect(),
                14 => ledger.fail(some).into_iter().collect(),
                _ if random.next().is_multiple_of(1000) => ledger.rotate(),
                _ => Vec::new(),
            };
            ids(done).into_iter().for_each(|id| returned[id as usize] += 1);
        }
        ids(ledger.drain()).into_iter().for_each(|id| returned[id as usize] += 1);
        assert!(returned.iter().all(|&times| times == 1));
        assert!(ledger.open_roots() == 0 && ledger.pages() <= 1);
    }
}
