//! `TransactionalMap`: keeps (txid, value); a batch that comes again is skipped, so it must be the same batch.

use std::collections::HashSet;

use monsoon_topology::{Failure, Outcome, Value};
use serde::{Deserialize, Serialize};

use super::map::stored;
use super::{BackingMap, Key, MapState, ReadOnlyMapState, State, UpdateValue};

/// A value and the txid that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionalValue<V = Value> {
    /// Who wrote the value.
    pub txid: u64,
    /// The value.
    pub value: V,
}

/// A map state that is exactly once with transactional spouts.
pub struct TransactionalMap<B> {
    backing: B,
    txid: Option<u64>,
    written: HashSet<Key>,
}

impl<B: BackingMap<TransactionalValue>> TransactionalMap<B> {
    /// Over a table.
    pub fn new(backing: B) -> TransactionalMap<B> {
        TransactionalMap { backing, txid: None, written: HashSet::new() }
    }

    /// The table.
    pub fn backing(&mut self) -> &mut B {
        &mut self.backing
    }

    /// Whether an earlier try of this batch wrote the value. A failure when a later batch did.
    fn is_replayed(&self, txid: u64, key: &Key, stored: &TransactionalValue) -> Outcome<bool> {
        if stored.txid > txid {
            return Err(Failure::new(format!(
                "txid {txid} is older than txid {} in the state: the metadata store is behind the state",
                stored.txid
            )));
        }
        Ok(stored.txid == txid && !self.written.contains(key))
    }
}

impl<B: BackingMap<TransactionalValue>> State for TransactionalMap<B> {
    fn begin_commit(&mut self, txid: u64) -> Outcome {
        self.txid = Some(txid);
        self.written.clear();
        Ok(())
    }

    fn commit(&mut self, _txid: u64) -> Outcome {
        self.txid = None;
        self.written.clear();
        Ok(())
    }
}

impl<B: BackingMap<TransactionalValue>> ReadOnlyMapState for TransactionalMap<B> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>> {
        Ok(stored(&mut self.backing, keys)?.into_iter().map(|stored| stored.map(|stored| stored.value)).collect())
    }
}

impl<B: BackingMap<TransactionalValue>> MapState for TransactionalMap<B> {
    fn multi_update(&mut self, keys: &[Key], update: UpdateValue<'_>) -> Outcome<Vec<Value>> {
        let txid = self.txid.ok_or_else(|| Failure::new("a state can be updated inside a batch only"))?;
        let mut results = Vec::with_capacity(keys.len());
        let (mut changed, mut writes) = (Vec::new(), Vec::new());
        for (place, stored) in stored(&mut self.backing, keys)?.into_iter().enumerate() {
            if let Some(stored) = &stored
                && self.is_replayed(txid, &keys[place], stored)?
            {
                results.push(stored.value.clone());
                continue;
            }
            let value = update(place, stored.as_ref().map(|stored| &stored.value))?;
            changed.push(keys[place].clone());
            writes.push(TransactionalValue { txid, value: value.clone() });
            results.push(value);
        }
        if !changed.is_empty() {
            self.backing.multi_put(&changed, writes)?;
            self.written.extend(changed);
        }
        Ok(results)
    }
}
