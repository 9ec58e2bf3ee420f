//! What a commit says, as bytes: its checksums, its place in the running hash, and the header a store keeps of its last commit.
//!
//! The running hash of txid n is a function of the running hash of n-1 and of everything commit n writes, so two stores with
//! the same txid and hash hold the same history. Both implementations and the witness use this one definition.

use std::collections::BTreeMap;

use twox_hash::XxHash3_64;

use crate::{ChunkId, Commit, Error, Result, TableId, TxId, Write};

/// Longest key of the small keyed space, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

/// Version of the encoded header and of the layout of the column families.
const HEADER_FORMAT: u32 = 1;
/// Format, txid, hash, checksum.
const HEADER_BYTES: usize = 4 + 8 + 8 + 8;

/// The checksum of everything in this crate.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// Where a store stands: its last commit and the running hash up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Header {
    pub(crate) txid: TxId,
    pub(crate) hash: u64,
}

impl Header {
    /// Format version, txid, hash, checksum; little endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&HEADER_FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.txid.0.to_le_bytes());
        bytes.extend_from_slice(&self.hash.to_le_bytes());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Header> {
        let damaged = |what: &str| Error::Corrupt(format!("header of the store: {what}"));
        if bytes.len() != HEADER_BYTES {
            return Err(damaged(&format!("{} bytes, expected {HEADER_BYTES}", bytes.len())));
        }
        if checksum(&bytes[..HEADER_BYTES - 8]) != u64_at(bytes, HEADER_BYTES - 8) {
            return Err(damaged("checksum mismatch"));
        }
        let format = u32_at(bytes, 0);
        if format != HEADER_FORMAT {
            return Err(damaged(&format!("format {format}, expected {HEADER_FORMAT}")));
        }
        Ok(Header { txid: TxId(u64_at(bytes, 4)), hash: u64_at(bytes, 12) })
    }
}

/// Reads a little-endian integer at a fixed offset of a slice whose length was checked.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// As [`u64_at`], four bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// A commit digested once: payloads are hashed only here.
#[derive(Debug)]
pub(crate) struct Digest {
    /// The header a store has after the commit.
    pub(crate) header: Header,
    /// Checksum of each appended payload, in the order of the `Append` writes.
    pub(crate) payload_checksums: Vec<u64>,
    /// Keys and values, in bytes.
    pub(crate) bytes: u64,
}

/// Digests `commit` on top of a store whose running hash is `previous`. Refuses keys that are too long.
pub(crate) fn digest(previous: u64, commit: &Commit) -> Result<Digest> {
    let mut said = Vec::with_capacity(64 * (commit.writes.len() + 1));
    said.extend_from_slice(&commit.txid.0.to_le_bytes());
    let mut payload_checksums = Vec::new();
    let mut bytes = 0;
    for write in &commit.writes {
        match write {
            Write::Put { key, value } => {
                check_key(key)?;
                said.push(1);
                say(&mut said, key);
                say(&mut said, value);
                bytes += key.len() + value.len();
            }
            Write::Delete { key } => {
                check_key(key)?;
                said.push(2);
                say(&mut said, key);
                bytes += key.len();
            }
            Write::Append { table, payload } => {
                let sum = checksum(payload);
                payload_checksums.push(sum);
                said.push(3);
                said.extend_from_slice(&table.0.to_le_bytes());
                said.extend_from_slice(&(payload.len() as u64).to_le_bytes());
                said.extend_from_slice(&sum.to_le_bytes());
                bytes += payload.len() + 20;
            }
            Write::Clear { table } => {
                said.push(4);
                said.extend_from_slice(&table.0.to_le_bytes());
                bytes += 8;
            }
        }
    }
    let hash = XxHash3_64::oneshot_with_seed(previous, &said);
    Ok(Digest { header: Header { txid: commit.txid, hash }, payload_checksums, bytes: bytes as u64 })
}

/// Length first, so that no two lists of fields say the same bytes.
fn say(said: &mut Vec<u8>, field: &[u8]) {
    said.extend_from_slice(&(field.len() as u64).to_le_bytes());
    said.extend_from_slice(field);
}

fn check_key(key: &[u8]) -> Result<()> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::Io(format!("key of {} bytes, at most {KEY_BYTES_MAX} are allowed", key.len())));
    }
    Ok(())
}

/// Hands out the ids of the chunks one commit appends: per table from place 0.
#[derive(Debug)]
pub(crate) struct Places {
    txid: TxId,
    next: BTreeMap<TableId, u32>,
}

impl Places {
    pub(crate) fn new(txid: TxId) -> Places {
        Places { txid, next: BTreeMap::new() }
    }

    pub(crate) fn take(&mut self, table: TableId) -> ChunkId {
        let place = self.next.entry(table).or_insert(0);
        let id = ChunkId { txid: self.txid, place: *place };
        *place += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn header_survives_encoding_and_any_flipped_byte_is_noticed() {
        let header = Header { txid: TxId(7), hash: 0x0123_4567_89ab_cdef };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes).unwrap(), header);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(Header::decode(&flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn running_hash_depends_on_history_txid_and_every_field() {
        let write = |payload: &'static [u8]| Commit {
            txid: TxId(1),
            writes: vec![Write::Append { table: TableId(3), payload: Bytes::from_static(payload) }],
        };
        let base = digest(0, &write(b"a")).unwrap().header.hash;
        assert_ne!(base, digest(1, &write(b"a")).unwrap().header.hash);
        assert_ne!(base, digest(0, &write(b"b")).unwrap().header.hash);
        assert_ne!(base, digest(0, &Commit { txid: TxId(2), ..write(b"a") }).unwrap().header.hash);
        assert_eq!(base, digest(0, &write(b"a")).unwrap().header.hash);
    }

    #[test]
    fn key_over_the_limit_is_refused() {
        let put = |bytes| Commit { txid: TxId(1), writes: vec![Write::Put { key: vec![0; bytes], value: vec![] }] };
        assert!(digest(0, &put(KEY_BYTES_MAX)).is_ok());
        assert!(digest(0, &put(KEY_BYTES_MAX + 1)).is_err());
    }
}
