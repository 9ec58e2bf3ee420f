//! The data directory: what lies where, who owns it, and how a fresh one comes to be.
//!
//! ```text
//! LOCK           flock held by the process that has the directory open
//! FORMAT         one line: format version and checksum; its presence says that the directory is complete
//! INITIALIZING   there from before the first file is made until FORMAT is there
//! WITNESS        the last acknowledged commit (see witness.rs)
//! PROBE          a few MB while `reopen` looks for free space
//! store/         RocksDB
//! ```
//!
//! A first start that is killed leaves INITIALIZING and no FORMAT. Nothing can have been acknowledged yet, so the next start
//! begins again. A directory with content but neither file has lost its FORMAT, and is refused rather than wiped.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::content::checksum;
use crate::{Error, Result};

/// The newest directory format this binary reads, and the one it writes.
const FORMAT_SUPPORTED: u32 = 1;
const FORMAT_PREFIX: &str = "monsoon data format ";
const PROBE_STEP_BYTES: usize = 1 << 20;

/// What the directory was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was ever acknowledged here: make everything anew.
    Fresh,
    /// Complete: open what is there.
    Ready,
}

/// A data directory that this process owns while the value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// A directory that is only checked may have no lock file.
    lock: Option<File>,
}

impl DataDir {
    /// Takes the directory, creating it if missing.
    pub(crate) fn take(path: &Path) -> Result<DataDir> {
        fs::create_dir_all(path).map_err(|e| io_error("create", path, &e))?;
        let lock = path.join("LOCK");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let file = file.map_err(|e| io_error("open", &lock, &e))?;
        lock_file(&file, path)?;
        Ok(DataDir { path: path.to_path_buf(), lock: Some(file) })
    }

    /// Takes a directory without changing anything in it.
    pub(crate) fn take_to_read(path: &Path) -> Result<DataDir> {
        fs::read_dir(path).map_err(|e| io_error("read", path, &e))?;
        let lock = path.join("LOCK");
        let file = match File::open(&lock) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(io_error("open", &lock, &e)),
        };
        if let Some(file) = &file {
            lock_file(file, path)?;
        }
        Ok(DataDir { path: path.to_path_buf(), lock: file })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.path.join("store")
    }

    pub(crate) fn witness_path(&self) -> PathBuf {
        self.path.join("WITNESS")
    }

    fn format_path(&self) -> PathBuf {
        self.path.join("FORMAT")
    }

    fn initializing_path(&self) -> PathBuf {
        self.path.join("INITIALIZING")
    }

    /// Reads FORMAT and says what to do with the directory.
    pub(crate) fn stage(&self) -> Result<Stage> {
        let path = self.format_path();
        match fs::read(&path) {
            Ok(line) => {
                self.check_format(&line)?;
                Ok(Stage::Ready)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let begun = self.initializing_path().exists();
                if !begun && (self.store_path().exists() || self.witness_path().exists()) {
                    return Err(Error::Corrupt(format!(
                        "{} holds a store, and its FORMAT file is missing",
                        self.path.display()
                    )));
                }
                Ok(Stage::Fresh)
            }
            Err(e) => Err(io_error("read", &path, &e)),
        }
    }

    fn check_format(&self, line: &[u8]) -> Result<()> {
        let found = parse_format(line)
            .ok_or_else(|| Error::Corrupt(format!("{} is not a format line", self.format_path().display())))?;
        if found > FORMAT_SUPPORTED {
            let path = self.path.display().to_string();
            return Err(Error::NewerFormat { path, found, supported: FORMAT_SUPPORTED });
        }
        Ok(())
    }

    /// Starts making a fresh directory: from here until [`DataDir::finish`] a restart begins again.
    pub(crate) fn begin(&self) -> Result<()> {
        write_synced(&self.initializing_path(), b"")?;
        sync_directory(&self.path)?;
        remove_tree(&self.store_path())?;
        remove(&self.witness_path())
    }

    /// The directory is complete. FORMAT appears atomically and last.
    pub(crate) fn finish(&self) -> Result<()> {
        sync_directory(&self.path)?;
        let draft = self.path.join("FORMAT.new");
        write_synced(&draft, format_line(FORMAT_SUPPORTED).as_bytes())?;
        fs::rename(&draft, self.format_path()).map_err(|e| io_error("rename", &draft, &e))?;
        sync_directory(&self.path)?;
        self.clear_marker()
    }

    /// Removes what a kill between FORMAT and the end of [`DataDir::finish`] leaves.
    pub(crate) fn clear_marker(&self) -> Result<()> {
        remove(&self.initializing_path())
    }

    /// Fails with [`Error::DiskFull`] unless `bytes` more can be written here.
    pub(crate) fn probe_space(&self, bytes: u64) -> Result<()> {
        let path = self.path.join("PROBE");
        let outcome = fill(&path, bytes);
        remove(&path)?;
        outcome.map_err(|e| io_error("write", &path, &e))
    }
}

