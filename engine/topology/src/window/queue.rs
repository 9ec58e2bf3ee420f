//! `WindowQueue`: the items behind a window, ordered by timestamp, in pages that can live elsewhere.
//!
//! A page holds up to [`PAGE_ITEMS`] items, or as many as its queue was told. Positions count from the first item ever added and are never reused; an item
//! that is inserted moves those behind it by one.
//!
//! Invariants:
//! - Items are ordered by timestamp, and of equal timestamps by arrival.
//! - The latest page stays in memory until all are [released](WindowQueue::release).
//! - After each change at most `items_in_memory_max` items are in memory, plus the latest page and the page just changed.
//! - Reading a stored page doesn't bring it into memory for good, so iterating is repeatable and needs one page of room.

use std::collections::VecDeque;
use std::ops::Range;

use super::page::{Entry, Page};
use crate::Result;

/// How many items a page holds at most.
pub const PAGE_ITEMS: usize = 1000;

/// Where pages live that don't fit memory. Errors are passed on to who uses the queue.
pub trait Pages<T>: Send {
    /// Keeps a page's items with their timestamps; replaces what is kept under the same number.
    fn store(&mut self, page: u64, entries: &[(i64, T)]) -> Result<()>;
    /// The items of a page that was stored and not removed.
    fn load(&self, page: u64) -> Result<Vec<(i64, T)>>;
    /// Forgets a page that was stored.
    fn remove(&mut self, page: u64) -> Result<()>;
}

/// The items behind a window, ordered by timestamp and then by arrival.
///
/// After an error from the [`Pages`] the content is undefined: go back to a snapshot. Page numbers begin at 0 in every queue, so
/// each needs [`Pages`] of its own, without pages left over from before.
pub struct WindowQueue<T> {
    pages: VecDeque<Page<T>>,
    first: u64,
    len: usize,
    page_next: u64,
    page_items: usize,
    items_in_memory: usize,
    items_in_memory_max: usize,
    store: Option<Box<dyn Pages<T>>>,
}

impl<T: Clone> WindowQueue<T> {
    /// Empty, everything in memory.
    pub fn in_memory() -> WindowQueue<T> {
        WindowQueue {
            pages: VecDeque::new(),
            first: 0,
            len: 0,
            page_next: 0,
            page_items: PAGE_ITEMS,
            items_in_memory: 0,
            items_in_memory_max: usize::MAX,
            store: None,
        }
    }

    /// Empty; the oldest pages go to `store` when more than `items_in_memory_max` items are in memory.
    pub fn paged(store: Box<dyn Pages<T>>, items_in_memory_max: usize) -> WindowQueue<T> {
        WindowQueue { store: Some(store), items_in_memory_max, ..WindowQueue::in_memory() }
    }

