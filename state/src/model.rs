//! `ModelStore`: the store as plain maps. It defines what [`StateStore`] means; RocksDB must agree with it.
//!
//! Everything it holds is committed. A crash is [`ModelStore::snapshot`] at any moment and [`ModelStore::restore`] later.
//! Deterministic: no clock, no randomness, no threads of its own.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::content::{Digest, Header, Places};
use crate::sequence::{Admission, Sequence};
use crate::{Chunk, ChunkId, ChunkIter, Commit, CommitStats, Error, Result, StateStore, TableId, TxId, Write};

/// A tier and a payload.
type Stored = (u8, Bytes);

/// What is committed.
#[derive(Debug, Clone, Default)]
struct Content {
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
    chunks: BTreeMap<TableId, BTreeMap<ChunkId, Stored>>,
    header: Header,
}

/// Committed content at one moment.
#[derive(Debug, Clone)]
pub struct ModelSnapshot(Content);

/// A fault that a later commit meets.
#[derive(Debug)]
struct Fault {
    error: Error,
    landed: bool,
}

#[derive(Debug)]
struct Inner {
    content: Content,
    sequence: Sequence,
    faults: VecDeque<Fault>,
    /// After [`Error::DiskFull`], until `reopen` succeeds.
    poisoned: bool,
    reopen_failures: usize,
}

/// The store as plain maps.
#[derive(Debug)]
pub struct ModelStore {
    inner: Mutex<Inner>,
}

impl Default for ModelStore {
    fn default() -> ModelStore {
        ModelStore::new()
    }
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> ModelStore {
        ModelStore::restore(&ModelSnapshot(Content::default()))
    }

    /// What a new process finds after a crash at the moment of `snapshot`.
    pub fn restore(snapshot: &ModelSnapshot) -> ModelStore {
        let content = snapshot.0.clone();
        let sequence = Sequence::new(content.header);
        let faults = VecDeque::new();
        ModelStore { inner: Mutex::new(Inner { content, sequence, faults, poisoned: false, reopen_failures: 0 }) }
    }

    /// The committed content as of now.
    pub fn snapshot(&self) -> ModelSnapshot {
        ModelSnapshot(self.inner.lock().content.clone())
    }

    /// The next commit fails with `error` and changes nothing. Calls queue up: one commit each.
    /// [`Error::DiskFull`] also poisons the store until `reopen`, as it does on disk.
    pub fn fail_next(&self, error: Error) {
        self.inner.lock().faults.push_back(Fault { error, landed: false });
    }

    /// The next commit answers [`Error::DiskFull`] although it reached the log: `reopen` will find it committed.
    pub fn fail_next_after_landing(&self) {
        self.inner.lock().faults.push_back(Fault { error: Error::DiskFull, landed: true });
    }

    /// The next `times` calls of `reopen` find that there is still no room.
    pub fn fail_reopen(&self, times: usize) {
        self.inner.lock().reopen_failures = times;
    }
}

impl Content {
    fn apply(&mut self, commit: &Commit, header: Header) {
        let mut places = Places::new(commit.txid);
        for write in &commit.writes {
            match write {
                Write::Put { key, value } => {
                    self.keys.insert(key.clone(), value.clone());
                }
                Write::Delete { key } => {
                    self.keys.remove(key);
                }
                Write::Append { table, payload } => {
                    self.chunks.entry(*table).or_default().insert(places.take(*table), (0, payload.clone()));
                }
                Write::Clear { table } => {
                    if let Some(chunks) = self.chunks.get_mut(table) {
                        chunks.retain(|id, _| id.txid == commit.txid);
                    }
                }
            }
        }
        self.drop_empty_tables();
        self.header = header;
    }

    /// A table exists while it has chunks.
    fn drop_empty_tables(&mut self) {
        self.chunks.retain(|_, chunks| !chunks.is_empty());
    }

    fn replace(&mut self, table: TableId, old: &[ChunkId], new: Option<Stored>) -> bool {
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return false };
        let Some(chunks) = self.chunks.get_mut(&table) else { return false };
        if first > last || !chunks.range(*first..=*last).map(|(id, _)| id).eq(old) {
            return false;
        }
        for id in old {
            chunks.remove(id);
        }
        if let Some(new) = new {
            chunks.insert(*last, new);
        }
        self.drop_empty_tables();
        true
    }
}

impl Inner {
    fn apply(&mut self, commit: &Commit, digest: &Digest) -> Result<()> {
        let header = digest.header;
        let fault = self.faults.pop_front();
        let landed = fault.as_ref().is_none_or(|fault| fault.landed);
        if landed {
            self.content.apply(commit, header);
        }
        let Some(fault) = fault else {
            self.sequence.committed(header);
            return Ok(());
        };
        if matches!(fault.error, Error::DiskFull) {
            self.sequence.doubt(header);
            self.poisoned = true;
        }
        Err(fault.error)
    }
}

