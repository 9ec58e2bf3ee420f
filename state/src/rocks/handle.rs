//! An open database, read and written in our terms: headers, index entries, tables.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rocksdb::{ColumnFamily, DB, IteratorMode, PrefixRange, ReadOptions, WriteBatch, WriteOptions};

use super::failure::{is_stall, open_error, read_error, write_error};
use super::keys::{Entry, HEADER_KEY, chunk_key, parse_chunk_key};
use super::options::{Access, RocksOptions, database, families};
use crate::content::Header;
use crate::{ChunkId, Error, Result, TableId};

/// The small keyed space.
pub(crate) const META: &str = "meta";
/// What chunks there are.
pub(crate) const INDEX: &str = "index";
/// Their payloads.
pub(crate) const CHUNKS: &str = "chunks";

const STALL_POLL: Duration = Duration::from_millis(1);

/// Opens the database in `path`. One that is created gets its first header.
pub(crate) fn open(path: &Path, options: &RocksOptions, access: Access) -> Result<DB> {
    let failed = |e| open_error(path, &e);
    let database = database(options, access).map_err(failed)?;
    if access == Access::ReadOnly {
        return DB::open_cf_descriptors_read_only(&database, path, families(options), false).map_err(failed);
    }
    let db = DB::open_cf_descriptors(&database, path, families(options)).map_err(failed)?;
    if access == Access::Create {
        write(&db, true, || {
            let mut batch = WriteBatch::default();
            put_header(&db, &mut batch, Header::default());
            Ok(batch)
        })?;
    }
    Ok(db)
}

/// Writes a batch, waiting while RocksDB holds writes back.
///
/// RocksDB would do the waiting itself, but when a flush has failed for lack of space it waits for room in the middle of the
/// write, for ever if need be, and the commit could not tell its caller. So the wait is here, and ends with
/// [`Error::DiskFull`] once anything in the background has failed. A write that is held back has written nothing, and is
/// built anew because RocksDB has taken the batch.
pub(crate) fn write(db: &DB, sync: bool, batch: impl Fn() -> Result<WriteBatch>) -> Result<()> {
    let mut options = WriteOptions::default();
    options.set_sync(sync);
    options.set_no_slowdown(true);
    loop {
        match db.write_opt(batch()?, &options) {
            Ok(()) => return Ok(()),
            Err(e) if is_stall(&e) && !has_background_error(db)? => thread::sleep(STALL_POLL),
            Err(e) if is_stall(&e) => return Err(Error::DiskFull),
            Err(e) => return Err(write_error(&e)),
        }
    }
}

/// Whether a flush or compaction has failed since the database was opened.
fn has_background_error(db: &DB) -> Result<bool> {
    let count = db.property_int_value("rocksdb.background-errors").map_err(|e| read_error(&e))?;
    Ok(count.is_some_and(|count| count > 0))
}

pub(crate) fn family<'a>(db: &'a DB, name: &str) -> &'a ColumnFamily {
    db.cf_handle(name).expect("the database was opened with its three families")
}

/// Puts the header into all three families.
pub(crate) fn put_header(db: &DB, batch: &mut WriteBatch, header: Header) {
    let value = header.encode();
    for name in [META, INDEX, CHUNKS] {
        batch.put_cf(family(db, name), HEADER_KEY, &value);
    }
}

/// Reads the header, which must be the same in all three families.
pub(crate) fn read_header(db: &DB) -> Result<Header> {
    let mut headers = Vec::new();
    for name in [META, INDEX, CHUNKS] {
        let value = db.get_cf(family(db, name), HEADER_KEY).map_err(|e| read_error(&e))?;
        let value = value.ok_or_else(|| Error::Corrupt(format!("column family {name} has no header")))?;
        headers.push(Header::decode(&value)?);
    }
    if headers.iter().any(|header| *header != headers[0]) {
        let ends: Vec<_> = headers.iter().map(|header| header.txid.to_string()).collect();
        return Err(Error::Corrupt(format!(
            "column families {META}, {INDEX}, {CHUNKS} end at txids {}",
            ends.join(", ")
        )));
    }
    Ok(headers[0])
}

/// Index entries of a table, oldest first, from `from` on. `read` decides as of when.
pub(crate) fn entries(db: &DB, mut read: ReadOptions, table: TableId, from: Option<ChunkId>) -> Result<Vec<Entry>> {
    read.set_iterate_range(PrefixRange(table.0.to_be_bytes()));
    if let Some(from) = from {
        read.set_iterate_lower_bound(chunk_key(table, from));
    }
    let mut found = Vec::new();
    for item in db.iterator_cf_opt(family(db, INDEX), read, IteratorMode::Start) {
        let (key, value) = item.map_err(|e| read_error(&e))?;
        let (_, id) =
            parse_chunk_key(&key).ok_or_else(|| Error::Corrupt("the index holds a key of unknown form".to_owned()))?;
        found.push(Entry::decode(table, id, &value)?);
    }
    Ok(found)
}

/// Every table with chunks: one seek each.
pub(crate) fn tables(db: &DB) -> Result<Vec<TableId>> {
    let mut found = Vec::new();
    let mut rows = db.raw_iterator_cf(family(db, INDEX));
    rows.seek(0u64.to_be_bytes());
    while let Some(key) = rows.key() {
        let (table, _) =
            parse_chunk_key(key).ok_or_else(|| Error::Corrupt("the index holds a key of unknown form".to_owned()))?;
        found.push(table);
        match table.0.checked_add(1) {
            Some(next) => rows.seek(next.to_be_bytes()),
            None => break,
        }
    }
    rows.status().map_err(|e| read_error(&e))?;
    Ok(found)
}
