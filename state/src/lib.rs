//! Durable, transactional state: the trait, the in-memory model that defines it, and RocksDB.
//!
//! Knows RocksDB, checksums, the witness, the data directory's format. Doesn't know SQL, circuits, or what a chunk means.
//!
//! Entry points: [`StateStore`] is the contract, [`ModelStore`] its definition, [`RocksStore`] the implementation that keeps
//! data; [`check`] verifies a directory offline; [`FoldPolicy`] keeps the number of chunks per table small.

mod check;
mod content;
mod directory;
mod error;
mod fold;
mod model;
mod rocks;
mod sequence;
mod store;
#[cfg(test)]
mod suite;
mod witness;

pub use check::{Report, check};
pub use content::KEY_BYTES_MAX;
pub use error::{Error, Result};
pub use fold::{FoldPolicy, fold_table};
pub use model::{ModelSnapshot, ModelStore};
pub use rocks::{RocksOptions, RocksStore};
pub use store::{Chunk, ChunkId, ChunkIter, Commit, CommitStats, StateStore, TableId, TxId, Write};
