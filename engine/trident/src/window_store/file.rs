//! `FileWindowStore`: a directory with one file for each entry.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use monsoon_topology::{Failure, Outcome, Value};

use super::WindowStore;
use super::json::{from_json, to_json};
use crate::file;

/// Keeps the content of the windows of one partition in a directory of its own: the entry of txid 7 is `7.json`.
///
/// Each batch that brings tuples or completes a window costs a synced write. Lists and maps may be nested 37 deep in a
/// tuple's value; a batch with a deeper one fails.
#[derive(Debug)]
pub struct FileWindowStore {
    directory: PathBuf,
}

impl FileWindowStore {
    /// Opens a directory, or makes it. A failure when that isn't possible.
    pub fn open(directory: impl AsRef<Path>) -> Outcome<FileWindowStore> {
        let directory = directory.as_ref().to_owned();
        file::make_directory(&directory)
            .map_err(|error| Failure::new(format!("{} can't be made: {error}", directory.display())))?;
        Ok(FileWindowStore { directory })
    }

    fn path(&self, txid: u64) -> PathBuf {
        self.directory.join(format!("{txid}.json"))
    }
}

fn read(path: &Path) -> Outcome<Value> {
    let content = fs::read(path)?;
    from_json(serde_json::from_slice(&content)?)
}

impl WindowStore for FileWindowStore {
    fn entries(&mut self) -> Outcome<Vec<(u64, Value)>> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.directory)? {
            let path = found?.path();
            // What a crash left half written has another ending.
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let unreadable = |reason: Failure| Failure::new(format!("{}: {reason}", path.display()));
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let txid = name.parse().map_err(|error| unreadable(Failure::from(error)))?;
            entries.push((txid, read(&path).map_err(unreadable)?));
        }
        Ok(entries)
    }

    fn put(&mut self, txid: u64, entry: &Value) -> Outcome {
        let path = self.path(txid);
        file::replace(&path, &serde_json::to_vec(&to_json(entry)?)?)
            .map_err(|error| Failure::new(format!("{} can't be written: {error}", path.display())))
    }

    fn remove(&mut self, txids: &[u64]) -> Outcome {
        for txid in txids {
            match fs::remove_file(self.path(*txid)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                // Not synced: an entry that is back after a crash is removed again.
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_the_entries_that_were_put() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("windows/0");
        let mut store = FileWindowStore::open(&path).unwrap();
        assert_eq!(store.entries().unwrap(), []);
        for txid in [9, 10, 11] {
            store.put(txid, &Value::from(format!("entry {txid}"))).unwrap();
        }
        store.put(10, &Value::from("again")).unwrap();
        store.remove(&[9, 8]).unwrap();
        fs::write(path.join("12.json.new"), "half a fi").unwrap();
        let mut entries = FileWindowStore::open(&path).unwrap().entries().unwrap();
        entries.sort_by_key(|(txid, _)| *txid);
        assert_eq!(entries, [(10, Value::from("again")), (11, Value::from("entry 11"))]);
        fs::write(path.join("11.json"), "half a fi").unwrap();
        let error = store.entries().unwrap_err().to_string();
        assert!(error.contains("11.json"), "{error}");
    }
}