    /// With pages of so many items, at least 2. For an empty queue.
    #[cfg(test)]
    pub(super) fn with_page_items(self, items: usize) -> WindowQueue<T> {
        assert!(self.is_empty() && items >= 2);
        WindowQueue { page_items: items, ..self }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of them are in memory.
    pub fn items_in_memory(&self) -> usize {
        self.items_in_memory
    }

    /// The position of the first item.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The position behind the last item.
    pub fn end(&self) -> u64 {
        self.first + self.len as u64
    }

    /// Adds an item behind all with timestamps up to its own.
    pub fn insert(&mut self, item: T, ts: i64) -> Result<()> {
        self.len += 1;
        self.items_in_memory += 1;
        if let Some(Page { len, ts_max, dirty, entries: Some(entries), .. }) = self.pages.back_mut()
            && ts >= *ts_max
            && *len < self.page_items
        {
            *dirty = true;
            Page::push(entries, len, ts_max, (ts, item));
            return Ok(());
        }
        self.insert_elsewhere((ts, item))
    }

    /// Takes `count` items, or all if there are fewer, from the front.
    pub fn pop_front(&mut self, count: u64, mut take: impl FnMut(T)) -> Result<()> {
        let mut left = usize::try_from(count).unwrap_or(usize::MAX).min(self.len);
        self.first += left as u64;
        self.len -= left;
        while left > 0 {
            let mut entries = self.take_entries(0)?;
            let taken = left.min(entries.len());
            entries.drain(..taken).for_each(|(_, item)| take(item));
            self.items_in_memory -= taken;
            left -= taken;
            if entries.is_empty() {
                self.remove_first_page()?;
            } else {
                self.pages[0].put(entries);
                self.evict(0)?;
            }
        }
        Ok(())
    }

    /// Sends all items to the store, if there is one: none stays in memory until the next change.
    pub fn release(&mut self) -> Result<()> {
        let Some(store) = &mut self.store else { return Ok(()) };
        for page in &mut self.pages {
            self.items_in_memory -= page.release(store.as_mut())?;
        }
        Ok(())
    }

    /// The position behind the last item whose timestamp is at most `ts`.
    pub fn position_after(&self, ts: i64) -> Result<u64> {
        let page = self.pages.partition_point(|page| page.ts_max <= ts);
        let within = match self.pages.get(page) {
            Some(found) if found.ts_min <= ts => {
                self.read(page, |entries| entries.partition_point(|(at, _)| *at <= ts))?
            }
            _ => 0,
        };
        Ok(self.page_start(page) + within as u64)
    }

    /// The timestamp of the item at a position, if there is one.
    pub fn ts_at(&self, position: u64) -> Result<Option<i64>> {
        match self.locate(position) {
            Some((page, 0)) => Ok(Some(self.pages[page].ts_min)),
            Some((page, offset)) => self.read(page, |entries| entries.get(offset).map(|(ts, _)| *ts)),
            None => Ok(None),
        }
    }

    /// Visits the items at some positions, in order, with their timestamps.
    pub fn visit(&self, positions: Range<u64>, mut visit: impl FnMut(i64, &T)) -> Result<()> {
        let end = positions.end.min(self.end());
        let mut position = positions.start.max(self.first);
        let Some((mut page, mut offset)) = self.locate(position) else { return Ok(()) };
        while position < end {
            let count = ((end - position) as usize).min(self.pages[page].len - offset);
            self.read(page, |entries| entries.range(offset..offset + count).for_each(|(ts, item)| visit(*ts, item)))?;
            position += count as u64;
            (page, offset) = (page + 1, 0);
        }
        Ok(())
    }

    /// Takes over entries in order, the first of which has the position `first`. For an empty queue.
    pub(super) fn refill(&mut self, first: u64, entries: Vec<Entry<T>>) -> Result<()> {
        self.first = first;
        entries.into_iter().try_for_each(|(ts, item)| self.insert(item, ts))
    }

    /// [`WindowQueue::insert`] when the entry doesn't simply go to the latest page.
    fn insert_elsewhere(&mut self, entry: Entry<T>) -> Result<()> {
        let behind = self.pages.partition_point(|page| page.ts_min <= entry.0);
        let page = behind.saturating_sub(1);
        let begins_page = self.pages.back().is_none_or(|last| entry.0 >= last.ts_max && last.len >= self.page_items);
        if begins_page {
            self.insert_page(self.pages.len(), VecDeque::from([entry]));
            return self.evict(self.pages.len() - 1);
        }
        let mut entries = self.take_entries(page)?;
        let place = entries.partition_point(|(ts, _)| *ts <= entry.0);
        entries.insert(place, entry);
        if entries.len() > self.page_items {
            let upper = entries.split_off(self.page_items / 2);
            self.insert_page(page + 1, upper);
        }
        self.pages[page].put(entries);
        self.evict(page)
    }

    /// Puts a new page before the one at `place`.
    fn insert_page(&mut self, place: usize, entries: VecDeque<Entry<T>>) {
        self.pages.insert(place, Page::new(self.page_next, entries));
        self.page_next += 1;
    }

    /// The entries of a page, to be changed and put back.
    fn take_entries(&mut self, page: usize) -> Result<VecDeque<Entry<T>>> {
        if let Some(entries) = self.pages[page].entries.take() {
            return Ok(entries);
        }
        let entries = self.load(self.pages[page].id)?;
        self.items_in_memory += entries.len();
        Ok(entries)
    }

    /// Reads the entries of a page where they are.
    fn read<R>(&self, page: usize, read: impl FnOnce(&VecDeque<Entry<T>>) -> R) -> Result<R> {
        match &self.pages[page].entries {
            Some(entries) => Ok(read(entries)),
            None => Ok(read(&self.load(self.pages[page].id)?)),
        }
    }

    /// A page's entries from the store.
    fn load(&self, id: u64) -> Result<VecDeque<Entry<T>>> {
        let store = self.store.as_ref().expect("only a queue with a store has pages outside memory");
        Ok(store.load(id)?.into())
    }

    /// Removes the first page, emptied.
    fn remove_first_page(&mut self) -> Result<()> {
        match (self.pages.pop_front(), &mut self.store) {
            (Some(page), Some(store)) if page.stored => store.remove(page.id),
            _ => Ok(()),
        }
    }

    /// Sends the oldest pages to the store until memory is within its bound; not the latest page, and not `keep`.
    fn evict(&mut self, keep: usize) -> Result<()> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let latest = self.pages.len() - 1;
        for page in self.pages.iter_mut().take(latest).enumerate().filter(|(at, _)| *at != keep).map(|(_, page)| page) {
            if self.items_in_memory <= self.items_in_memory_max {
                return Ok(());
            }
            self.items_in_memory -= page.release(store.as_mut())?;
        }
        Ok(())
    }

    /// The page and the place in it of a position, if there is an item.
    fn locate(&self, position: u64) -> Option<(usize, usize)> {
        let mut offset = usize::try_from(position.checked_sub(self.first)?).ok()?;
        if offset >= self.len {
            return None;
        }
        if offset * 2 > self.len {
            let mut behind = self.len - offset;
            for (at, page) in self.pages.iter().enumerate().rev() {
                if behind <= page.len {
                    return Some((at, page.len - behind));
                }
                behind -= page.len;
            }
        }
        for (at, page) in self.pages.iter().enumerate() {
            if offset < page.len {
                return Some((at, offset));
            }
            offset -= page.len;
        }
        None
    }

    /// The position of a page's first item.
    fn page_start(&self, page: usize) -> u64 {
        let items = |from: usize, to: usize| self.pages.range(from..to).map(|page| page.len as u64).sum::<u64>();
        if page * 2 > self.pages.len() {
            self.end() - items(page, self.pages.len())
        } else {
            self.first + items(0, page)
        }
    }
}
