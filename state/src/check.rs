//! `check`: verifies a data directory offline, without changing a byte of it.
//!
//! What is verified, so that one flipped byte anywhere in it is reported:
//!
//! | file | by |
//! |---|---|
//! | FORMAT, WITNESS (both slots) | their own checksums |
//! | `*.log` (WALs), MANIFEST | every record's CRC, and that nothing but records is in them (`log_file.rs`) |
//! | `*.sst`, `*.blob` | the checksum of the whole file that the manifest has, so also bytes that no read would touch |
//! | content | the headers of the column families against each other and the witness; every index entry against its payload |
//!
//! What is not, and why that is harmless: CURRENT (a wrong one can't be opened), OPTIONS-*, IDENTITY, LOG* and LOCK (never
//! read for data), and files that the manifest doesn't name (the next open deletes them).
//!
//! A record cut short at the end of a log is what a crash in mid-write leaves. It is a note, not a problem: if it had been
//! acknowledged, the witness says so.

mod log_file;

use std::fs;
use std::path::{Path, PathBuf};

use rocksdb::{DB, DBRawIterator};
use serde::Serialize;

use self::log_file::{Finding, scan};
use crate::content::Header;
use crate::directory::{DataDir, Stage, io_error};
use crate::rocks::{
    CHUNKS_FAMILY, HEADER_KEY, INDEX_FAMILY, IndexEntry, META_FAMILY, RocksOptions, header_of, open_read_only,
    parse_chunk_key, rocks_read_error, verify_file_checksums,
};
use crate::witness::{self, judge};
use crate::{Error, Result, TableId, TxId};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The last commit in the store; 0 if it could not be read.
    pub last_txid: TxId,
    /// State tables that have chunks.
    pub tables: u64,
    /// Chunks in them.
    pub chunks: u64,
    /// Bytes of the chunks' payloads.
    pub bytes: u64,
    /// Everything that is damaged. The directory is whole if this is empty.
    pub problems: Vec<String>,
    /// Remarkable, and harmless.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    /// Notes the error of a step as a problem.
    fn problem_of<T>(&mut self, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(e) => {
                self.problems.push(e.to_string());
                None
            }
        }
    }
}

/// Verifies the data directory `dir`.
///
/// Errors: only if it can't be looked at: [`Error::Locked`], [`Error::NewerFormat`], [`Error::Io`]. Damage is in the report.
pub fn check(dir: &Path) -> Result<Report> {
    let directory = DataDir::take_to_read(dir)?;
    let mut report = Report::default();
    match directory.stage() {
        Ok(Stage::Ready) => {}
        Ok(Stage::Fresh) => {
            report.problems.push(format!("{} is not an initialised data directory", dir.display()));
            return Ok(report);
        }
        Err(Error::Corrupt(what)) => report.problems.push(what),
        Err(other) => return Err(other),
    }
    let witness = check_witness(&directory, &mut report);
    check_log_files(&directory, &mut report)?;
    let options = RocksOptions::default();
    let Some(db) = report.problem_of(open_read_only(&directory, &options)) else { return Ok(report) };
    if let Err(mismatch) = verify_file_checksums(&db) {
        report.problems.push(mismatch);
    }
    check_header(&db, witness, &mut report);
    let outcome = check_meta(&db);
    report.problem_of(outcome);
    let outcome = check_chunks(&db, &mut report);
    report.problem_of(outcome);
    Ok(report)
}

fn check_witness(directory: &DataDir, report: &mut Report) -> Option<Header> {
    let testimony = report.problem_of(witness::read(&directory.witness_path()))?;
    if testimony.damaged_slots > 0 {
        report.problems.push(format!("one slot of {} is damaged", directory.witness_path().display()));
    }
    Some(testimony.header)
}

fn check_log_files(directory: &DataDir, report: &mut Report) -> Result<()> {
    for path in log_files(&directory.store_path(), report)? {
        match scan(&path).map_err(|e| io_error("read", &path, &e))? {
            Some(Finding::Damaged { offset, what }) => {
                report.problems.push(format!("{} is damaged at offset {offset}: {what}", path.display()));
            }
            Some(Finding::CutShort { offset }) => {
                report
                    .notes
                    .push(format!("{} ends within the record at offset {offset}, as after a crash", path.display()));
            }
            None => {}
        }
    }
    Ok(())
}

/// The files in RocksDB's log format: write-ahead logs and manifests.
fn log_files(store: &Path, report: &mut Report) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let files = match fs::read_dir(store) {
        Ok(files) => files,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            report.problems.push(format!("{} is missing", store.display()));
            return Ok(found);
        }
        Err(e) => return Err(io_error("list", store, &e)),
    };
    for file in files {
        let path = file.map_err(|e| io_error("list", store, &e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".log") || name.starts_with("MANIFEST-") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn check_header(db: &DB, witness: Option<Header>, report: &mut Report) {
    let Some(header) = report.problem_of(header_of(db)) else { return };
    report.last_txid = header.txid;
    if let Some(witness) = witness {
        report.problem_of(judge(header, witness));
    }
}

/// Reads the small keyed space through.
fn check_meta(db: &DB) -> Result<()> {
    let mut rows = rows(db, META_FAMILY);
    while rows.valid() {
        rows.next();
    }
    rows.status().map_err(|e| rocks_read_error(&e))
}

/// Walks the index and the payloads side by side: every entry has its payload, every payload its entry.
fn check_chunks(db: &DB, report: &mut Report) -> Result<()> {
    let mut index = rows(db, INDEX_FAMILY);
    let mut payloads = rows(db, CHUNKS_FAMILY);
    let mut last_table: Option<TableId> = None;
    while let (Some(key), Some(value)) = (index.key(), index.value()) {
        if key == HEADER_KEY {
            index.next();
            continue;
        }
        let Some((table, id)) = parse_chunk_key(key) else {
            report.problems.push("the index holds a key of unknown form".to_owned());
            index.next();
            continue;
        };
        skip_strays(&mut payloads, key, report);
        let payload = if payloads.key() == Some(key) { payloads.value() } else { None };
        let verified =
            IndexEntry::decode(table, id, value).and_then(|entry| entry.verify(table, payload).map(|()| entry));
        if let Some(entry) = report.problem_of(verified) {
            report.bytes += entry.payload_bytes;
        }
        report.chunks += 1;
        report.tables += u64::from(last_table != Some(table));
        last_table = Some(table);
        if payload.is_some() {
            payloads.next();
        }
        index.next();
    }
    skip_strays(&mut payloads, &[0xff; 21], report);
    index.status().map_err(|e| rocks_read_error(&e))?;
    payloads.status().map_err(|e| rocks_read_error(&e))
}

/// Passes payloads before `key`: there should be none.
fn skip_strays(payloads: &mut DBRawIterator<'_>, key: &[u8], report: &mut Report) {
    while let Some(stray) = payloads.key() {
        if stray >= key {
            return;
        }
        if stray != HEADER_KEY {
            let whose = parse_chunk_key(stray);
            report.problems.push(match whose {
                Some((table, id)) => {
                    format!("payload of table {table}, txid {}, place {} is not in the index", id.txid, id.place)
                }
                None => "a payload has a key of unknown form".to_owned(),
            });
        }
        payloads.next();
    }
}

fn rows<'a>(db: &'a DB, family: &str) -> DBRawIterator<'a> {
    let mut rows = db.raw_iterator_cf(db.cf_handle(family).expect("the database was opened with its three families"));
    rows.seek_to_first();
    rows
}
