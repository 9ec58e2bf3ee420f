//! One flipped byte anywhere: `check` reports it, and an open either refuses or shows everything that was acknowledged.

use super::*;
use crate::fold_table;

/// Offsets tried per file, beside its first and last bytes.
const SAMPLES: u64 = 10;
const EDGE_BYTES: u64 = 4;

/// Memtables large enough that nothing is flushed unasked.
fn open(dir: &Path) -> Result<RocksStore> {
    RocksStore::open(dir, RocksOptions::default())
}

/// A directory with compacted and flushed files, deleted chunks, folds, and a log that is not flushed. Ends with a commit, so
/// that every record of the log is followed by something acknowledged. Few enough files that no compaction is due when a copy
/// is opened: RocksDB pauses for a second after one that meets damage.
fn damaged_later() -> (TempDir, Content) {
    let dir = fast_dir();
    let store = open(dir.path()).unwrap();
    let merge = |chunks: &[Chunk]| Ok(Some(chunks.iter().flat_map(|chunk| chunk.payload.to_vec()).collect::<Bytes>()));
    for round in 0..3 {
        commit_some(&store, 30);
        for table in store.tables().unwrap() {
            fold_table(&store, table, TxId(0)..=TxId(u64::MAX), &merge).unwrap();
        }
        if round < 2 {
            flush(&store);
        }
        if round == 0 {
            compact(&store);
        }
    }
    commit_some(&store, 10);
    let content = content_of(&store).unwrap();
    drop(store);
    (dir, content)
}

fn compact(store: &RocksStore) {
    let db = store.db().unwrap();
    for name in [META, INDEX, CHUNKS] {
        db.compact_range_cf(family(&db, name), None::<&[u8]>, None::<&[u8]>);
    }
}

fn offsets(len: u64, random: &mut Random) -> Vec<u64> {
    let mut offsets: Vec<u64> = (0..EDGE_BYTES.min(len)).chain(len.saturating_sub(EDGE_BYTES)..len).collect();
    let stride = (len / SAMPLES).max(1);
    offsets.extend((0..SAMPLES).map(|sample| sample * stride + random.below(stride)).filter(|at| *at < len));
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

fn store_files(dir: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("store")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        ends.iter().any(|end| name.ends_with(end) || name.starts_with(end))
    };
    let mut files: Vec<_> = files.filter(named).collect();
    files.sort();
    files
}

/// Flips one byte of a copy, and looks at it as a checker and as a server.
fn flip(dir: &Path, file: &Path, at: u64, mask: u8, expected: &Content) {
    let copy = fast_dir();
    copy_tree(dir, copy.path());
    let target = copy.path().join(file.strip_prefix(dir).unwrap());
    let mut bytes = fs::read(&target).unwrap();
    bytes[at as usize] ^= mask;
    fs::write(&target, bytes).unwrap();
    let place = format!("{} offset {at} mask {mask:#04x}", file.file_name().unwrap().to_string_lossy());

    if let Ok(report) = check(copy.path()) {
        assert!(!report.is_whole(), "unreported: {place}");
    }
    if let Ok(store) = open(copy.path())
        && let Ok(found) = content_of(&store)
    {
        assert!(found == *expected, "acknowledged commits changed: {place}");
    }
}

fn flip_bytes_of(files_of: impl Fn(&Path) -> Vec<PathBuf>, seed: u64) {
    let (dir, expected) = damaged_later();
    let mut random = Random::new(seed);
    let files = files_of(dir.path());
    assert!(!files.is_empty());
    for file in files {
        for at in offsets(fs::metadata(&file).unwrap().len(), &mut random) {
            let mask = 1 << random.below(8);
            flip(dir.path(), &file, at, mask, &expected);
        }
    }
}

#[test]
fn flipped_byte_in_a_log_is_noticed() {
    flip_bytes_of(|dir| store_files(dir, &[".log"]), 1);
}

#[test]
fn flipped_byte_in_an_sst_file_is_noticed() {
    flip_bytes_of(|dir| store_files(dir, &[".sst"]), 2);
}

#[test]
fn flipped_byte_in_a_blob_file_is_noticed() {
    flip_bytes_of(|dir| store_files(dir, &[".blob"]), 3);
}

#[test]
fn flipped_byte_in_the_manifest_is_noticed() {
    flip_bytes_of(|dir| store_files(dir, &["MANIFEST-"]), 4);
}

/// Only the slots of WITNESS mean something: 40 bytes at 0 and at 4096.
#[test]
fn flipped_byte_in_format_or_witness_is_noticed() {
    let (dir, expected) = damaged_later();
    let format = dir.path().join("FORMAT");
    for at in 0..fs::metadata(&format).unwrap().len() {
        flip(dir.path(), &format, at, 1, &expected);
    }
    for at in (0..40).step_by(3).flat_map(|at| [at, 4096 + at]) {
        flip(dir.path(), &dir.path().join("WITNESS"), at, 1, &expected);
    }
}

/// What RocksDB alone would open, several commits short.
#[test]
fn log_that_lost_its_end_is_refused_and_left_as_evidence() {
    let (dir, _) = damaged_later();
    let log = store_files(dir.path(), &[".log"]).pop().unwrap();
    let bytes = fs::read(&log).unwrap();
    for cut in [1, 40, bytes.len() / 2] {
        fs::write(&log, &bytes[..bytes.len() - cut]).unwrap();
        let before = bytes_of_tree(dir.path());
        assert!(matches!(open(dir.path()), Err(Error::BehindWitness { .. })), "cut by {cut}");
        assert!(bytes_of_tree(dir.path()) == before, "the directory changed");
        assert!(!check(dir.path()).unwrap().is_whole());
    }
}

#[test]
fn missing_file_is_noticed() {
    let (dir, expected) = damaged_later();
    for file in store_files(dir.path(), &[".log", ".sst", ".blob", "MANIFEST-", "CURRENT"]) {
        let copy = fast_dir();
        copy_tree(dir.path(), copy.path());
        fs::remove_file(copy.path().join(file.strip_prefix(dir.path()).unwrap())).unwrap();
        let whole = check(copy.path()).is_ok_and(|report| report.is_whole());
        // A log that is flushed already is only waiting to be deleted.
        assert!(!whole || file.extension().is_some_and(|ext| ext == "log"), "unreported: {}", file.display());
        // A blob file of which nothing is needed any more isn't missed by reads.
        if let Ok(found) = open(copy.path()).and_then(|store| content_of(&store)) {
            assert!(found == expected, "acknowledged commits changed: {}", file.display());
        }
    }
}
