//! `Ledger`: the metadata of the batches of one spout that are in flight, and of the last committed one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What a partitioned spout emitted in one batch, by partition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BatchMetadata {
    /// The partitions emitted in this batch.
    pub(crate) emitted: BTreeMap<String, Json>,
    /// Of the partitions that weren't: what they emitted last.
    pub(crate) earlier: BTreeMap<String, Json>,
}

impl BatchMetadata {
    /// As it is stored.
    pub(crate) fn read(stored: &Json) -> serde_json::Result<BatchMetadata> {
        BatchMetadata::deserialize(stored)
    }

    /// What a partition emitted last.
    pub(crate) fn last(&self, partition: &str) -> Option<&Json> {
        self.emitted.get(partition).or_else(|| self.earlier.get(partition))
    }

    /// The metadata of the batch after this one.
    pub(crate) fn followed_by(&self, emitted: BTreeMap<String, Json>) -> BatchMetadata {
        let known = self.earlier.iter().chain(&self.emitted);
        let earlier = known.filter(|(partition, _)| !emitted.contains_key(*partition));
        BatchMetadata { earlier: earlier.map(|(key, value)| (key.clone(), value.clone())).collect(), emitted }
    }
}

/// The metadata of batches by txid.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<u64, Json>);

impl Ledger {
    pub(crate) fn insert(&mut self, txid: u64, metadata: Json) {
        self.0.insert(txid, metadata);
    }

    pub(crate) fn get(&self, txid: u64) -> Option<&Json> {
        self.0.get(&txid)
    }

    /// That of the last batch before a txid.
    pub(crate) fn before(&self, txid: u64) -> Option<&Json> {
        self.0.range(..txid).next_back().map(|(_, metadata)| metadata)
    }

    /// The txids before one.
    pub(crate) fn txids_before(&self, txid: u64) -> Vec<u64> {
        self.0.range(..txid).map(|(txid, _)| *txid).collect()
    }

    /// Drops the entries before a txid.
    pub(crate) fn drop_before(&mut self, txid: u64) {
        self.0 = self.0.split_off(&txid);
    }

    /// Drops a txid and all after it.
    pub(crate) fn drop_from(&mut self, txid: u64) {
        self.0.split_off(&txid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lost_partition_keeps_its_place() {
        let of = |entries: &[(&str, i32)]| -> BTreeMap<String, Json> {
            entries.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
        };
        let first = BatchMetadata::default().followed_by(of(&[("a", 1), ("b", 2)]));
        let second = first.followed_by(of(&[("a", 3)]));
        let third = second.followed_by(of(&[("a", 4)]));
        assert_eq!((third.last("a"), third.last("b"), third.last("c")), (Some(&json!(4)), Some(&json!(2)), None));
        assert_eq!(third.emitted.len(), 1);
    }
}
