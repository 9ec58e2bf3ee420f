//! How chunks and keys are laid out in the column families.
//!
//! ```text
//! meta    [0]                                  header
//!         [1] | key                            value                              the small keyed space
//! index   [0]                                  header
//!         table (8 BE) | txid (8 BE) | place (4 BE)    format (1) | tier (1) | payload bytes (8 LE) | xxh3 of payload (8 LE)
//! chunks  [0]                                  header
//!         table | txid | place                 payload, in a blob file from 4 KiB on
//! ```
//!
//! The index is apart from the payloads because a RocksDB iterator reads every blob it passes: sizes, tiers and tables are
//! asked for often, payloads rarely. The payload stands alone in its value so that it is handed on without a copy.
//!
//! The header is in all three families, and a commit writes all three. They are flushed one by one; if damage to the
//! manifest loses one family's flush, the headers differ and the store is refused.

use crate::content::{checksum, u64_at};
use crate::{ChunkId, Error, Result, TableId, TxId};

/// Key of the header in each family; sorts before every chunk key and every user key.
pub(crate) const HEADER_KEY: &[u8] = &[0];
const USER_PREFIX: u8 = 1;
const CHUNK_KEY_BYTES: usize = 20;
const ENTRY_FORMAT: u8 = 1;
const ENTRY_BYTES: usize = 18;

/// The key in `meta` of a key of the small keyed space.
pub(crate) fn user_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(key.len() + 1);
    stored.push(USER_PREFIX);
    stored.extend_from_slice(key);
    stored
}

/// The user's part of a key in `meta`; `None` for the header.
pub(crate) fn user_part(stored: &[u8]) -> Option<&[u8]> {
    match stored.split_first() {
        Some((&USER_PREFIX, key)) => Some(key),
        _ => None,
    }
}

pub(crate) fn chunk_key(table: TableId, id: ChunkId) -> [u8; CHUNK_KEY_BYTES] {
    let mut key = [0; CHUNK_KEY_BYTES];
    key[..8].copy_from_slice(&table.0.to_be_bytes());
    key[8..16].copy_from_slice(&id.txid.0.to_be_bytes());
    key[16..].copy_from_slice(&id.place.to_be_bytes());
    key
}

/// `None` if it isn't the key of a chunk.
pub(crate) fn parse_chunk_key(key: &[u8]) -> Option<(TableId, ChunkId)> {
    if key.len() != CHUNK_KEY_BYTES {
        return None;
    }
    let (table, rest) = key.split_first_chunk::<8>()?;
    let (txid, rest) = rest.split_first_chunk::<8>()?;
    let (place, _) = rest.split_first_chunk::<4>()?;
    let id = ChunkId { txid: TxId(u64::from_be_bytes(*txid)), place: u32::from_be_bytes(*place) };
    Some((TableId(u64::from_be_bytes(*table)), id))
}

/// What the index says of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: ChunkId,
    pub(crate) tier: u8,
    pub(crate) payload_bytes: u64,
    pub(crate) payload_checksum: u64,
}

impl Entry {
    pub(crate) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut value = [0; ENTRY_BYTES];
        value[0] = ENTRY_FORMAT;
        value[1] = self.tier;
        value[2..10].copy_from_slice(&self.payload_bytes.to_le_bytes());
        value[10..].copy_from_slice(&self.payload_checksum.to_le_bytes());
        value
    }

    pub(crate) fn decode(table: TableId, id: ChunkId, value: &[u8]) -> Result<Entry> {
        if value.len() != ENTRY_BYTES || value[0] != ENTRY_FORMAT {
            return Err(corrupt_chunk(table, id, "its index entry has an unknown form".to_owned()));
        }
        Ok(Entry { id, tier: value[1], payload_bytes: u64_at(value, 2), payload_checksum: u64_at(value, 10) })
    }

    /// Compares the payload that was read with what the index says of it.
    pub(crate) fn verify(&self, table: TableId, payload: Option<&[u8]>) -> Result<()> {
        let Some(payload) = payload else {
            return Err(corrupt_chunk(table, self.id, "its payload is missing".to_owned()));
        };
        if payload.len() as u64 != self.payload_bytes {
            let reason = format!("its payload has {} bytes, the index says {}", payload.len(), self.payload_bytes);
            return Err(corrupt_chunk(table, self.id, reason));
        }
        if checksum(payload) != self.payload_checksum {
            return Err(corrupt_chunk(table, self.id, "its payload fails its checksum".to_owned()));
        }
        Ok(())
    }
}

pub(crate) fn corrupt_chunk(table: TableId, id: ChunkId, reason: String) -> Error {
    Error::CorruptChunk { table, txid: id.txid, reason: format!("place {}: {reason}", id.place) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_keys_sort_as_tables_txids_and_places_do() {
        let id = |txid, place| ChunkId { txid: TxId(txid), place };
        let ordered = [
            (TableId(0), id(0, 0)),
            (TableId(0), id(0, 1)),
            (TableId(0), id(1, 0)),
            (TableId(0), id(256, 0)),
            (TableId(1), id(0, 0)),
            (TableId(u64::MAX), id(u64::MAX, u32::MAX)),
        ];
        let keys: Vec<_> = ordered.iter().map(|(table, id)| chunk_key(*table, *id)).collect();
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| HEADER_KEY < key.as_slice()));
        for (key, expected) in keys.iter().zip(&ordered) {
            assert_eq!(parse_chunk_key(key), Some(*expected));
        }
        assert_eq!(parse_chunk_key(HEADER_KEY), None);
    }

    #[test]
    fn entry_survives_encoding_and_catches_a_wrong_payload() {
        let id = ChunkId { txid: TxId(1), place: 0 };
        let entry = Entry { id, tier: 3, payload_bytes: 4, payload_checksum: checksum(b"rows") };
        assert_eq!(Entry::decode(TableId(1), id, &entry.encode()).unwrap(), entry);
        assert!(entry.verify(TableId(1), Some(b"rows")).is_ok());
        for wrong in [Some(b"rowz".as_slice()), Some(b"row"), None] {
            assert!(matches!(entry.verify(TableId(1), wrong), Err(Error::CorruptChunk { .. })));
        }
    }
}
