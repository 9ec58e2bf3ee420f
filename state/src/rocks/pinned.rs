//! The two things the safe wrapper of RocksDB can't say, in one place.
//!
//! - A snapshot that owns the database it looks at. `rocksdb::Snapshot` borrows it, and an iterator handed to a caller can't
//!   hold both the owner and the borrow.
//! - Verification of whole-file checksums, which only the C API has.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::raw::c_char;
use std::ptr;
use std::sync::Arc;

use rocksdb::{AsRawPtr, DB, Snapshot};

/// A consistent view that keeps its database open.
pub(crate) struct PinnedSnapshot {
    /// Declared, and so dropped, before `db`: a snapshot is released through the database it came from.
    snapshot: Snapshot<'static>,
    db: Arc<DB>,
}

impl PinnedSnapshot {
    pub(crate) fn new(db: Arc<DB>) -> PinnedSnapshot {
        // SAFETY: the reference lives inside `snapshot` only, which this struct never hands out with that lifetime (see
        // `snapshot()`) and drops before `db`. `db` keeps the DB at this address: an Arc doesn't move its content.
        let forever: &'static DB = unsafe { &*Arc::as_ptr(&db) };
        PinnedSnapshot { snapshot: forever.snapshot(), db }
    }

    pub(crate) fn db(&self) -> &DB {
        &self.db
    }

    /// The snapshot, for no longer than `self` lives.
    pub(crate) fn snapshot(&self) -> &Snapshot<'_> {
        &self.snapshot
    }
}

/// Reads every live SST and blob file whole, and compares it with the checksum the manifest has of it.
/// Stops at the first mismatch, whose text is the error.
pub(crate) fn verify_file_checksums(db: &DB) -> Result<(), String> {
    let mut error: *mut c_char = ptr::null_mut();
    // SAFETY: the pointer is valid while `db` is borrowed; the call reads files and writes only `error`, which is null or a
    // NUL-terminated string that we must free with RocksDB's own function.
    unsafe {
        librocksdb_sys::rocksdb_verify_file_checksums(db.as_raw_ptr(), &raw mut error);
        if error.is_null() {
            return Ok(());
        }
        let text = CStr::from_ptr(error).to_string_lossy().into_owned();
        librocksdb_sys::rocksdb_free(error.cast());
        Err(text)
    }
}
