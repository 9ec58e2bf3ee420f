//! `LogSizes`: how many rows the chunks of stream logs hold, as far as somebody has counted them. A reader that begins at a later row passes over
//! chunks by it, without reading them.

use std::collections::HashMap;

use monsoon_state::{ChunkId, TableId};
use parking_lot::Mutex;

/// A chunk as it is stored: its id, tier and size in bytes. A folded chunk bears the id of its last part, in another tier.
pub(crate) type StoredChunk = (ChunkId, u8, u64);

/// Rows of chunks, by table. As many as there are chunks: those that are gone are forgotten when a log is opened.
#[derive(Default)]
pub(crate) struct LogSizes {
    rows: Mutex<HashMap<TableId, HashMap<StoredChunk, u64>>>,
}

impl LogSizes {
    /// The rows of a chunk, if they were counted.
    pub fn get(&self, table: TableId, chunk: StoredChunk) -> Option<u64> {
        self.rows.lock().get(&table)?.get(&chunk).copied()
    }

    /// A chunk was counted.
    pub fn note(&self, table: TableId, chunk: StoredChunk, rows: u64) {
        self.rows.lock().entry(table).or_default().insert(chunk, rows);
    }

    /// These chunks are all that a table has.
    pub fn keep(&self, table: TableId, chunks: &[StoredChunk]) {
        let mut rows = self.rows.lock();
        let Some(known) = rows.remove(&table) else { return };
        let kept = chunks.iter().filter_map(|chunk| Some((*chunk, *known.get(chunk)?))).collect();
        rows.insert(table, kept);
    }

    /// A table is gone.
    pub fn forget(&self, table: TableId) {
        self.rows.lock().remove(&table);
    }
}
