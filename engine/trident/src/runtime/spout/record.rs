//! `SpoutRecord`: what is known of a spout's batches, in memory and in the metadata store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use monsoon_topology::{Failure, Outcome};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::metadata::{Change, MetadataStore};
use crate::spout::{BatchMetadata, Kind, Ledger, Spout};

/// How far a spout's batches are committed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::runtime) struct Position {
    /// The txid to commit next.
    pub(in crate::runtime) txid: u64,
    /// The attempts at the batches that were in flight.
    pub(in crate::runtime) attempts: BTreeMap<u64, u32>,
}

/// What the master and the spout's thread share.
pub(in crate::runtime) struct SpoutRecord {
    name: String,
    is_opaque: bool,
    ledger: Mutex<Ledger>,
    /// The batches of which the store may have other metadata than the ledger: a write that failed may have been done. Each
    /// is written again before it commits, so they are no more than the batches in flight.
    in_doubt: Mutex<BTreeSet<u64>>,
    store: Arc<dyn MetadataStore>,
}

impl SpoutRecord {
    /// Reads what is known of a spout, and how far it is.
    pub(in crate::runtime) fn load(
        name: &str,
        spout: &Spout,
        store: Arc<dyn MetadataStore>,
    ) -> Outcome<(SpoutRecord, Position)> {
        let is_opaque = matches!(spout.0, Kind::Opaque(_));
        let is_partitioned = matches!(spout.0, Kind::Transactional(_) | Kind::Opaque(_));
        let mut position = Position { txid: 1, attempts: BTreeMap::new() };
        let mut ledger = Ledger::default();
        for (key, value) in store.list(&format!("{name}/"))? {
            let unreadable =
                |error: serde_json::Error| Failure::new(format!("metadata {key:?} is unreadable: {error}"));
            match key[name.len() + 1..].strip_prefix("batch/") {
                None => position = serde_json::from_value(value).map_err(unreadable)?,
                Some(txid) => {
                    let txid = txid.parse().map_err(|error| Failure::new(format!("metadata {key:?}: {error}")))?;
                    if is_partitioned {
                        BatchMetadata::read(&value).map_err(unreadable)?;
                    }
                    ledger.insert(txid, value);
                }
            }
        }
        if is_opaque {
            ledger.drop_from(position.txid);
        }
        let (ledger, in_doubt) = (Mutex::new(ledger), Mutex::default());
        Ok((SpoutRecord { name: name.to_owned(), is_opaque, ledger, in_doubt, store }, position))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The metadata of a batch, if it was emitted before.
    pub(super) fn known(&self, txid: u64) -> Option<Json> {
        self.ledger.lock().get(txid).cloned()
    }

    /// The metadata of the batch before a txid.
    pub(super) fn previous(&self, txid: u64) -> Option<Json> {
        self.ledger.lock().before(txid).cloned()
    }

    /// Remembers the metadata of a batch, durably: after a crash it is still known. What is known already isn't written
    /// again.
    pub(super) fn keep(&self, txid: u64, metadata: Json) -> Outcome {
        let mut in_doubt = self.in_doubt.lock();
        if !in_doubt.contains(&txid) && self.ledger.lock().get(txid) == Some(&metadata) {
            return Ok(());
        }
        in_doubt.insert(txid);
        self.store.apply(&[Change::Put(self.batch_key(txid), metadata.clone())])?;
        in_doubt.remove(&txid);
        self.ledger.lock().insert(txid, metadata);
        Ok(())
    }

    /// Remembers the metadata of a batch until the process ends or, durably, until the batch commits. Later batches start
    /// where this one ends, so what is known of them goes.
    pub(super) fn note(&self, txid: u64, metadata: Json) {
        let mut ledger = self.ledger.lock();
        ledger.drop_from(txid);
        ledger.insert(txid, metadata);
    }

    fn batch_key(&self, txid: u64) -> String {
        format!("{}/batch/{txid}", self.name)
    }

    /// What makes the commit of a txid durable. Metadata of earlier batches goes; that of the batch itself stays, since the
    /// next one continues from it.
    pub(in crate::runtime) fn changes(&self, txid: u64, attempts: &BTreeMap<u64, u32>) -> Outcome<Vec<Change>> {
        let position = Position { txid: txid + 1, attempts: attempts.clone() };
        let mut changes = vec![Change::Put(format!("{}/next", self.name), serde_json::to_value(position)?)];
        let ledger = self.ledger.lock();
        if let Some(metadata) = ledger.get(txid).filter(|_| self.is_opaque) {
            changes.push(Change::Put(self.batch_key(txid), metadata.clone()));
        }
        changes.extend(ledger.txids_before(txid).into_iter().map(|earlier| Change::Delete(self.batch_key(earlier))));
        Ok(changes)
    }

    /// The changes are durable.
    pub(in crate::runtime) fn committed(&self, txid: u64) {
        self.ledger.lock().drop_before(txid);
    }
}
