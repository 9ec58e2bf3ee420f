//! `OpaqueMap`: keeps (txid, previous, value), so a replayed batch may differ from its first try.

use std::collections::{HashMap, HashSet};

use monsoon_topology::{Failure, Outcome, Value};
use serde::{Deserialize, Serialize};

use super::map::stored;
use super::{BackingMap, Key, MapState, ReadOnlyMapState, RemovableMapState, State, StateContext, UpdateValue};

/// A value, the value before the txid that wrote it, and that txid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpaqueValue<V = Value> {
    /// Who wrote `current`.
    pub txid: u64,
    /// The value before that; `None` for none.
    pub previous: Option<V>,
    /// The value; `None` when it is removed.
    pub current: Option<V>,
}

impl<V: Clone> OpaqueValue<V> {
    /// What a batch starts from: `previous` when it is the one that wrote `current`. `None` reads outside a batch. A
    /// failure for a batch older than the one that wrote it.
    pub fn get(&self, txid: Option<u64>) -> Outcome<Option<V>> {
        match txid {
            Some(txid) if txid < self.txid => Err(Failure::new(format!(
                "txid {txid} is older than txid {} in the state: the metadata store is behind the state",
                self.txid
            ))),
            Some(txid) if txid == self.txid => Ok(self.previous.clone()),
            _ => Ok(self.current.clone()),
        }
    }

    /// With a new value written by a batch. A failure for a batch older than the one that wrote it.
    pub fn update(&self, txid: u64, value: Option<V>) -> Outcome<OpaqueValue<V>> {
        Ok(OpaqueValue { txid, previous: self.get(Some(txid))?, current: value })
    }
}

/// A map state that is exactly once with opaque and with transactional spouts.
///
/// A batch that is tried again may lack keys of its first try. So the map knows the keys a txid has written, and puts them
/// back to their previous values before the next try. That list is kept in memory and, with a journal, in the table
/// itself: under a reserved key of each partition, written before the values, so that it survives a crash.
pub struct OpaqueMap<B> {
    backing: B,
    txid: Option<u64>,
    /// What the current try has written.
    written: HashMap<Key, OpaqueValue>,
    /// The last txid, and the keys its tries have written.
    touched: Option<(u64, HashSet<Key>)>,
    journal: Option<Key>,
    /// Whether `touched` has keys that the journal may lack.
    journal_is_behind: bool,
}

/// The first value of the reserved keys under which [`OpaqueMap`] lists the keys a txid has written.
pub(crate) const JOURNAL: &str = "\u{0}monsoon.trident.journal";

impl<B: BackingMap<OpaqueValue>> OpaqueMap<B> {
    /// Over a table that outlives the process, for one partition of the state. If the process crashes, run the topology
    /// with as many partitions once more before you change their number.
    pub fn new(backing: B, context: &StateContext) -> OpaqueMap<B> {
        let key = vec![Value::from(JOURNAL), Value::Int(context.partition as i64)];
        OpaqueMap { journal: Some(key), ..OpaqueMap::without_journal(backing) }
    }

    /// One that writes no more than the values: right over a table that is lost with the process, and with transactional
    /// spouts.
    pub fn without_journal(backing: B) -> OpaqueMap<B> {
        OpaqueMap {
            backing,
            txid: None,
            written: HashMap::new(),
            touched: None,
            journal: None,
            journal_is_behind: false,
        }
    }

    /// The table.
    pub fn backing(&mut self) -> &mut B {
        &mut self.backing
    }

    /// The keys the last txid has written.
    pub(super) fn touched(&self) -> Option<(u64, Vec<Key>)> {
        self.touched.as_ref().map(|(txid, keys)| (*txid, keys.iter().cloned().collect()))
    }

    /// The value as the current batch sees it, and its stored form. What the batch has written itself is `current`.
    fn read(&mut self, keys: &[Key]) -> Outcome<Vec<(Option<Value>, Option<OpaqueValue>)>> {
        let found = stored(&mut self.backing, keys)?;
        let mut values = Vec::with_capacity(keys.len());
        for (key, found) in keys.iter().zip(found) {
            values.push(match (self.written.get(key), found) {
                (Some(own), _) => (own.current.clone(), Some(own.clone())),
                (None, Some(found)) => (found.get(self.txid)?, Some(found)),
                (None, None) => (None, None),
            });
        }
        Ok(values)
    }

    fn write(&mut self, keys: &[Key], values: Vec<OpaqueValue>) -> Outcome {
        let txid = self.current_txid()?;
        let (_, touched) = self.touched.get_or_insert_with(|| (txid, HashSet::new()));
        let known = touched.len();
        touched.extend(keys.iter().cloned());
        self.journal_is_behind |= touched.len() > known;
        if self.journal_is_behind {
            self.write_journal()?;
            self.journal_is_behind = false;
        }
        self.backing.multi_put(keys, values.clone())?;
        self.written.extend(keys.iter().cloned().zip(values));
        Ok(())
    }

