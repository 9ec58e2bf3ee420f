//! What only the RocksDB store promises: damage is noticed, a kill loses nothing acknowledged, a full disk is survived.

mod damage;
mod disk_full;
mod kill;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::check;
use crate::suite::{ChunkContent, Content, KeyValue, Random, content_of, random_commit, small_options};

/// A directory in memory where there is one: these tests are about bytes, and sync thousands of times.
fn fast_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn open(dir: &Path) -> Result<RocksStore> {
    RocksStore::open(dir, small_options())
}

/// Moves what is in memtables to SST and blob files.
fn flush(store: &RocksStore) {
    let db = store.db().unwrap();
    for name in [META, INDEX, CHUNKS] {
        db.flush_cf(family(&db, name)).unwrap();
    }
}

fn commit_some(store: &RocksStore, count: u64) {
    for _ in 0..count {
        let txid = store.last_txid().next();
        store.commit(&random_commit(&mut Random::new(txid.0), txid)).unwrap();
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Names and contents of everything under `dir`, to see that nothing changed.
fn bytes_of_tree(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(bytes_of_tree(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Last txid, keys, and each table's bytes.
type Meaning = (TxId, Vec<KeyValue>, Vec<(TableId, Vec<u8>)>);

/// What a table's chunks mean together to the tests' merge, whatever the chunks are cut into.
fn meaning_of(content: &Content) -> Meaning {
    let joined = |chunks: &[ChunkContent]| chunks.iter().flat_map(|chunk| chunk.3.iter().copied()).collect::<Vec<u8>>();
    let tables = content.chunks.iter().map(|(table, chunks)| (*table, joined(chunks)));
    let tables = tables.filter(|(_, bytes)| !bytes.is_empty()).collect();
    (content.last_txid, content.keys.clone(), tables)
}

#[test]
fn second_process_is_told_that_the_directory_is_locked() {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::Locked { .. })));
    assert!(matches!(check(dir.path()), Err(Error::Locked { .. })));
    drop(store);
    open(dir.path()).unwrap();
}

#[test]
fn whole_directory_passes_the_check_which_changes_nothing() {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    commit_some(&store, 50);
    flush(&store);
    commit_some(&store, 50);
    let content = content_of(&store).unwrap();
    drop(store);
    let before = bytes_of_tree(dir.path());
    let report = check(dir.path()).unwrap();
    assert!(report.is_whole() && report.notes.is_empty(), "{report:?}");
    assert_eq!(report.last_txid, TxId(100));
    assert_eq!(report.tables, content.chunks.len() as u64);
    assert_eq!(report.chunks, content.chunks.iter().map(|(_, chunks)| chunks.len() as u64).sum::<u64>());
    let bytes = content.chunks.iter().flat_map(|(_, chunks)| chunks).map(|chunk| chunk.3.len() as u64).sum::<u64>();
    assert_eq!(report.bytes, bytes);
    assert!(bytes_of_tree(dir.path()) == before);
}

#[test]
fn older_copy_of_the_store_is_behind_its_witness() {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    commit_some(&store, 5);
    drop(store);
    let older = fast_dir();
    copy_tree(&dir.path().join("store"), older.path());
    let store = open(dir.path()).unwrap();
    commit_some(&store, 5);
    drop(store);
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    copy_tree(older.path(), &dir.path().join("store"));
    assert!(matches!(open(dir.path()), Err(Error::BehindWitness { store: TxId(5), witness: TxId(10) })));
    assert!(!check(dir.path()).unwrap().is_whole());
}

#[test]
fn store_without_its_witness_is_refused() {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    commit_some(&store, 1);
    drop(store);
    fs::remove_file(dir.path().join("WITNESS")).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::Corrupt(_))));
    assert!(!check(dir.path()).unwrap().is_whole());
}

/// The doubtful case: the log has the commit, the caller was told that the disk is full.
#[test]
fn commit_that_landed_before_disk_full_is_committed_once() {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    commit_some(&store, 3);
    let append = Write::Append { table: TableId(1), payload: Bytes::from_static(b"once") };
    let commit = Commit { txid: TxId(4), writes: vec![append.clone()] };
    {
        let mut writer = store.writer.lock();
        let Admission::Apply(digest) = writer.sequence.admit(&commit).unwrap() else { panic!("txid 4 is next") };
        let db = store.db().unwrap();
        handle::write(&db, true, || batch_of(&db, &commit, &digest)).unwrap();
        writer.sequence.doubt(digest.header);
        writer.poisoned = true;
    }
    assert!(matches!(store.commit(&commit), Err(Error::DiskFull)));
    assert_eq!(store.last_txid(), TxId(3));
    store.reopen().unwrap();
    assert_eq!(store.last_txid(), TxId(4));
    let other = Commit { txid: TxId(4), writes: vec![] };
    assert!(matches!(store.commit(&other), Err(Error::OutOfOrder { .. })));
    let before = content_of(&store).unwrap();
    store.commit(&commit).unwrap();
    assert_eq!(content_of(&store).unwrap(), before);
    store.commit(&Commit { txid: TxId(5), writes: vec![append] }).unwrap();
}

/// Folding and clearing would fill the disk if dead payloads stayed.
#[test]
fn space_of_dead_chunks_is_reclaimed() {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    let table = TableId(1);
    let payload = Bytes::from(Random::new(1).bytes(9000));
    let mut written = 0;
    for txid in 1..=600 {
        let mut writes = vec![Write::Append { table, payload: payload.clone() }];
        if txid % 10 == 0 {
            writes.insert(0, Write::Clear { table });
        }
        store.commit(&Commit { txid: TxId(txid), writes }).unwrap();
        written += payload.len() as u64;
    }
    flush(&store);
    store.db().unwrap().wait_for_compact(&rocksdb::WaitForCompactOptions::default()).unwrap();
    let blobs = fs::read_dir(dir.path().join("store")).unwrap().map(|entry| entry.unwrap());
    let blobs = blobs.filter(|entry| entry.path().extension().is_some_and(|ext| ext == "blob"));
    let kept: u64 = blobs.map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(kept < written / 4, "{kept} of {written} bytes are still there");
}
