//! `RocksStore`: [`StateStore`] on RocksDB.
//!
//! One commit is one write batch with everything in it: keys, index entries, payloads, and the header (txid and running
//! hash) in each column family. Order of events in a commit, which is what makes it safe:
//!
//! 1. the batch is appended to RocksDB's log and synced;
//! 2. the header is recorded in the witness;
//! 3. `commit` returns, and the caller may acknowledge.
//!
//! A kill between 1 and 2 leaves a store ahead of its witness, which is fine: nobody was told.
//!
//! Folds (`replace_chunks`) go through the same log without a sync. The log is one sequence, and a sync covers everything
//! before it, so a fold is durable with the next commit and can't outlive or overtake a commit it depends on.
//!
//! After a full disk RocksDB's handle stays broken even when there is room again (measured). It is closed and opened anew by
//! `reopen`; until then reads go on and writes answer [`Error::DiskFull`].

mod failure;
mod handle;
mod keys;
mod options;
mod pinned;

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rocksdb::{DB, IteratorMode, PrefixRange, ReadOptions, WriteBatch};

use self::failure::read_error;
use self::handle::{CHUNKS, INDEX, META, family};
use self::keys::{Entry, chunk_key, corrupt_chunk, user_key, user_part};
use self::options::Access;
use self::pinned::PinnedSnapshot;
use crate::content::{Digest, Header, Places, checksum};
use crate::directory::{DataDir, Stage};
use crate::sequence::{Admission, Sequence};
use crate::witness::{Witness, judge};
use crate::{Chunk, ChunkId, ChunkIter, Commit, CommitStats, Error, Result, StateStore, TableId, TxId, Write};

pub(crate) use self::failure::{end_process, read_error as rocks_read_error};
pub(crate) use self::handle::{CHUNKS as CHUNKS_FAMILY, INDEX as INDEX_FAMILY, META as META_FAMILY};
pub(crate) use self::keys::{Entry as IndexEntry, HEADER_KEY, parse_chunk_key};
pub use self::options::RocksOptions;
pub(crate) use self::pinned::verify_file_checksums;

/// Room that `reopen` wants beyond what replaying the log may write.
const REOPEN_SPARE_BYTES: u64 = 4 << 20;

/// The state of a process, in a data directory.
pub struct RocksStore {
    last_txid: AtomicU64,
    writer: Mutex<Writer>,
    /// `None` from a `reopen` that closed the old handle and couldn't open a new one, until one can.
    db: RwLock<Option<Arc<DB>>>,
    options: RocksOptions,
    /// Declared last: the directory is given up after everything in it is closed.
    directory: DataDir,
}

#[derive(Debug)]
struct Writer {
    sequence: Sequence,
    witness: Witness,
    /// A write failed: this handle takes no more.
    poisoned: bool,
}

impl RocksStore {
    /// Opens the data directory, making it if it is new.
    ///
    /// Errors: [`Error::Locked`], [`Error::NewerFormat`], [`Error::Corrupt`], [`Error::BehindWitness`], [`Error::DiskFull`]. A
    /// directory that is refused as damaged has not been changed.
    pub fn open(dir: &Path, options: RocksOptions) -> Result<RocksStore> {
        let directory = DataDir::take(dir)?;
        if directory.stage()? == Stage::Fresh {
            directory.begin()?;
            drop(handle::open(&directory.store_path(), &options, Access::Create)?);
            Witness::create(&directory.witness_path(), Header::default())?;
            directory.finish()?;
        }
        directory.clear_marker()?;
        let (mut witness, testimony) = Witness::open(&directory.witness_path())?;
        // Opening for writing truncates and replaces logs. Look first, so that a store that has to be refused is still
        // there as evidence.
        let looked = open_read_only(&directory, &options)?;
        judge(handle::read_header(&looked)?, testimony.header)?;
        drop(looked);

        let db = handle::open(&directory.store_path(), &options, Access::Existing)?;
        let header = handle::read_header(&db)?;
        judge(header, testimony.header)?;
        witness.record(header);
        Ok(RocksStore {
            last_txid: AtomicU64::new(header.txid.0),
            writer: Mutex::new(Writer { sequence: Sequence::new(header), witness, poisoned: false }),
            db: RwLock::new(Some(Arc::new(db))),
            options,
            directory,
        })
    }

    /// The open database. Answers [`Error::DiskFull`] between a failed `reopen` and the next one.
    fn db(&self) -> Result<Arc<DB>> {
        self.db.read().clone().ok_or(Error::DiskFull)
    }

    /// Writes a commit that may be applied, and tells the witness.
    fn apply(&self, writer: &mut Writer, commit: &Commit, digest: &Digest) -> Result<()> {
        let db = self.db()?;
        handle::write(&db, self.options.sync, || batch_of(&db, commit, digest)).inspect_err(|_| {
            writer.poisoned = true;
            writer.sequence.doubt(digest.header);
        })?;
        writer.sequence.committed(digest.header);
        writer.witness.record(digest.header);
        self.last_txid.store(digest.header.txid.0, Ordering::Release);
        Ok(())
    }

