//! `WindowsByKey`: windows of their own for each key; without key fields there is one key, of no values.
//!
//! Invariants:
//! - In event time all keys have heard of the same watermark.
//! - `timers` holds, of each key that has one, the time at which it must be called.
//! - With a bound on items in memory no more are there after a call, but for those of the key at hand; the keys that were not used for longest
//!   have theirs in pages.
//! - A key without tuples is forgotten where a new one in its place would fire the same windows; its number isn't used again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::content::{Added, Content};
use super::item::Item;
use super::journal::Journal;
use super::residents::Residents;
use super::spill::{SpillDirectory, SpillPages};
use super::window::Shape;
use crate::window::{FiredWindow, WindowQueue, WindowTime};
use crate::{Result, Value};

/// The windows of one key.
pub(super) struct Entry {
    pub key: Arc<[Value]>,
    pub content: Content,
    /// Its timer.
    due: Option<i64>,
}

/// What windows have brought about, until it is taken.
#[derive(Default)]
pub(super) struct Outcomes {
    /// Windows to hand over, each with its key.
    pub fired: Vec<(Arc<[Value]>, FiredWindow<Item>)>,
    /// Numbers of items that have left.
    pub left: Vec<u64>,
    /// Where state is exactly once: what has changed since the last checkpoint.
    pub journal: Option<Journal>,
    timers: BTreeSet<(i64, u64)>,
}

/// The windows of all keys of a task.
pub(super) struct WindowsByKey {
    pub shape: Shape,
    pub time: WindowTime,
    /// Where pages go, and how many items stay in memory.
    spill: Option<(Arc<SpillDirectory>, usize)>,
    residents: Residents,
    keyed: bool,
    ids: HashMap<Arc<[Value]>, u64>,
    entries: BTreeMap<u64, Entry>,
    id_next: u64,
    watermark: Option<i64>,
    pub outcomes: Outcomes,
    scratch: Vec<FiredWindow<Item>>,
}

impl WindowsByKey {
    /// Without items.
    pub fn new(
        shape: Shape,
        time: WindowTime,
        keyed: bool,
        spill: Option<(Arc<SpillDirectory>, usize)>,
        journal: Option<Journal>,
    ) -> WindowsByKey {
        WindowsByKey {
            shape,
            time,
            spill,
            residents: Residents::default(),
            keyed,
            ids: HashMap::new(),
            entries: BTreeMap::new(),
            id_next: 0,
            watermark: None,
            outcomes: Outcomes { journal, ..Outcomes::default() },
            scratch: Vec::new(),
        }
    }

    /// Adds an item to the windows of a key. After an error the content is undefined.
    pub fn add(&mut self, key: &[Value], item: Item, ts: i64) -> Result<Added> {
        let id = match self.ids.get(key) {
            Some(&id) => id,
            None => self.begin(key.into())?,
        };
        let WindowsByKey { entries, outcomes, scratch, time, .. } = self;
        let entry = entries.get_mut(&id).expect("every id is that of an entry");
        let kept = outcomes.journal.is_some().then(|| item.clone());
        let added = entry.content.add(item, ts, *time, scratch)?;
        if let (Some(journal), Added::At(ts), Some(item)) = (&mut outcomes.journal, &added, kept) {
            journal.note_added(id, *ts, item);
        }
        outcomes.take_from(id, entry, scratch);
        self.settle(id)?;
        Ok(added)
    }

    /// Event time has come to `ts`. What that brings about is handed out after each key: all keys' windows need not be in memory at once. After an
    /// error the content is undefined.
    pub fn on_watermark(&mut self, ts: i64, hand_out: &mut dyn FnMut(&mut Outcomes)) -> Result<()> {
        self.watermark = Some(ts);
        let mut from = Bound::Unbounded;
        // Each key anew: while it is worked on others may give their items up.
        while let Some((&id, entry)) = self.entries.range_mut((from, Bound::Unbounded)).next() {
            entry.content.on_watermark(ts, &mut self.scratch)?;
            self.outcomes.take_from(id, entry, &mut self.scratch);
            hand_out(&mut self.outcomes);
            self.settle(id)?;
            from = Bound::Excluded(id);
        }
        Ok(())
    }

