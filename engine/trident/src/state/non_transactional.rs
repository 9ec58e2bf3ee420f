//! `NonTransactionalMap`: keeps the value only; a replayed batch counts again.

use monsoon_topology::{Outcome, Value};

use super::map::stored;
use super::{BackingMap, Key, MapState, ReadOnlyMapState, State, UpdateValue};

/// A map state that is exactly once with no spout.
pub struct NonTransactionalMap<B> {
    backing: B,
}

impl<B: BackingMap<Value>> NonTransactionalMap<B> {
    /// Over a table.
    pub fn new(backing: B) -> NonTransactionalMap<B> {
        NonTransactionalMap { backing }
    }
}

impl<B: BackingMap<Value>> State for NonTransactionalMap<B> {
    fn begin_commit(&mut self, _txid: u64) -> Outcome {
        Ok(())
    }

    fn commit(&mut self, _txid: u64) -> Outcome {
        Ok(())
    }
}

impl<B: BackingMap<Value>> ReadOnlyMapState for NonTransactionalMap<B> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>> {
        stored(&mut self.backing, keys)
    }
}

impl<B: BackingMap<Value>> MapState for NonTransactionalMap<B> {
    fn multi_update(&mut self, keys: &[Key], update: UpdateValue<'_>) -> Outcome<Vec<Value>> {
        let mut values = Vec::with_capacity(keys.len());
        for (place, stored) in stored(&mut self.backing, keys)?.into_iter().enumerate() {
            values.push(update(place, stored.as_ref())?);
        }
        self.backing.multi_put(keys, values.clone())?;
        Ok(values)
    }
}