    /// What replaying the log may write, and some more.
    fn reopen_bytes(&self) -> Result<u64> {
        let path = self.directory.store_path();
        let unreadable = |e| Error::Io(format!("cannot list {}: {e}", path.display()));
        let mut bytes = REOPEN_SPARE_BYTES;
        for file in fs::read_dir(&path).map_err(unreadable)? {
            let file = file.map_err(unreadable)?;
            if file.path().extension().is_some_and(|ext| ext == "log") {
                bytes += file.metadata().map_err(unreadable)?.len();
            }
        }
        Ok(bytes)
    }
}

/// Opens the directory's database without changing a file.
pub(crate) fn open_read_only(directory: &DataDir, options: &RocksOptions) -> Result<DB> {
    handle::open(&directory.store_path(), options, Access::ReadOnly)
}

/// The header all column families agree on.
pub(crate) fn header_of(db: &DB) -> Result<Header> {
    handle::read_header(db)
}

/// The write batch of a commit.
fn batch_of(db: &DB, commit: &Commit, digest: &Digest) -> Result<WriteBatch> {
    let (meta, index, chunks) = (family(db, META), family(db, INDEX), family(db, CHUNKS));
    let mut batch = WriteBatch::default();
    let mut places = Places::new(commit.txid);
    let mut checksums = digest.payload_checksums.iter();
    for write in &commit.writes {
        match write {
            Write::Put { key, value } => batch.put_cf(meta, user_key(key), value),
            Write::Delete { key } => batch.delete_cf(meta, user_key(key)),
            Write::Append { table, payload } => {
                let sum = checksums.next().expect("a digest has a checksum per append");
                let id = places.take(*table);
                let entry = Entry { id, tier: 0, payload_bytes: payload.len() as u64, payload_checksum: *sum };
                put_chunk(&mut batch, (index, chunks), *table, &entry, payload);
            }
            // Keys of this commit aren't in the index yet, so what is cleared is what was there before. Deleting key by key
            // beats a range tombstone here: chunks are few, and tombstones slow every later read of the range.
            Write::Clear { table } => {
                for entry in handle::entries(db, ReadOptions::default(), *table, None)? {
                    delete_chunk(&mut batch, (index, chunks), *table, entry.id);
                }
            }
        }
    }
    handle::put_header(db, &mut batch, digest.header);
    Ok(batch)
}

/// The write batch that replaces chunks; `new` takes the place of `last`.
fn fold_batch_of(db: &DB, table: TableId, old: &[ChunkId], last: ChunkId, new: Option<&(u8, Bytes)>) -> WriteBatch {
    let families = (family(db, INDEX), family(db, CHUNKS));
    let mut batch = WriteBatch::default();
    for id in old {
        delete_chunk(&mut batch, families, table, *id);
    }
    if let Some((tier, payload)) = new {
        let payload_checksum = checksum(payload);
        let entry = Entry { id: last, tier: *tier, payload_bytes: payload.len() as u64, payload_checksum };
        put_chunk(&mut batch, families, table, &entry, payload);
    }
    batch
}

type Families<'a> = (&'a rocksdb::ColumnFamily, &'a rocksdb::ColumnFamily);

fn put_chunk(batch: &mut WriteBatch, (index, chunks): Families<'_>, table: TableId, entry: &Entry, payload: &[u8]) {
    let key = chunk_key(table, entry.id);
    batch.put_cf(index, key, entry.encode());
    batch.put_cf(chunks, key, payload);
}

fn delete_chunk(batch: &mut WriteBatch, (index, chunks): Families<'_>, table: TableId, id: ChunkId) {
    let key = chunk_key(table, id);
    batch.delete_cf(index, key);
    batch.delete_cf(chunks, key);
}

/// Yields chunks as of a snapshot; payloads are read one at a time.
struct ChunkReader {
    pinned: PinnedSnapshot,
    table: TableId,
    entries: std::vec::IntoIter<Entry>,
}

impl ChunkReader {
    fn new(db: Arc<DB>, table: TableId, from: Option<ChunkId>) -> Result<ChunkReader> {
        let pinned = PinnedSnapshot::new(db);
        let mut read = ReadOptions::default();
        read.set_snapshot(pinned.snapshot());
        let entries = handle::entries(pinned.db(), read, table, from)?.into_iter();
        Ok(ChunkReader { pinned, table, entries })
    }
}

/// The chunk that an index entry tells of, compared with what the entry says.
fn read_chunk(pinned: &PinnedSnapshot, table: TableId, entry: Entry) -> Result<Chunk> {
    let payload = pinned.snapshot().get_cf(family(pinned.db(), CHUNKS), chunk_key(table, entry.id));
    let payload = payload.map_err(|e| match read_error(&e) {
        Error::Corrupt(reason) => corrupt_chunk(table, entry.id, reason),
        other => other,
    })?;
    entry.verify(table, payload.as_deref())?;
    Ok(Chunk { id: entry.id, tier: entry.tier, payload: Bytes::from(payload.unwrap_or_default()) })
}

