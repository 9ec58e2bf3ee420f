//! Files that are replaced as a whole: after a crash there is the old content or the new. And directories that stay.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a new file, syncs it and renames it over the old one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new_name = OsString::from(path);
    new_name.push(".new");
    let mut file = File::create(&new_name)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new_name, path)?;
    // The rename itself is durable only when the directory is synced.
    sync_directory_of(path)
}

/// Makes a directory, and those it is in, durably.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_directory(parent)?;
    }
    match fs::create_dir(path) {
        // Another partition was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    sync_directory_of(path)
}

/// Syncs the directory that a path is in.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}
