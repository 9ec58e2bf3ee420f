//! `SpillDirectory` and `SpillPages`: pages of windows in temporary files.
//!
//! One directory per task, one file per page. The directory goes when the bolt goes; if the process is killed it stays behind in the directory
//! for temporary files. Nothing is read from it by another process: what must survive is in checkpoints.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::encoding::{Reader, put_item, record};
use super::item::Item;
use crate::window::Pages;
use crate::{Error, Result};

/// Names tried for a directory: of a process with this number that was killed there may be some left.
const NAMES_MAX: u32 = 100_000;

/// A directory for one task's pages.
#[derive(Debug)]
pub(super) struct SpillDirectory {
    path: PathBuf,
    component: String,
}

impl SpillDirectory {
    /// A new one below `base`. [`Error::Component`] when it can't be made.
    pub fn create(base: &Path, component: &str) -> Result<SpillDirectory> {
        let failed = |error: io::Error| Error::Component {
            component: component.into(),
            reason: format!("no directory for windows below {}: {error}", base.display()),
        };
        fs::create_dir_all(base).map_err(failed)?;
        for number in 0..NAMES_MAX {
            let path = base.join(format!("monsoon-windows-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(SpillDirectory { path, component: component.into() }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let reason = format!("a page of a window can't be {what} in {}: {error}", self.path.display());
        Error::Component { component: self.component.clone(), reason }
    }
}

impl Drop for SpillDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("{} stays behind: {error}", self.path.display());
        }
    }
}

/// The pages of the windows of one key.
pub(super) struct SpillPages {
    directory: Arc<SpillDirectory>,
    key: u64,
}

impl SpillPages {
    /// Of the key with this number.
    pub fn new(directory: Arc<SpillDirectory>, key: u64) -> SpillPages {
        SpillPages { directory, key }
    }

    fn path(&self, page: u64) -> PathBuf {
        self.directory.path.join(format!("{}-{page}", self.key))
    }
}

impl Pages<Item> for SpillPages {
    fn store(&mut self, page: u64, entries: &[(i64, Item)]) -> Result<()> {
        let mut bytes = record();
        entries.iter().for_each(|(ts, item)| put_item(&mut bytes, *ts, item));
        write(&self.path(page), &bytes).map_err(|error| self.directory.failed("written", error))
    }

    fn load(&self, page: u64) -> Result<Vec<(i64, Item)>> {
        let bytes = fs::read(self.path(page)).map_err(|error| self.directory.failed("read", error))?;
        let mut reader = Reader::of(&bytes)?;
        let mut entries = Vec::new();
        while !reader.is_empty() {
            entries.push(reader.item()?);
        }
        Ok(entries)
    }

    fn remove(&mut self, page: u64) -> Result<()> {
        fs::remove_file(self.path(page)).map_err(|error| self.directory.failed("removed", error))
    }
}

/// Replaces what a file holds. Not by emptying it first: some file systems then write it to the disk at once, milliseconds per page.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)
}
