//! `CachedMap`: a table with the most recently used values kept in memory.

use std::collections::{BTreeMap, HashMap};

use monsoon_topology::Outcome;

use super::map::stored;
use super::{BackingMap, Key};

/// A table in front of which the most recently used values are kept. Writes go through; nobody else may write the table.
pub struct CachedMap<V, B> {
    backing: B,
    capacity: usize,
    entries: HashMap<Key, (V, u64)>,
    /// The keys by the last use.
    uses: BTreeMap<u64, Key>,
    next_use: u64,
}

impl<V: Clone + Send + 'static, B: BackingMap<V>> CachedMap<V, B> {
    /// Over a table, for at most so many values.
    pub fn new(backing: B, capacity: usize) -> CachedMap<V, B> {
        CachedMap { backing, capacity, entries: HashMap::new(), uses: BTreeMap::new(), next_use: 0 }
    }

    fn remember(&mut self, key: &Key, value: V) {
        if let Some((_, last)) = self.entries.insert(key.clone(), (value, self.next_use)) {
            self.uses.remove(&last);
        }
        self.uses.insert(self.next_use, key.clone());
        self.next_use += 1;
        while self.entries.len() > self.capacity {
            let Some((_, oldest)) = self.uses.pop_first() else { return };
            self.entries.remove(&oldest);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some((_, last)) = self.entries.remove(key) {
            self.uses.remove(&last);
        }
    }
}

impl<V: Clone + Send + 'static, B: BackingMap<V>> BackingMap<V> for CachedMap<V, B> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<V>>> {
        let mut values: Vec<Option<V>> =
            keys.iter().map(|key| self.entries.get(key).map(|(value, _)| value.clone())).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|place| values[*place].is_none()).collect();
        if !missing.is_empty() {
            let wanted: Vec<Key> = missing.iter().map(|place| keys[*place].clone()).collect();
            for (place, value) in missing.into_iter().zip(stored(&mut self.backing, &wanted)?) {
                values[place] = value;
            }
        }
        for (key, value) in keys.iter().zip(&values) {
            if let Some(value) = value {
                self.remember(key, value.clone());
            }
        }
        Ok(values)
    }

    fn multi_put(&mut self, keys: &[Key], values: Vec<V>) -> Outcome {
        // A write that fails may have been done in part, so its keys are read from the table again.
        keys.iter().for_each(|key| self.forget(key));
        self.backing.multi_put(keys, values.clone())?;
        keys.iter().zip(values).for_each(|(key, value)| self.remember(key, value));
        Ok(())
    }
}
