//! `StoredTopology`: a topology as the catalog keeps it: JSON under `c/topology/<name>`.

use std::collections::{BTreeMap, BTreeSet};

use monsoon_state::{StateStore, Write};
use serde::{Deserialize, Serialize};

use super::build::Built;
use crate::catalog::CatalogError;

const PREFIX: &[u8] = b"c/topology/";
const VERSION: u32 = 1;

/// A topology as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredTopology {
    version: u32,
    pub name: String,
    /// The statement that created it.
    pub sql: String,
    /// Whether its spouts are to emit.
    pub active: bool,
    /// Executors of components, where they were changed.
    pub executors: BTreeMap<String, usize>,
    /// What the checkpoints of components were made by, of those that are in checkpoints.
    pub kept_by: BTreeMap<String, String>,
    /// Numbers of the relations that it reads or inserts into.
    #[serde(default)]
    pub relations: BTreeSet<u32>,
    /// The first row of each spout that begins with the rows that come after it was created.
    #[serde(default)]
    pub first_rows: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl StoredTopology {
    pub fn new(name: &str, sql: &str, active: bool, built: &Built) -> StoredTopology {
        StoredTopology {
            version: VERSION,
            name: name.to_owned(),
            sql: sql.to_owned(),
            active,
            executors: BTreeMap::new(),
            kept_by: built.kept_by.clone(),
            relations: built.relations.iter().map(|relation| relation.0).collect(),
            first_rows: built.first_rows.clone(),
        }
    }

    /// A component whose part of the checkpoints doesn't fit what is to take its place.
    pub fn misfit(&self, kept_by: &BTreeMap<String, String>) -> Option<&str> {
        let differs = |(name, old): &(&String, &String)| kept_by.get(*name).is_some_and(|new| new != *old);
        self.kept_by.iter().find(differs).map(|(name, _)| name.as_str())
    }

    /// The write that keeps it.
    pub fn put(&self) -> Write {
        let value = serde_json::to_vec(self).expect("plain data has a JSON form");
        Write::Put { key: key(&self.name), value }
    }

    /// The write that forgets it.
    pub fn delete(&self) -> Write {
        Write::Delete { key: key(&self.name) }
    }

    /// All that a store keeps.
    pub fn load_all(store: &dyn StateStore) -> Result<Vec<StoredTopology>, CatalogError> {
        store.scan(PREFIX)?.into_iter().map(|(key, value)| decode(&key, &value)).collect()
    }
}

fn key(name: &str) -> Vec<u8> {
    [PREFIX, name.as_bytes()].concat()
}

fn decode(key: &[u8], value: &[u8]) -> Result<StoredTopology, CatalogError> {
    let entry = String::from_utf8_lossy(key).into_owned();
    let damaged = |error: serde_json::Error| {
        CatalogError::State(monsoon_state::Error::Corrupt(format!("catalog entry {entry}: {error}")))
    };
    match serde_json::from_slice::<Version>(value).map_err(damaged)?.version {
        VERSION => serde_json::from_slice(value).map_err(damaged),
        found => Err(CatalogError::Newer { entry: entry.clone(), found, supported: VERSION }),
    }
}