impl Iterator for ChunkReader {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Result<Chunk>> {
        let entry = self.entries.next()?;
        let chunk = read_chunk(&self.pinned, self.table, entry);
        if chunk.is_err() {
            self.entries = Vec::new().into_iter();
        }
        Some(chunk)
    }
}

impl StateStore for RocksStore {
    fn last_txid(&self) -> TxId {
        TxId(self.last_txid.load(Ordering::Acquire))
    }

    fn commit(&self, commit: &Commit) -> Result<CommitStats> {
        let mut writer = self.writer.lock();
        if writer.poisoned {
            return Err(Error::DiskFull);
        }
        match writer.sequence.admit(commit)? {
            Admission::AlreadyApplied(digest) => Ok(CommitStats { bytes: digest.bytes }),
            Admission::Apply(digest) => {
                self.apply(&mut writer, commit, &digest)?;
                Ok(CommitStats { bytes: digest.bytes })
            }
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let db = self.db()?;
        db.get_cf(family(&db, META), user_key(key)).map_err(|e| read_error(&e))
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let db = self.db()?;
        let mut read = ReadOptions::default();
        read.set_iterate_range(PrefixRange(user_key(prefix)));
        let mut found = Vec::new();
        for item in db.iterator_cf_opt(family(&db, META), read, IteratorMode::Start) {
            let (key, value) = item.map_err(|e| read_error(&e))?;
            found.extend(user_part(&key).map(|key| (key.to_vec(), value.into_vec())));
        }
        Ok(found)
    }

    fn chunks(&self, table: TableId) -> Result<ChunkIter<'_>> {
        Ok(Box::new(ChunkReader::new(self.db()?, table, None)?))
    }

    fn chunks_from(&self, table: TableId, from: ChunkId) -> Result<ChunkIter<'_>> {
        Ok(Box::new(ChunkReader::new(self.db()?, table, Some(from))?))
    }

    fn chunk(&self, table: TableId, id: ChunkId) -> Result<Option<Chunk>> {
        let pinned = PinnedSnapshot::new(self.db()?);
        let entry =
            pinned.snapshot().get_cf(family(pinned.db(), INDEX), chunk_key(table, id)).map_err(|e| read_error(&e))?;
        let Some(entry) = entry else { return Ok(None) };
        let entry = Entry::decode(table, id, &entry)?;
        read_chunk(&pinned, table, entry).map(Some)
    }

    fn chunk_sizes(&self, table: TableId) -> Result<Vec<(ChunkId, u8, u64)>> {
        let entries = handle::entries(&*self.db()?, ReadOptions::default(), table, None)?;
        Ok(entries.into_iter().map(|entry| (entry.id, entry.tier, entry.payload_bytes)).collect())
    }

    fn tables(&self) -> Result<Vec<TableId>> {
        handle::tables(&*self.db()?)
    }

    fn replace_chunks(&self, table: TableId, old: &[ChunkId], new: Option<(u8, Bytes)>) -> Result<bool> {
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(false) };
        let mut writer = self.writer.lock();
        if writer.poisoned {
            return Err(Error::DiskFull);
        }
        let db = self.db()?;
        let there = handle::entries(&db, ReadOptions::default(), table, Some(*first))?;
        let there = there.iter().map(|entry| &entry.id).take_while(|id| *id <= last);
        if !there.eq(old) {
            return Ok(false);
        }
        // Whether a failed fold landed doesn't matter: either way the chunks mean the same.
        let written = handle::write(&db, false, || Ok(fold_batch_of(&db, table, old, *last, new.as_ref())));
        written.inspect_err(|_| writer.poisoned = true)?;
        Ok(true)
    }

    /// Answers [`Error::DiskFull`] too while a [`ChunkIter`] still reads through the old handle: end it, and try again.
    fn reopen(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        if !writer.poisoned {
            return Ok(());
        }
        // While there is no room the old handle stays, because it can still read.
        self.directory.probe_space(self.reopen_bytes()?)?;
        let mut slot = self.db.write();
        if let Some(db) = slot.take()
            && let Err(in_use) = Arc::try_unwrap(db)
        {
            *slot = Some(in_use);
            return Err(Error::DiskFull);
        }
        let db = handle::open(&self.directory.store_path(), &self.options, Access::Existing)?;
        let found = handle::read_header(&db)?;
        writer.sequence.reopened(found)?;
        writer.witness.record(found);
        writer.poisoned = false;
        self.last_txid.store(found.txid.0, Ordering::Release);
        *slot = Some(Arc::new(db));
        Ok(())
    }
}

impl Drop for RocksStore {
    /// Makes folds since the last commit durable. The witness syncs itself when it is dropped.
    fn drop(&mut self) {
        if self.writer.get_mut().poisoned {
            return;
        }
        if let Some(db) = self.db.get_mut()
            && let Err(e) = db.flush_wal(true)
        {
            tracing::warn!("closing {}: {e}", self.directory.path().display());
        }
    }
}

impl fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksStore")
            .field("directory", &self.directory.path())
            .field("last_txid", &self.last_txid())
            .finish()
    }
}

#[cfg(test)]
mod tests;
