//! `Recorder`: a store that remembers what a crash after each commit would have left.

use std::sync::Arc;

use bytes::Bytes;
use monsoon_state::{
    Chunk, ChunkId, ChunkIter, Commit, CommitStats, ModelSnapshot, ModelStore, Result, StateStore, TableId, TxId,
};
use std::sync::{Mutex, PoisonError};

/// Commits whose content is remembered.
const REMEMBERED: usize = 8;

/// A model store and its recent past.
#[derive(Debug)]
pub struct Recorder {
    store: ModelStore,
    past: Mutex<Vec<(TxId, ModelSnapshot)>>,
}

impl Recorder {
    /// An empty store.
    pub fn empty() -> Arc<Recorder> {
        Recorder::over(ModelStore::new())
    }

    /// What a new process finds.
    pub fn after_crash(left: &ModelSnapshot) -> Arc<Recorder> {
        Recorder::over(ModelStore::restore(left))
    }

    fn over(store: ModelStore) -> Arc<Recorder> {
        let start = (store.last_txid(), store.snapshot());
        Arc::new(Recorder { store, past: Mutex::new(vec![start]) })
    }

    /// What a crash would leave if this was the last commit that reached the disk.
    pub fn left_after(&self, txid: TxId) -> Option<ModelSnapshot> {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.iter().find(|(known, _)| *known == txid).map(|(_, snapshot)| snapshot.clone())
    }

    /// What a crash would leave now, folds included.
    pub fn left_now(&self) -> ModelSnapshot {
        self.store.snapshot()
    }

    /// Chunks that folding has made.
    pub fn folded_chunks(&self) -> usize {
        let tables = self.store.tables().unwrap_or_default();
        let sizes = tables.into_iter().flat_map(|table| self.store.chunk_sizes(table).unwrap_or_default());
        sizes.filter(|(_, tier, _)| *tier > 0).count()
    }
}

impl StateStore for Recorder {
    fn last_txid(&self) -> TxId {
        self.store.last_txid()
    }

    fn commit(&self, commit: &Commit) -> Result<CommitStats> {
        let stats = self.store.commit(commit)?;
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == REMEMBERED {
            past.remove(0);
        }
        past.push((commit.txid, self.store.snapshot()));
        Ok(stats)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.store.scan(prefix)
    }

    fn chunks(&self, table: TableId) -> Result<ChunkIter<'_>> {
        self.store.chunks(table)
    }

    fn chunk(&self, table: TableId, id: ChunkId) -> Result<Option<Chunk>> {
        self.store.chunk(table, id)
    }

    fn chunk_sizes(&self, table: TableId) -> Result<Vec<(ChunkId, u8, u64)>> {
        self.store.chunk_sizes(table)
    }

    fn tables(&self) -> Result<Vec<TableId>> {
        self.store.tables()
    }

    fn replace_chunks(&self, table: TableId, old: &[ChunkId], new: Option<(u8, Bytes)>) -> Result<bool> {
        self.store.replace_chunks(table, old, new)
    }

    fn reopen(&self) -> Result<()> {
        self.store.reopen()
    }
}
