//! `MemoryWindowStore`: entries in memory, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use monsoon_topology::{Outcome, Value};
use parking_lot::Mutex;

use super::WindowStore;

/// Keeps the content of windows within the process. Clones share it, so it can outlive a topology.
#[derive(Debug, Clone, Default)]
pub struct MemoryWindowStore(Arc<Mutex<BTreeMap<u64, Value>>>);

impl MemoryWindowStore {
    /// An empty one.
    pub fn new() -> MemoryWindowStore {
        MemoryWindowStore::default()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl WindowStore for MemoryWindowStore {
    fn entries(&mut self) -> Outcome<Vec<(u64, Value)>> {
        Ok(self.0.lock().iter().map(|(txid, entry)| (*txid, entry.clone())).collect())
    }

    fn put(&mut self, txid: u64, entry: &Value) -> Outcome {
        self.0.lock().insert(txid, entry.clone());
        Ok(())
    }

    fn remove(&mut self, txids: &[u64]) -> Outcome {
        let mut entries = self.0.lock();
        txids.iter().for_each(|txid| drop(entries.remove(txid)));
        Ok(())
    }
}