    /// It is `now_ms`. Hands out as [`WindowsByKey::on_watermark`]. After an error the content is undefined.
    pub fn on_time(&mut self, now_ms: i64, hand_out: &mut dyn FnMut(&mut Outcomes)) -> Result<()> {
        while let Some(&(_, id)) = self.outcomes.timers.first().filter(|(due, _)| *due <= now_ms) {
            let entry = self.entries.get_mut(&id).expect("a forgotten key has no timer");
            entry.content.on_time(now_ms, &mut self.scratch)?;
            self.outcomes.take_from(id, entry, &mut self.scratch);
            hand_out(&mut self.outcomes);
            self.settle(id)?;
        }
        Ok(())
    }

    /// When [`WindowsByKey::on_time`] must be called, if at all.
    pub fn next_fire(&self) -> Option<i64> {
        self.outcomes.timers.first().map(|(due, _)| *due)
    }

    /// The watermark that all keys have heard of.
    pub fn watermark(&self) -> Option<i64> {
        self.watermark
    }

    /// The number that the next key gets.
    pub fn id_next(&self) -> u64 {
        self.id_next
    }

    /// The keys, by number.
    pub fn entries(&self) -> &BTreeMap<u64, Entry> {
        &self.entries
    }

    /// Forgets everything that is held.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.ids.clear();
        self.scratch.clear();
        self.residents = Residents::default();
        self.outcomes = Outcomes { journal: self.outcomes.journal.take(), ..Outcomes::default() };
    }

    /// An empty queue for the windows of a key.
    pub fn queue(&self, id: u64) -> WindowQueue<Item> {
        match &self.spill {
            None => WindowQueue::in_memory(),
            Some((directory, items)) => WindowQueue::paged(Box::new(SpillPages::new(directory.clone(), id)), *items),
        }
    }

    /// Begins with the next numbers and the watermark of a checkpoint; the keys follow.
    pub fn restore(&mut self, id_next: u64, watermark: Option<i64>) {
        (self.id_next, self.watermark) = (id_next, watermark);
    }

    /// Takes over the windows of a key from a checkpoint, and tells them of the watermark: since they changed last it may have grown.
    pub fn restore_key(&mut self, id: u64, key: Arc<[Value]>, content: Content) -> Result<()> {
        self.ids.insert(key.clone(), id);
        self.insert(id, key, content)
    }

    /// Begins the windows of a key.
    fn begin(&mut self, key: Arc<[Value]>) -> Result<u64> {
        let id = self.id_next;
        self.id_next += 1;
        let content = Content::new(self.shape, self.time, self.queue(id))?;
        self.ids.insert(key.clone(), id);
        self.insert(id, key, content)?;
        Ok(id)
    }

    fn insert(&mut self, id: u64, key: Arc<[Value]>, content: Content) -> Result<()> {
        let entry = self.entries.entry(id).insert_entry(Entry { key, content, due: None }).into_mut();
        if let Some(watermark) = self.watermark {
            entry.content.on_watermark(watermark, &mut self.scratch)?;
        }
        self.outcomes.take_from(id, entry, &mut self.scratch);
        self.make_room(id)
    }

    /// After a change of a key: forgets it if it can be, and otherwise makes room for it.
    fn settle(&mut self, id: u64) -> Result<()> {
        self.forget_if_replaceable(id);
        self.make_room(id)
    }

    /// Sends items of other keys than `id` to their pages until memory is within its bound. The key's own queue keeps to the bound too.
    fn make_room(&mut self, id: u64) -> Result<()> {
        let Some((_, items_max)) = self.spill else { return Ok(()) };
        let items = self.entries.get(&id).map_or(0, |entry| entry.content.items_in_memory());
        self.residents.note(id, items);
        while self.residents.items() > items_max {
            let Some(oldest) = self.residents.oldest_but(id) else { return Ok(()) };
            if let Some(entry) = self.entries.get_mut(&oldest) {
                entry.content.release()?;
            }
            self.residents.note(oldest, 0);
        }
        Ok(())
    }

    fn forget_if_replaceable(&mut self, id: u64) {
        let Some(entry) = self.entries.get(&id).filter(|_| self.keyed) else { return };
        if !entry.content.is_replaceable(self.shape) {
            return;
        }
        self.ids.remove(&entry.key);
        if let Some(due) = entry.due {
            self.outcomes.timers.remove(&(due, id));
        }
        self.outcomes.journal.iter_mut().for_each(|journal| journal.note_forgotten(id));
        self.entries.remove(&id);
    }
}

