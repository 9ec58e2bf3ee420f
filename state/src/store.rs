//! `StateStore`: what the rest of Monsoon may ask of durable state.
//!
//! Invariants every implementation keeps:
//! - txids commit strictly in order: `commit.txid == last_txid() + 1`;
//! - a commit is atomic: after a crash all of its writes are there, or none;
//! - chunks of one table come back in the order they were appended;
//! - `replace_chunks` changes how a table is cut into chunks, never what the chunks mean together.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Result;

/// The number of a batch. The first commit of a new directory is `TxId(1)`; `TxId(0)` is "nothing yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct TxId(pub u64);

impl TxId {
    /// The txid that follows this one.
    pub fn next(self) -> TxId {
        TxId(self.0 + 1)
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A state table: the durable state of one operator or one relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u64);

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a chunk stands within its table: by txid, then by its place in that commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkId {
    /// The commit that appended it (of a folded chunk: the newest commit folded into it).
    pub txid: TxId,
    /// Its place among the chunks of that commit and table, from 0.
    pub place: u32,
}

/// One columnar chunk of a state table. The payload's meaning belongs to its writer; the store checksums it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it stands.
    pub id: ChunkId,
    /// How often it has been folded: 0 as written by a commit.
    pub tier: u8,
    /// The bytes given to [`Write::Append`].
    pub payload: Bytes,
}

/// One change within a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a key of the small keyed space: catalog, source positions, watermarks.
    Put {
        /// Key bytes, at most 1 KiB.
        key: Vec<u8>,
        /// Value bytes.
        value: Vec<u8>,
    },
    /// Removes a key of the small keyed space; a missing key is no error.
    Delete {
        /// Key bytes.
        key: Vec<u8>,
    },
    /// Appends a chunk to a state table. Several appends to one table in one commit keep their order.
    Append {
        /// The table.
        table: TableId,
        /// The chunk's content.
        payload: Bytes,
    },
    /// Removes every chunk of a table that was there before this commit. Appends of the same commit stay.
    Clear {
        /// The table.
        table: TableId,
    },
}

/// Everything a batch changes, applied as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Must be the successor of [`StateStore::last_txid`].
    pub txid: TxId,
    /// The changes, in order.
    pub writes: Vec<Write>,
}

/// What a commit cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitStats {
    /// Bytes handed to the store: keys and values.
    pub bytes: u64,
}

/// The chunks of a table, oldest first. An `Err` item ends the iteration.
pub type ChunkIter<'a> = Box<dyn Iterator<Item = Result<Chunk>> + Send + 'a>;

/// Durable, transactional state. One writer commits; any thread reads.
pub trait StateStore: Send + Sync + fmt::Debug {
    /// The last committed txid.
    fn last_txid(&self) -> TxId;

    /// Applies a commit atomically and returns when it is durable.
    ///
    /// Errors: [`crate::Error::DiskFull`] when there is no room (nothing was applied; call [`StateStore::reopen`]
    /// until it succeeds, then commit again), [`crate::Error::OutOfOrder`] for a wrong txid. A failed fsync doesn't
    /// return: it ends the process, because what the disk holds is no longer known.
    fn commit(&self, commit: &Commit) -> Result<CommitStats>;

    /// Reads a key of the small keyed space.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// All keys of the small keyed space that start with `prefix`, ascending, with their values.
    fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// The chunks of a table as of now (later commits and folds don't change what the iterator yields).
    fn chunks(&self, table: TableId) -> Result<ChunkIter<'_>>;

    /// The chunks of a table from `from` on, oldest first, as [`StateStore::chunks`] yields them.
    fn chunks_from(&self, table: TableId, from: ChunkId) -> Result<ChunkIter<'_>> {
        let all = self.chunks(table)?;
        Ok(Box::new(all.skip_while(move |chunk| matches!(chunk, Ok(chunk) if chunk.id < from))))
    }

    /// One chunk; `None` if it isn't there (any more).
    fn chunk(&self, table: TableId, id: ChunkId) -> Result<Option<Chunk>>;

    /// The ids, tiers and payload sizes in bytes of a table's chunks, oldest first, without reading payloads where possible.
    fn chunk_sizes(&self, table: TableId) -> Result<Vec<(ChunkId, u8, u64)>>;

    /// Every table that has chunks.
    fn tables(&self) -> Result<Vec<TableId>>;

    /// Replaces the adjacent chunks `old` (ascending, all present) by `new`, atomically and durably with the next commit at the
    /// latest. `new` takes the place of `old`'s last chunk; `None` when nothing is left of them.
    /// Returns `false`, changing nothing, if any of `old` is no longer there.
    fn replace_chunks(&self, table: TableId, old: &[ChunkId], new: Option<(u8, Bytes)>) -> Result<bool>;

    /// After [`crate::Error::DiskFull`]: tries to make the store writable again. Committed data is unchanged.
    fn reopen(&self) -> Result<()>;
}
