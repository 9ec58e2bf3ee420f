//! States in memory: a table, and an opaque map over one that can do all a state can.

use std::collections::HashMap;
use std::sync::Arc;

use monsoon_topology::{Outcome, Value};
use parking_lot::Mutex;

use super::{
    BackingMap, Key, MapState, OpaqueMap, OpaqueValue, ReadOnlyMapState, ReadOnlySnapshottable, RemovableMapState,
    Snapshottable, State, TupleCollection, UpdateValue,
};

/// A table in memory. Clones share it, so it can outlive a topology within the process.
pub struct MemoryBackingMap<V>(Arc<Mutex<HashMap<Key, V>>>);

impl<V: Clone> MemoryBackingMap<V> {
    /// An empty one.
    pub fn new() -> MemoryBackingMap<V> {
        MemoryBackingMap(Arc::default())
    }

    /// A copy of what is in it.
    pub fn entries(&self) -> Vec<(Key, V)> {
        self.0.lock().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn remove(&self, keys: &[Key]) {
        let mut table = self.0.lock();
        keys.iter().for_each(|key| drop(table.remove(key)));
    }
}

impl<V> Clone for MemoryBackingMap<V> {
    fn clone(&self) -> MemoryBackingMap<V> {
        MemoryBackingMap(self.0.clone())
    }
}

impl<V: Clone> Default for MemoryBackingMap<V> {
    fn default() -> MemoryBackingMap<V> {
        MemoryBackingMap::new()
    }
}

impl<V: Clone + Send + 'static> BackingMap<V> for MemoryBackingMap<V> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<V>>> {
        let table = self.0.lock();
        Ok(keys.iter().map(|key| table.get(key).cloned()).collect())
    }

    fn multi_put(&mut self, keys: &[Key], values: Vec<V>) -> Outcome {
        self.0.lock().extend(keys.iter().cloned().zip(values));
        Ok(())
    }
}

/// An opaque map in memory: a map, a single value, removable, and a collection of tuples (key, then value).
///
/// A key that a batch removes is dropped for good when a later batch begins.
pub struct MemoryMapState {
    map: OpaqueMap<MemoryBackingMap<OpaqueValue>>,
}

/// The key of the value of a state without groups.
fn snapshot_key() -> [Key; 1] {
    [Vec::new()]
}

impl MemoryMapState {
    /// An empty one.
    pub fn new() -> MemoryMapState {
        MemoryMapState::over(MemoryBackingMap::new())
    }

    /// Over a table, which outlives the state. Each partition needs a table of its own.
    pub fn over(table: MemoryBackingMap<OpaqueValue>) -> MemoryMapState {
        MemoryMapState { map: OpaqueMap::without_journal(table) }
    }
}

impl Default for MemoryMapState {
    fn default() -> MemoryMapState {
        MemoryMapState::new()
    }
}

impl State for MemoryMapState {
    fn begin_commit(&mut self, txid: u64) -> Outcome {
        if let Some((writer, keys)) = self.map.touched().filter(|(writer, _)| *writer < txid) {
            let stored = self.map.backing().multi_get(&keys)?;
            let is_gone = |value: &Option<OpaqueValue>| {
                value.as_ref().is_some_and(|value| value.txid == writer && value.current.is_none())
            };
            let gone = keys.into_iter().zip(stored).filter(|(_, value)| is_gone(value)).map(|(key, _)| key);
            self.map.backing().remove(&gone.collect::<Vec<_>>());
        }
        self.map.begin_commit(txid)
    }

    fn commit(&mut self, txid: u64) -> Outcome {
        self.map.commit(txid)
    }
}

impl ReadOnlyMapState for MemoryMapState {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>> {
        self.map.multi_get(keys)
    }
}

impl MapState for MemoryMapState {
    fn multi_update(&mut self, keys: &[Key], update: UpdateValue<'_>) -> Outcome<Vec<Value>> {
        self.map.multi_update(keys, update)
    }
}

impl RemovableMapState for MemoryMapState {
    fn multi_remove(&mut self, keys: &[Key]) -> Outcome {
        self.map.multi_remove(keys)
    }
}

impl ReadOnlySnapshottable for MemoryMapState {
    fn get(&mut self) -> Outcome<Option<Value>> {
        Ok(self.map.multi_get(&snapshot_key())?.pop().flatten())
    }
}

impl Snapshottable for MemoryMapState {
    fn update(&mut self, update: &mut dyn FnMut(Option<&Value>) -> Outcome<Value>) -> Outcome<Value> {
        let mut values = self.map.multi_update(&snapshot_key(), &mut |_, value| update(value))?;
        Ok(values.pop().unwrap_or_default())
    }
}

impl TupleCollection for MemoryMapState {
    fn tuples(&mut self) -> Outcome<Vec<Vec<Value>>> {
        let entries = self.map.backing().entries();
        let tuple = |(mut key, value): (Key, OpaqueValue)| {
            key.push(value.current?);
            Some(key)
        };
        Ok(entries.into_iter().filter_map(tuple).collect())
    }
}
