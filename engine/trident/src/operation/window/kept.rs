//! `Kept`: content that is also in a store.
//!
//! The content after a txid is what the entries up to this txid add up to. An entry is needed while a tuple of it is in a
//! later window; the last two are needed anyway, the last for its numbers and the one before it to take the last one back.

use std::collections::BTreeMap;

use monsoon_topology::{Failure, Outcome, Value};

use super::WindowConfig;
use super::content::{Content, Marks};
use crate::tuple::Row;
use crate::window_store::WindowStore;

/// The format of entries.
const VERSION: i64 = 1;

/// What one txid did to the content.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    config: WindowConfig,
    /// The numbers after it.
    marks: Marks,
    /// How many tuples were left after it.
    left: usize,
    rows: Vec<Row>,
}

impl Entry {
    /// A list: version, kind, length, slide, time, tuples since the last window, end of the next one, tuples left, rows.
    fn to_value(&self) -> Value {
        let (kind, length, slide) = match self.config {
            WindowConfig::Count { length, slide } => ("count", length as i64, slide as i64),
            WindowConfig::Duration { length, slide } => {
                ("duration", length.as_millis() as i64, slide.as_millis() as i64)
            }
        };
        let Marks { since_window, next_end_ms, now_ms } = self.marks;
        let next_end = next_end_ms.map_or(Value::Null, |end| Value::Int(end as i64));
        let rows: Vec<Value> = self.rows.iter().map(|row| Value::from(row.clone())).collect();
        let numbers = crate::values![VERSION, kind, length, slide, now_ms as i64, since_window as i64];
        Value::from([numbers, vec![next_end, Value::Int(self.left as i64), Value::from(rows)]].concat())
    }

    /// The entry of a value; a failure for one that isn't an entry of such windows.
    fn from_value(config: WindowConfig, value: &Value) -> Outcome<Entry> {
        let unreadable = || Failure::new(format!("{value:?} is no entry of a window"));
        let [version, kind, length, slide, now, since_window, next_end, left, rows] =
            value.as_list().unwrap_or_default()
        else {
            return Err(unreadable());
        };
        if *version != Value::Int(VERSION) {
            return Err(Failure::new(format!("an entry of a window has version {version:?}, known is {VERSION}")));
        }
        let number = |value: &Value| value.as_int().ok_or_else(unreadable);
        let next_end_ms = match next_end {
            Value::Null => None,
            end => Some(number(end)? as u64),
        };
        let marks = Marks { since_window: number(since_window)? as usize, next_end_ms, now_ms: number(now)? as u64 };
        let row = |row: &Value| row.as_list().map(<[Value]>::to_vec).ok_or_else(unreadable);
        let rows = rows.as_list().ok_or_else(unreadable)?.iter().map(row).collect::<Outcome<_>>()?;
        let entry = Entry { config, marks, left: number(left)? as usize, rows };
        let of_config = entry.to_value();
        match of_config.as_list().is_some_and(|list| list[1..4] == [kind.clone(), length.clone(), slide.clone()]) {
            true => Ok(entry),
            false => Err(Failure::new(format!(
                "the store is that of other windows: {kind:?} with length {length:?} and slide {slide:?}, not {config:?}"
            ))),
        }
    }
}

/// The windows of one partition and their store.
pub(super) struct Kept {
    content: Content,
    config: WindowConfig,
    store: Box<dyn WindowStore>,
    /// The txids of the store's entries, and whether the entry has rows.
    entries: BTreeMap<u64, bool>,
}

impl Kept {
    /// Reads the content that is in a store. A failure when it is damaged or that of other windows.
    pub(super) fn load(config: WindowConfig, mut store: Box<dyn WindowStore>) -> Outcome<Kept> {
        let mut found = BTreeMap::new();
        for (txid, value) in store.entries()? {
            found.insert(txid, Entry::from_value(config, &value)?);
        }
        let entries = found.iter().map(|(txid, entry)| (*txid, !entry.rows.is_empty())).collect();
        let left = found.values().next_back().map_or(0, |last| last.left);
        let mut content = Content::default();
        for (txid, entry) in found {
            content.begin(txid, entry.marks.now_ms);
            content.restore(entry.rows, entry.left, entry.marks);
        }
        if content.items.len() != left {
            let got = content.items.len();
            return Err(Failure::new(format!(
                "{got} tuples of {left} are in the store of a window: entries are missing"
            )));
        }
        Ok(Kept { content, config, store, entries })
    }

    /// Adds the rows of a txid; gives the windows they complete. What the txid did is in the store before.
    pub(super) fn add(&mut self, txid: u64, now_ms: u64, rows: Vec<Row>) -> Outcome<Vec<Vec<Row>>> {
        self.check_order(txid)?;
        self.remove_dead(txid)?;
        self.content.begin(txid, now_ms);
        // Without tuples, neither new nor old, there is nothing to keep and nothing to emit at whatever time. The same with
        // no new ones for windows by count.
        let by_count = matches!(self.config, WindowConfig::Count { .. });
        let is_idle = rows.is_empty() && (by_count || self.content.items.is_empty());
        if is_idle && !self.entries.contains_key(&txid) {
            return Ok(Vec::new());
        }
        let has_rows = !rows.is_empty();
        let mut entry = Entry { config: self.config, marks: self.content.marks, left: 0, rows };
        let windows = self.content.add(self.config, entry.rows.clone());
        (entry.marks, entry.left) = (self.content.marks, self.content.items.len());
        // Noted first: a write that fails may have been done all the same.
        self.entries.insert(txid, has_rows);
        self.store.put(txid, &entry.to_value())?;
        Ok(windows)
    }

    fn check_order(&self, txid: u64) -> Outcome {
        match self.entries.last_key_value() {
            Some((last, _)) if *last > txid => Err(Failure::new(format!(
                "txid {txid} is older than txid {last} in the store of a window: the metadata store is behind it"
            ))),
            _ => Ok(()),
        }
    }

    /// Removes entries that no window needs any more, when a txid begins that makes all earlier ones final.
    fn remove_dead(&mut self, txid: u64) -> Outcome {
        let Some((&last, _)) = self.entries.last_key_value().filter(|(last, _)| **last < txid) else { return Ok(()) };
        let first_needed = self.content.items.front().map_or(last, |item| item.txid.min(last));
        let mut dead: Vec<u64> = self.entries.range(..first_needed).map(|(txid, _)| *txid).collect();
        let before_last = self.entries.range(first_needed..last).next_back();
        dead.extend(before_last.filter(|(_, has_rows)| !**has_rows).map(|(txid, _)| *txid));
        if !dead.is_empty() {
            self.store.remove(&dead)?;
            for txid in &dead {
                self.entries.remove(txid);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
