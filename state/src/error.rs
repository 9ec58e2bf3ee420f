//! What can go wrong with durable state, by what the caller must do about it.

use crate::{TableId, TxId};

/// Result of a state operation.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Pause acknowledgements, free space, `reopen`, commit again.
    #[error("no space left on the device that holds the data directory; commits pause until there is room")]
    DiskFull,
    /// Another process has the directory open: stop.
    #[error("data directory {path} is in use by another process")]
    Locked {
        /// The directory.
        path: String,
    },
    /// The directory was written by a newer Monsoon: stop.
    #[error("data directory {path} has format {found}, and this binary reads up to {supported}; use a newer monsoon")]
    NewerFormat {
        /// The directory.
        path: String,
        /// The version found.
        found: u32,
        /// The newest version this binary reads.
        supported: u32,
    },
    /// Stop, and keep the directory as evidence.
    #[error("data directory is damaged: {0}")]
    Corrupt(String),
    /// The store has lost commits that were acknowledged: stop.
    #[error("data directory is damaged: {witness} is the last acknowledged txid, and the store ends at {store}")]
    BehindWitness {
        /// What the store holds.
        store: TxId,
        /// What was acknowledged.
        witness: TxId,
    },
    /// A bug in the caller: txids commit in order.
    #[error("commit of txid {got} out of order, expected {expected}")]
    OutOfOrder {
        /// What was given.
        got: TxId,
        /// What must come.
        expected: TxId,
    },
    /// A chunk failed its checksum: stop, and keep the directory as evidence.
    #[error("data directory is damaged: chunk of table {table}, txid {txid}: {reason}")]
    CorruptChunk {
        /// The table.
        table: TableId,
        /// The commit that wrote it.
        txid: TxId,
        /// What was wrong.
        reason: String,
    },
    /// An I/O error that isn't one of the above.
    #[error("state store: {0}")]
    Io(String),
}
