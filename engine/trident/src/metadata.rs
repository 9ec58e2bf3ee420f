//! `MetadataStore`: where a topology remembers how far it is and what its batches were made of.
//!
//! Keys are `<spout>/next` (the txid to commit next) and `<spout>/batch/<txid>` (what the spout emitted); values are JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use monsoon_topology::{Failure, Outcome};
use parking_lot::Mutex;
use serde_json::Value as Json;

use crate::file;

/// A change of one key.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets the key's value.
    Put(String, Json),
    /// Removes the key.
    Delete(String),
}

/// A small map that outlives the process. It is written about twice for each batch.
pub trait MetadataStore: Send + Sync + 'static {
    /// The entries whose keys start with a prefix, in the order of keys.
    fn list(&self, prefix: &str) -> Outcome<Vec<(String, Json)>>;
    /// Makes all changes durable, or none.
    fn apply(&self, changes: &[Change]) -> Outcome;
}

fn change(entries: &mut BTreeMap<String, Json>, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Put(key, value) => drop(entries.insert(key.clone(), value.clone())),
            Change::Delete(key) => drop(entries.remove(key)),
        }
    }
}

fn listed(entries: &BTreeMap<String, Json>, prefix: &str) -> Vec<(String, Json)> {
    let from = entries.range(prefix.to_owned()..);
    from.take_while(|(key, _)| key.starts_with(prefix)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Metadata in memory: lost with the process.
#[derive(Debug, Default)]
pub struct MemoryMetadata(Mutex<BTreeMap<String, Json>>);

impl MemoryMetadata {
    /// An empty one.
    pub fn new() -> MemoryMetadata {
        MemoryMetadata::default()
    }
}

impl MetadataStore for MemoryMetadata {
    fn list(&self, prefix: &str) -> Outcome<Vec<(String, Json)>> {
        Ok(listed(&self.0.lock(), prefix))
    }

    fn apply(&self, changes: &[Change]) -> Outcome {
        change(&mut self.0.lock(), changes);
        Ok(())
    }
}

/// Metadata in one JSON file, replaced as a whole: a new file is written, synced and renamed over the old one.
#[derive(Debug)]
pub struct FileMetadata {
    path: PathBuf,
    entries: Mutex<BTreeMap<String, Json>>,
}

impl FileMetadata {
    /// Opens the file, or starts with none. A failure when there is a file that isn't metadata; it is left as it is.
    pub fn open(path: impl AsRef<Path>) -> Outcome<FileMetadata> {
        let path = path.as_ref().to_owned();
        let entries = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map_err(|error| Failure::new(format!("{} is not a metadata file: {error}", path.display())))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(Failure::new(format!("{} can't be read: {error}", path.display()))),
        };
        Ok(FileMetadata { path, entries: Mutex::new(entries) })
    }
}

impl MetadataStore for FileMetadata {
    fn list(&self, prefix: &str) -> Outcome<Vec<(String, Json)>> {
        Ok(listed(&self.entries.lock(), prefix))
    }

    fn apply(&self, changes: &[Change]) -> Outcome {
        let mut entries = self.entries.lock();
        let mut changed = entries.clone();
        change(&mut changed, changes);
        file::replace(&self.path, &serde_json::to_vec(&changed)?)
            .map_err(|error| Failure::new(format!("{} can't be written: {error}", self.path.display())))?;
        *entries = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_keeps_what_was_applied() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.json");
        let store = FileMetadata::open(&path).unwrap();
        store.apply(&[Change::Put("a/1".into(), json!(1)), Change::Put("b/1".into(), json!(2))]).unwrap();
        store.apply(&[Change::Delete("b/1".into()), Change::Put("a/2".into(), json!({"x": 3}))]).unwrap();
        let again = FileMetadata::open(&path).unwrap();
        assert_eq!(again.list("a/").unwrap(), vec![("a/1".into(), json!(1)), ("a/2".into(), json!({"x": 3}))]);
        assert_eq!(again.list("b/").unwrap(), vec![]);
    }

    #[test]
    fn a_file_that_is_no_metadata_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.json");
        std::fs::write(&path, "half a fi").unwrap();
        assert!(FileMetadata::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half a fi");
    }
}