impl Drop for DataDir {
    /// Closing the file isn't enough: another thread may be starting a process, and until that one runs its program it holds
    /// a copy of the file, and the lock with it.
    fn drop(&mut self) {
        if let Some(file) = &self.lock
            && let Err(e) = file.unlock()
        {
            tracing::warn!("unlocking {}: {e}", self.path.display());
        }
    }
}

fn lock_file(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.display().to_string() }),
        Err(TryLockError::Error(e)) => Err(io_error("lock", path, &e)),
    }
}

/// Writes zeros, and has the file system find blocks for them.
fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let zeros = vec![0; PROBE_STEP_BYTES];
    for _ in 0..bytes.div_ceil(PROBE_STEP_BYTES as u64) {
        file.write_all(&zeros)?;
    }
    file.sync_data()
}

fn format_line(version: u32) -> String {
    let said = format!("{FORMAT_PREFIX}{version}");
    format!("{said} {:016x}\n", checksum(said.as_bytes()))
}

fn parse_format(line: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(line).ok()?;
    let (said, sum) = text.strip_suffix('\n')?.rsplit_once(' ')?;
    let version = said.strip_prefix(FORMAT_PREFIX)?.parse().ok()?;
    (sum == format!("{:016x}", checksum(said.as_bytes()))).then_some(version)
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|e| io_error("write", path, &e))
}

/// Makes names that were created, renamed or removed in `path` durable.
fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|e| io_error("sync", path, &e))
}

fn remove(path: &Path) -> Result<()> {
    ignore_missing(fs::remove_file(path)).map_err(|e| io_error("remove", path, &e))
}

fn remove_tree(path: &Path) -> Result<()> {
    ignore_missing(fs::remove_dir_all(path)).map_err(|e| io_error("remove", path, &e))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Sorts an operating system's error by what the caller must do.
pub(crate) fn io_error(doing: &str, path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull,
        _ => Error::Io(format!("cannot {doing} {}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_line_is_read_back_and_any_flipped_byte_is_noticed() {
        let line = format_line(1).into_bytes();
        assert_eq!(parse_format(&line), Some(1));
        for at in 0..line.len() {
            let mut flipped = line.clone();
            flipped[at] ^= 1;
            assert_eq!(parse_format(&flipped), None, "byte {at}");
        }
    }

    #[test]
    fn newer_format_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("FORMAT"), format_line(9)).unwrap();
        let stage = DataDir::take(dir.path()).unwrap().stage();
        assert!(matches!(stage, Err(Error::NewerFormat { found: 9, supported: FORMAT_SUPPORTED, .. })));
    }

    #[test]
    fn second_owner_is_told_that_the_directory_is_locked() {
        let dir = tempfile::tempdir().unwrap();
        let owner = DataDir::take(dir.path()).unwrap();
        assert!(matches!(DataDir::take(dir.path()), Err(Error::Locked { .. })));
        assert!(matches!(DataDir::take_to_read(dir.path()), Err(Error::Locked { .. })));
        drop(owner);
        DataDir::take(dir.path()).unwrap();
    }

    #[test]
    fn interrupted_first_start_begins_again_but_a_lost_format_file_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let owner = DataDir::take(dir.path()).unwrap();
        assert_eq!(owner.stage().unwrap(), Stage::Fresh);
        owner.begin().unwrap();
        fs::create_dir(owner.store_path()).unwrap();
        fs::write(owner.store_path().join("half"), b"made").unwrap();
        assert_eq!(owner.stage().unwrap(), Stage::Fresh);
        owner.begin().unwrap();
        assert!(!owner.store_path().exists());
        fs::create_dir(owner.store_path()).unwrap();
        owner.finish().unwrap();
        assert_eq!(owner.stage().unwrap(), Stage::Ready);
        assert!(!owner.initializing_path().exists());
        fs::remove_file(owner.format_path()).unwrap();
        assert!(matches!(owner.stage(), Err(Error::Corrupt(_))));
    }
}
