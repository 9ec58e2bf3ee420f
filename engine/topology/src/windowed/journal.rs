//! `Journal`: what of a task's windows has changed since the last checkpoint. An item is written once and removed once, however long it is held.
//!
//! | key | value |
//! |---|---|
//! | 1 | the task's [`Head`](super::restore::Head) |
//! | 2, key number | the key's values, and what its windows know besides their items |
//! | 3, key number, item number | an item with its timestamp |
//! | 4, key number, item number | no field: a fired session has held the item, and it is still held |
//! | 5, a key of the user's | a value of the user's |
//!
//! Numbers are 8 bytes big endian, and values records ([`super::encoding`]), but for the user's. What a key's windows know is written when an item came, left or was handed over. Otherwise only the watermark has
//! moved since, which the head tells: windows that hear of it again do then what they did the first time, which was nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::by_key::Entry;
use super::content::Content;
use super::encoding::{put_i64, put_item, put_len, put_optional, put_values, record};
use super::item::Item;

pub(super) const HEAD: u8 = 1;
pub(super) const KEY: u8 = 2;
pub(super) const ITEM: u8 = 3;
pub(super) const DELIVERED: u8 = 4;
pub(super) const USER: u8 = 5;

/// Keys that were set, with their values; `None`: removed.
pub(super) type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// What has changed since the last checkpoint.
#[derive(Default)]
pub(super) struct Journal {
    added: BTreeMap<(u64, u64), (i64, Item)>,
    /// Items that the last checkpoint may hold.
    removed: Vec<(u64, u64)>,
    delivered: BTreeSet<(u64, u64)>,
    /// Items can be held after a window that held them has fired, without their place telling it.
    marks_delivered: bool,
    changed: BTreeSet<u64>,
    forgotten: Vec<u64>,
    /// As written last.
    head: Vec<u8>,
}

impl Journal {
    /// `marks_delivered`: for sessions that can fire again.
    pub fn new(marks_delivered: bool) -> Journal {
        Journal { marks_delivered, ..Journal::default() }
    }

    /// An item is held.
    pub fn note_added(&mut self, id: u64, ts: i64, item: Item) {
        self.changed.insert(id);
        self.added.insert((id, item.number), (ts, item));
    }

    /// A window was handed over in which these items are for the first time.
    pub fn note_fired(&mut self, id: u64, new: &[Item]) {
        self.changed.insert(id);
        if self.marks_delivered {
            self.delivered.extend(new.iter().map(|item| (id, item.number)));
        }
    }

    /// An item has left.
    pub fn note_left(&mut self, id: u64, number: u64) {
        self.changed.insert(id);
        let unwritten = self.added.remove(&(id, number)).is_some();
        self.delivered.remove(&(id, number));
        if !unwritten {
            self.removed.push((id, number));
        }
    }

    /// A key has no windows any more.
    pub fn note_forgotten(&mut self, id: u64) {
        self.changed.remove(&id);
        self.forgotten.push(id);
    }

    /// The changes since the last call.
    pub fn checkpoint(&mut self, head: Vec<u8>, entries: &BTreeMap<u64, Entry>) -> Changes {
        let mut changes = Changes::new();
        if head != self.head {
            changes.push((vec![HEAD], Some(head.clone())));
            self.head = head;
        }
        for (id, number) in self.removed.drain(..) {
            changes.push((item_key(ITEM, id, number), None));
            if self.marks_delivered {
                changes.push((item_key(DELIVERED, id, number), None));
            }
        }
        changes.extend(self.forgotten.drain(..).map(|id| (key_key(id), None)));
        for ((id, number), (ts, item)) in std::mem::take(&mut self.added) {
            let mut value = record();
            put_item(&mut value, ts, &item);
            changes.push((item_key(ITEM, id, number), Some(value)));
        }
        let delivered = std::mem::take(&mut self.delivered).into_iter();
        changes.extend(delivered.map(|(id, number)| (item_key(DELIVERED, id, number), Some(record()))));
        let changed = std::mem::take(&mut self.changed).into_iter();
        changes.extend(changed.filter_map(|id| Some((key_key(id), Some(key_record(entries.get(&id)?))))));
        changes
    }
}

fn key_key(id: u64) -> Vec<u8> {
    [&[KEY][..], &id.to_be_bytes()].concat()
}

fn item_key(tag: u8, id: u64, number: u64) -> Vec<u8> {
    [&[tag][..], &id.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// What [`super::restore`] reads.
fn key_record(entry: &Entry) -> Vec<u8> {
    let mut out = record();
    put_values(&mut out, &entry.key);
    match &entry.content {
        Content::Sessions(sessions) => put_i64(&mut out, sessions.watermark().unwrap_or(i64::MIN)),
        Content::Windows(windows) => {
            let outline = windows.outline();
            [outline.first, outline.start, outline.fresh, outline.next_trigger]
                .into_iter()
                .for_each(|position| put_len(&mut out, position));
            put_i64(&mut out, outline.watermark);
            put_i64(&mut out, outline.last_end);
            put_optional(&mut out, outline.next_end);
            put_len(&mut out, outline.pending_expired.len() as u64);
            outline.pending_expired.iter().for_each(|item| put_item(&mut out, 0, item));
        }
    }
    out
}
