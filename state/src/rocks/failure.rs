//! RocksDB's errors, sorted by what the caller must do.
//!
//! The C API hands over a status as text only, so this is the one place that looks at text; everything above matches on
//! [`Error`]. The words looked for are RocksDB's status names and the C library's messages for ENOSPC and EDQUOT.

use std::path::Path;

use rocksdb::ErrorKind;

use crate::Error;

/// What kind of failure a RocksDB status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// No room: pause, reopen later.
    Full,
    /// Somebody else has it open.
    Locked,
    /// What is on disk is not what was written.
    Damaged,
    /// The device or file system failed.
    Device,
    /// RocksDB holds writes back until flushes have caught up; nothing was written.
    Stalled,
    /// RocksDB refused for a reason of its own.
    Refused,
}

fn classify(kind: ErrorKind, message: &str) -> Failure {
    match kind {
        // A stall that can't end because of an error names it.
        ErrorKind::IOError | ErrorKind::Incomplete if says(message, &["No space left", "quota exceeded"]) => {
            Failure::Full
        }
        ErrorKind::Incomplete if says(message, &["IO error"]) => Failure::Device,
        ErrorKind::Incomplete if says(message, &["Corruption"]) => Failure::Damaged,
        ErrorKind::Incomplete => Failure::Stalled,
        ErrorKind::IOError if says(message, &["While lock file", "lock hold by current process"]) => Failure::Locked,
        // A file the manifest names is gone.
        ErrorKind::IOError if says(message, &["No such file"]) => Failure::Damaged,
        ErrorKind::IOError => Failure::Device,
        ErrorKind::Corruption => Failure::Damaged,
        _ => Failure::Refused,
    }
}

fn says(message: &str, any: &[&str]) -> bool {
    any.iter().any(|words| message.contains(words))
}

/// An error while opening the store in `path`. Nothing is being written by us then, so nothing is fatal.
pub(crate) fn open_error(path: &Path, error: &rocksdb::Error) -> Error {
    match classify(error.kind(), error.as_ref()) {
        Failure::Full => Error::DiskFull,
        Failure::Locked => Error::Locked { path: path.display().to_string() },
        Failure::Damaged => Error::Corrupt(error.to_string()),
        // An existing directory without its CURRENT file: it was there once, since FORMAT is written last.
        Failure::Refused if error.kind() == ErrorKind::InvalidArgument => Error::Corrupt(error.to_string()),
        Failure::Device | Failure::Stalled | Failure::Refused => Error::Io(error.to_string()),
    }
}

/// An error while reading.
pub(crate) fn read_error(error: &rocksdb::Error) -> Error {
    match classify(error.kind(), error.as_ref()) {
        Failure::Full => Error::DiskFull,
        Failure::Damaged => Error::Corrupt(error.to_string()),
        Failure::Locked | Failure::Device | Failure::Stalled | Failure::Refused => Error::Io(error.to_string()),
    }
}

/// An error while writing. A device that failed ends the process: after a failed fsync the page cache says that pages are
/// clean which the disk never got, so no later answer could be trusted; a new process reads what the disk has.
pub(crate) fn write_error(error: &rocksdb::Error) -> Error {
    match classify(error.kind(), error.as_ref()) {
        Failure::Full => Error::DiskFull,
        Failure::Damaged => Error::Corrupt(error.to_string()),
        Failure::Locked | Failure::Device => end_process(&format!("cannot commit: {error}")),
        Failure::Stalled | Failure::Refused => Error::Io(error.to_string()),
    }
}

/// Whether a write failed only because writes are held back.
pub(crate) fn is_stall(error: &rocksdb::Error) -> bool {
    classify(error.kind(), error.as_ref()) == Failure::Stalled
}

/// Ends the process with one line on stderr. `abort`, not `exit`: no destructor may write anything after this.
pub(crate) fn end_process(why: &str) -> ! {
    eprintln!("monsoon: state store: {why}; what the disk holds is no longer known, so this process ends");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_texts_are_sorted_by_what_to_do() {
        use ErrorKind::*;
        let cases = [
            (IOError, "IO error: No space left on device: While appending to file: /d/000004.log", Failure::Full),
            (IOError, "IO error: While lock file: /d/LOCK: Resource temporarily unavailable", Failure::Locked),
            (IOError, "IO error: No such file or directory: While open a file: /d/000009.sst", Failure::Damaged),
            (IOError, "IO error: Input/output error: While fdatasync: /d/000004.log", Failure::Device),
            (IOError, "IO error: Read-only file system: While appending to file", Failure::Device),
            (Corruption, "Corruption: block checksum mismatch", Failure::Damaged),
            (Incomplete, "Result incomplete: Write stall", Failure::Stalled),
            (Incomplete, "Result incomplete: IO error: No space left on device: While appending", Failure::Full),
            (Incomplete, "Result incomplete: IO error: Input/output error: While fsync", Failure::Device),
            (TryAgain, "Operation failed. Try again.: ", Failure::Refused),
        ];
        for (kind, message, expected) in cases {
            assert_eq!(classify(kind, message), expected, "{message}");
        }
    }
}