impl StateStore for ModelStore {
    fn last_txid(&self) -> TxId {
        self.inner.lock().sequence.last().txid
    }

    fn commit(&self, commit: &Commit) -> Result<CommitStats> {
        let mut inner = self.inner.lock();
        if inner.poisoned {
            return Err(Error::DiskFull);
        }
        match inner.sequence.admit(commit)? {
            Admission::AlreadyApplied(digest) => Ok(CommitStats { bytes: digest.bytes }),
            Admission::Apply(digest) => {
                inner.apply(commit, &digest)?;
                Ok(CommitStats { bytes: digest.bytes })
            }
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.inner.lock().content.keys.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let inner = self.inner.lock();
        let from = inner.content.keys.range(prefix.to_vec()..);
        Ok(from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn chunks(&self, table: TableId) -> Result<ChunkIter<'_>> {
        let chunks = self.inner.lock().content.chunks.get(&table).cloned().unwrap_or_default();
        Ok(Box::new(chunks.into_iter().map(|(id, (tier, payload))| Ok(Chunk { id, tier, payload }))))
    }

    fn chunk(&self, table: TableId, id: ChunkId) -> Result<Option<Chunk>> {
        let inner = self.inner.lock();
        let stored = inner.content.chunks.get(&table).and_then(|chunks| chunks.get(&id));
        Ok(stored.map(|(tier, payload)| Chunk { id, tier: *tier, payload: payload.clone() }))
    }

    fn chunk_sizes(&self, table: TableId) -> Result<Vec<(ChunkId, u8, u64)>> {
        let inner = self.inner.lock();
        let chunks = inner.content.chunks.get(&table).into_iter().flatten();
        Ok(chunks.map(|(id, (tier, payload))| (*id, *tier, payload.len() as u64)).collect())
    }

    fn tables(&self) -> Result<Vec<TableId>> {
        Ok(self.inner.lock().content.chunks.keys().copied().collect())
    }

    fn replace_chunks(&self, table: TableId, old: &[ChunkId], new: Option<(u8, Bytes)>) -> Result<bool> {
        let mut inner = self.inner.lock();
        if inner.poisoned {
            return Err(Error::DiskFull);
        }
        Ok(inner.content.replace(table, old, new))
    }

    fn reopen(&self) -> Result<()> {
        let mut inner = self.inner.lock();
        if inner.reopen_failures > 0 {
            inner.reopen_failures -= 1;
            return Err(Error::DiskFull);
        }
        let found = inner.content.header;
        inner.sequence.reopened(found)?;
        inner.poisoned = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(txid: u64) -> Commit {
        Commit { txid: TxId(txid), writes: vec![Write::Put { key: vec![1], value: vec![txid as u8] }] }
    }

    #[test]
    fn disk_full_changes_nothing_until_reopen() {
        let store = ModelStore::new();
        store.commit(&put(1)).unwrap();
        store.fail_next(Error::DiskFull);
        assert!(matches!(store.commit(&put(2)), Err(Error::DiskFull)));
        assert!(matches!(store.commit(&put(2)), Err(Error::DiskFull)), "poisoned");
        assert_eq!(store.get(&[1]).unwrap(), Some(vec![1]));
        store.fail_reopen(1);
        assert!(store.reopen().is_err());
        store.reopen().unwrap();
        assert_eq!(store.last_txid(), TxId(1));
        store.commit(&put(2)).unwrap();
        assert_eq!(store.get(&[1]).unwrap(), Some(vec![2]));
    }

    #[test]
    fn commit_that_landed_before_disk_full_is_committed_once() {
        let store = ModelStore::new();
        let append = Commit {
            txid: TxId(1),
            writes: vec![Write::Append { table: TableId(1), payload: Bytes::from_static(b"rows") }],
        };
        store.fail_next_after_landing();
        assert!(matches!(store.commit(&append), Err(Error::DiskFull)));
        store.reopen().unwrap();
        assert_eq!(store.last_txid(), TxId(1));
        store.commit(&append).unwrap();
        assert_eq!(store.chunk_sizes(TableId(1)).unwrap().len(), 1);
    }

    #[test]
    fn snapshot_is_what_a_crash_leaves() {
        let store = ModelStore::new();
        store.commit(&put(1)).unwrap();
        let crash = store.snapshot();
        store.commit(&put(2)).unwrap();
        let restored = ModelStore::restore(&crash);
        assert_eq!(restored.last_txid(), TxId(1));
        restored.commit(&put(2)).unwrap();
        assert_eq!(restored.get(&[1]).unwrap(), Some(vec![2]));
    }
}