impl Outcomes {
    /// Takes what a call has brought about, and sets the key's timer anew.
    fn take_from(&mut self, id: u64, entry: &mut Entry, fired: &mut Vec<FiredWindow<Item>>) {
        let left = entry.content.take_expired();
        if let Some(journal) = &mut self.journal {
            fired.iter().for_each(|window| journal.note_fired(id, &window.new));
            left.iter().for_each(|item| journal.note_left(id, item.number));
        }
        self.left.extend(left.into_iter().map(|item| item.number));
        self.fired.extend(fired.drain(..).map(|window| (entry.key.clone(), window)));
        let due = entry.content.next_fire();
        if due != entry.due {
            if let Some(before) = std::mem::replace(&mut entry.due, due) {
                self.timers.remove(&(before, id));
            }
            self.timers.extend(due.map(|due| (due, id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::TaskId;
    use crate::window::{EventTime, PAGE_ITEMS, SessionSpec};

    const ITEMS_MAX: usize = 50;

    fn sessions(directory: &std::path::Path, journal: Option<Journal>) -> WindowsByKey {
        let shape = Shape::Sessions(SessionSpec::new(100).unwrap());
        let time = WindowTime::Event(EventTime::default());
        let spill = Arc::new(SpillDirectory::create(directory, "sessions").unwrap());
        WindowsByKey::new(shape, time, true, Some((spill, ITEMS_MAX)), journal)
    }

    /// The bound is that of all keys together, also when most have fewer items than a page, and what fires comes a key at a time.
    #[test]
    fn a_bound_on_items_in_memory_is_that_of_all_keys() {
        let directory = tempfile::tempdir().unwrap();
        let mut windows = sessions(directory.path(), None);
        let (keys, each) = (200, 20);
        for number in 0..keys * each {
            let key = Value::Int((number % keys) as i64);
            let item = Item::new(number, 0, TaskId(1), [Value::Int(number as i64)].into()).unwrap();
            assert!(matches!(windows.add(&[key], item, (number / keys) as i64), Ok(Added::At(_))));
            let in_memory: usize = windows.entries.values().map(|entry| entry.content.items_in_memory()).sum();
            assert_eq!(in_memory, windows.residents.items());
            assert!(in_memory <= ITEMS_MAX, "{in_memory} after {number}");
        }
        let mut fired = Vec::new();
        windows
            .on_watermark(1000, &mut |outcomes| {
                assert_eq!(outcomes.fired.len(), 1, "one key's windows at a time");
                fired.append(&mut outcomes.fired);
            })
            .unwrap();
        for (place, (key, window)) in (0..).zip(&fired) {
            let numbers: Vec<u64> = window.items.iter().map(|item| item.number).collect();
            assert_eq!((key[0].as_int(), numbers), (Some(place), (0..each).map(|n| n * keys + place as u64).collect()));
        }
        assert_eq!((fired.len() as u64, windows.outcomes.left.len() as u64), (keys, keys * each));
        assert_eq!((windows.residents.items(), windows.entries.len()), (0, 0));
        let own = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        assert_eq!(std::fs::read_dir(own).unwrap().count(), 0, "pages of sessions that have left are removed");
    }

    /// One key alone has the bound, its latest page and the one that was changed.
    #[test]
    fn one_key_that_is_large_keeps_to_the_bound() {
        let directory = tempfile::tempdir().unwrap();
        let mut windows = sessions(directory.path(), None);
        for number in 0..5 * PAGE_ITEMS as u64 {
            let item = Item::new(number, 0, TaskId(1), [Value::Null].into()).unwrap();
            let ts = number as i64 - if number % 7 == 0 { number as i64 / 2 } else { 0 };
            windows.add(&[], item, ts).unwrap();
            assert!(windows.residents.items() <= ITEMS_MAX + 2 * PAGE_ITEMS);
        }
    }
}
