//! `Page`: a run of a queue's entries, in memory or behind [`Pages`](super::Pages).

use std::collections::VecDeque;

use super::Pages;
use crate::Result;

/// An item and its timestamp.
pub(super) type Entry<T> = (i64, T);

/// Up to [`PAGE_ITEMS`](super::PAGE_ITEMS) entries, ordered by timestamp. Never empty while it is in a queue.
pub(super) struct Page<T> {
    /// Its name in the store; never used again.
    pub(super) id: u64,
    /// How many entries, also when they are in the store.
    pub(super) len: usize,
    /// The least timestamp.
    pub(super) ts_min: i64,
    /// The greatest timestamp.
    pub(super) ts_max: i64,
    /// The entries; `None` when only the store has them.
    pub(super) entries: Option<VecDeque<Entry<T>>>,
    /// Whether the store has a page of this id, of whatever content.
    pub(super) stored: bool,
    /// Whether the entries differ from what the store has.
    pub(super) dirty: bool,
}

impl<T> Page<T> {
    /// From entries in order; at least one.
    pub(super) fn new(id: u64, entries: VecDeque<Entry<T>>) -> Page<T> {
        let mut page = Page { id, len: 0, ts_min: 0, ts_max: 0, entries: None, stored: false, dirty: true };
        page.put(entries);
        page
    }

    /// Replaces the entries after a change.
    pub(super) fn put(&mut self, entries: VecDeque<Entry<T>>) {
        self.len = entries.len();
        if let (Some(first), Some(last)) = (entries.front(), entries.back()) {
            (self.ts_min, self.ts_max) = (first.0, last.0);
        }
        self.entries = Some(entries);
        self.dirty = true;
    }

    /// Sends the entries to the store, which keeps them if it hasn't the same. Gives back how many have left memory.
    pub(super) fn release(&mut self, store: &mut dyn Pages<T>) -> Result<usize> {
        let Some(mut entries) = self.entries.take() else { return Ok(0) };
        if self.dirty {
            store.store(self.id, entries.make_contiguous())?;
            (self.stored, self.dirty) = (true, false);
        }
        Ok(self.len)
    }

    /// Adds an entry that isn't before any other.
    pub(super) fn push(entries: &mut VecDeque<Entry<T>>, len: &mut usize, ts_max: &mut i64, entry: Entry<T>) {
        *len += 1;
        *ts_max = entry.0;
        entries.push_back(entry);
    }
}