    fn current_txid(&self) -> Outcome<u64> {
        self.txid.ok_or_else(|| Failure::new("a state can be updated inside a batch only"))
    }

    fn next_value(&self, key: &Key, stored: Option<OpaqueValue>, value: Option<Value>) -> Outcome<OpaqueValue> {
        let txid = self.current_txid()?;
        match (self.written.get(key), stored) {
            (Some(own), _) => Ok(OpaqueValue { txid, previous: own.previous.clone(), current: value }),
            (None, Some(stored)) => stored.update(txid, value),
            (None, None) => Ok(OpaqueValue { txid, previous: None, current: value }),
        }
    }

    fn write_journal(&mut self) -> Outcome {
        let (Some(key), Some((txid, keys))) = (&self.journal, &self.touched) else { return Ok(()) };
        let list: Vec<Value> = keys.iter().map(|key| Value::from(key.clone())).collect();
        let entry = OpaqueValue { txid: *txid, previous: None, current: Some(Value::from(list)) };
        self.backing.multi_put(std::slice::from_ref(key), vec![entry])
    }

    fn read_journal(&mut self) -> Outcome<Option<(u64, HashSet<Key>)>> {
        let Some(key) = &self.journal else { return Ok(None) };
        let entry = stored(&mut self.backing, std::slice::from_ref(key))?.pop().flatten();
        Ok(entry.map(|entry| {
            let list = entry.current.unwrap_or_default();
            let keys = list.as_list().unwrap_or_default().iter();
            (entry.txid, keys.map(|key| key.as_list().unwrap_or_default().to_vec()).collect())
        }))
    }

    /// Puts the keys an earlier try of the txid has written back to their previous values.
    fn revert(&mut self, txid: u64) -> Outcome {
        let touched = match self.touched.take() {
            None => self.read_journal()?,
            known => known,
        };
        let Some((writer, keys)) = touched.filter(|(writer, _)| *writer == txid) else { return Ok(()) };
        let all: Vec<Key> = keys.iter().cloned().collect();
        self.touched = Some((writer, keys));
        let (mut reverted, mut values) = (Vec::new(), Vec::new());
        for (key, stored) in all.iter().zip(stored(&mut self.backing, &all)?) {
            if let Some(OpaqueValue { previous, .. }) = stored.filter(|stored| stored.txid == txid) {
                reverted.push(key.clone());
                values.push(OpaqueValue { txid, current: previous.clone(), previous });
            }
        }
        self.backing.multi_put(&reverted, values)
    }
}

impl<B: BackingMap<OpaqueValue>> State for OpaqueMap<B> {
    fn begin_commit(&mut self, txid: u64) -> Outcome {
        self.txid = Some(txid);
        self.written.clear();
        self.revert(txid)
    }

    fn commit(&mut self, _txid: u64) -> Outcome {
        self.txid = None;
        self.written.clear();
        Ok(())
    }
}

impl<B: BackingMap<OpaqueValue>> ReadOnlyMapState for OpaqueMap<B> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>> {
        Ok(self.read(keys)?.into_iter().map(|(value, _)| value).collect())
    }
}

impl<B: BackingMap<OpaqueValue>> MapState for OpaqueMap<B> {
    fn multi_update(&mut self, keys: &[Key], update: UpdateValue<'_>) -> Outcome<Vec<Value>> {
        let mut results = Vec::with_capacity(keys.len());
        let mut writes = Vec::with_capacity(keys.len());
        for (place, (current, stored)) in self.read(keys)?.into_iter().enumerate() {
            let value = update(place, current.as_ref())?;
            writes.push(self.next_value(&keys[place], stored, Some(value.clone()))?);
            results.push(value);
        }
        self.write(keys, writes)?;
        Ok(results)
    }
}

impl<B: BackingMap<OpaqueValue>> RemovableMapState for OpaqueMap<B> {
    fn multi_remove(&mut self, keys: &[Key]) -> Outcome {
        let mut writes = Vec::with_capacity(keys.len());
        for (key, (_, stored)) in keys.iter().zip(self.read(keys)?) {
            writes.push(self.next_value(key, stored, None)?);
        }
        self.write(keys, writes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t10_an_opaque_value_gives_what_the_txid_starts_from() {
        let value = OpaqueValue { txid: 8, previous: Some("v0"), current: Some("v1") };
        assert_eq!(value.get(None).unwrap(), Some("v1"));
        assert_eq!(value.get(Some(9)).unwrap(), Some("v1"));
        assert_eq!(value.get(Some(100)).unwrap(), Some("v1"));
        assert_eq!(value.get(Some(8)).unwrap(), Some("v0"));
        assert!(value.get(Some(7)).is_err());

        let again = value.update(8, Some("v2")).unwrap();
        assert_eq!((again.previous, again.current), (Some("v0"), Some("v2")));
        let next = value.update(9, Some("v2")).unwrap();
        assert_eq!((next.previous, next.current), (Some("v1"), Some("v2")));
    }
}
