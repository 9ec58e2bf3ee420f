//! `Content`: the tuples that later windows need, and how they become windows. Pure: no clock, no store.

use std::collections::VecDeque;

use super::WindowConfig;
use crate::tuple::Row;

/// A tuple, the time of its batch and the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) at_ms: u64,
    pub(super) txid: u64,
    pub(super) row: Row,
}

/// The numbers that change with the content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// Tuples since the last window, of a count window.
    pub(super) since_window: usize,
    /// The end of the next window, of a duration window; `None` before the first tuple.
    pub(super) next_end_ms: Option<u64>,
    pub(super) now_ms: u64,
}

/// How the content was before a txid, and the time of that txid: a try that is repeated is at the same time.
#[derive(Debug)]
struct Undo {
    txid: u64,
    now_ms: u64,
    count: usize,
    evicted: Vec<Item>,
    marks: Marks,
}

/// The tuples of one partition that later windows need.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) items: VecDeque<Item>,
    pub(super) marks: Marks,
    txid: u64,
    undo: Option<Undo>,
}

impl Content {
    /// Takes back what an earlier try of the txid did, and starts to note what this one does. The time of a txid is that of
    /// its first try, and no less than that of the txid before.
    pub(super) fn begin(&mut self, txid: u64, now_ms: u64) {
        let now_ms = match self.undo.take().filter(|undo| undo.txid == txid) {
            Some(undo) => {
                undo.evicted.into_iter().rev().for_each(|item| self.items.push_front(item));
                self.items.truncate(undo.count);
                self.marks = undo.marks;
                undo.now_ms
            }
            None => now_ms.max(self.marks.now_ms),
        };
        self.undo = Some(Undo { txid, now_ms, count: self.items.len(), evicted: Vec::new(), marks: self.marks });
        self.txid = txid;
        self.marks.now_ms = now_ms;
    }

    /// Adds the rows of the txid that has begun; gives the windows they complete, oldest first.
    pub(super) fn add(&mut self, config: WindowConfig, rows: Vec<Row>) -> Vec<Vec<Row>> {
        match config {
            WindowConfig::Count { length, slide } => {
                rows.into_iter().filter_map(|row| self.add_by_count(length, slide, row)).collect()
            }
            WindowConfig::Duration { length, slide } => {
                self.add_by_time(length.as_millis() as u64, slide.as_millis() as u64, rows)
            }
        }
    }

    /// Adds the rows of the txid that has begun as they were added before: what was left of all rows then, and the marks.
    pub(super) fn restore(&mut self, rows: Vec<Row>, left: usize, marks: Marks) {
        rows.into_iter().for_each(|row| self.push(row));
        while self.items.len() > left {
            self.evict_first();
        }
        self.marks = marks;
    }

    fn push(&mut self, row: Row) {
        self.items.push_back(Item { at_ms: self.marks.now_ms, txid: self.txid, row });
    }

    fn evict_first(&mut self) {
        if let (Some(item), Some(undo)) = (self.items.pop_front(), &mut self.undo) {
            undo.evicted.push(item);
        }
    }

    fn add_by_count(&mut self, length: usize, slide: usize, row: Row) -> Option<Vec<Row>> {
        self.push(row);
        while self.items.len() > length {
            self.evict_first();
        }
        self.marks.since_window += 1;
        if self.marks.since_window < slide {
            return None;
        }
        self.marks.since_window = 0;
        Some(self.items.iter().map(|item| item.row.clone()).collect())
    }

    /// The windows that end until now. What arrives now is later than all of them.
    fn ended(&mut self, length_ms: u64, slide_ms: u64) -> Vec<Vec<Row>> {
        let mut windows = Vec::new();
        while let (Some(end), Some(first)) = (self.marks.next_end_ms, self.items.front()) {
            if first.at_ms >= end {
                // Windows without tuples are left out in one step.
                self.marks.next_end_ms = Some(end_after(first.at_ms, slide_ms));
                continue;
            }
            if end > self.marks.now_ms {
                break;
            }
            let within = |item: &&Item| item.at_ms < end && item.at_ms.saturating_add(length_ms) >= end;
            let window: Vec<Row> = self.items.iter().filter(within).map(|item| item.row.clone()).collect();
            if !window.is_empty() {
                windows.push(window);
            }
            let next = end.saturating_add(slide_ms);
            self.marks.next_end_ms = Some(next);
            while self.items.front().is_some_and(|item| item.at_ms.saturating_add(length_ms) < next) {
                self.evict_first();
            }
        }
        windows
    }

    fn add_by_time(&mut self, length_ms: u64, slide_ms: u64, rows: Vec<Row>) -> Vec<Vec<Row>> {
        let windows = self.ended(length_ms, slide_ms);
        if !rows.is_empty() && self.items.is_empty() {
            self.marks.next_end_ms = Some(end_after(self.marks.now_ms, slide_ms));
        }
        rows.into_iter().for_each(|row| self.push(row));
        windows
    }
}

/// The first end of a window that holds this time.
fn end_after(at_ms: u64, slide_ms: u64) -> u64 {
    (at_ms / slide_ms + 1).saturating_mul(slide_ms)
}

#[cfg(test)]
mod tests;
