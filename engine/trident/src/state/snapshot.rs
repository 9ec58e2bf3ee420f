//! States that hold one value: what an aggregate of a stream without groups is kept in.

use monsoon_topology::{Outcome, Value};

use super::{Key, MapState, ReadOnlyMapState, State};

/// A state with one value that can be read.
pub trait ReadOnlySnapshottable: Send + 'static {
    /// The value, `None` before the first batch.
    fn get(&mut self) -> Outcome<Option<Value>>;
}

/// A state with one value that batches update.
pub trait Snapshottable: ReadOnlySnapshottable + State {
    /// Updates the value and returns the new one.
    fn update(&mut self, update: &mut dyn FnMut(Option<&Value>) -> Outcome<Value>) -> Outcome<Value>;

    /// Stores a value.
    fn set(&mut self, value: Value) -> Outcome {
        self.update(&mut |_| Ok(value.clone())).map(|_| ())
    }
}

/// A map state that holds the one value under a key of your choice.
pub struct SnapshottableMap<M> {
    map: M,
    key: [Key; 1],
}

impl<M: MapState> SnapshottableMap<M> {
    /// Over a map and a key of it.
    pub fn new(map: M, key: Key) -> SnapshottableMap<M> {
        SnapshottableMap { map, key: [key] }
    }
}

impl<M: MapState> State for SnapshottableMap<M> {
    fn begin_commit(&mut self, txid: u64) -> Outcome {
        self.map.begin_commit(txid)
    }

    fn commit(&mut self, txid: u64) -> Outcome {
        self.map.commit(txid)
    }
}

impl<M: MapState> ReadOnlySnapshottable for SnapshottableMap<M> {
    fn get(&mut self) -> Outcome<Option<Value>> {
        Ok(self.map.multi_get(&self.key)?.pop().flatten())
    }
}

impl<M: MapState> Snapshottable for SnapshottableMap<M> {
    fn update(&mut self, update: &mut dyn FnMut(Option<&Value>) -> Outcome<Value>) -> Outcome<Value> {
        let mut values = self.map.multi_update(&self.key, &mut |_, value| update(value))?;
        Ok(values.pop().unwrap_or_default())
    }
}

impl<M: MapState> ReadOnlyMapState for SnapshottableMap<M> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>> {
        self.map.multi_get(keys)
    }
}
