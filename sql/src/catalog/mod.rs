//! The catalog: every relation, its text and what was derived from it.
//!
//! Kept as JSON in the store under `c/relation/<id>` and `c/next_id`, written in the same commit as the change itself. In
//! memory it is an immutable [`Snapshot`]; a change makes a new one and swaps it in. Ids are never reused.

mod facts;
mod relation;
mod snapshot;
mod stored;

pub(crate) use facts::relation_info;
pub use relation::{Kind, Relation};
pub use snapshot::Snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use monsoon_circuit::RelationId;
use monsoon_state::{StateStore, Write};
use parking_lot::RwLock;

use crate::pg_catalog::OID_MIN;
use stored::{DecodeError, VERSION, decode, encode};

const RELATION_PREFIX: &[u8] = b"c/relation/";
const NEXT_ID_KEY: &[u8] = b"c/next_id";

/// The relations of a database, as they are now.
#[derive(Debug)]
pub struct Catalog {
    current: RwLock<Arc<Snapshot>>,
}

impl Catalog {
    /// Reads the catalog from a store.
    pub fn load(store: &dyn StateStore) -> Result<Catalog, CatalogError> {
        let mut relations = BTreeMap::new();
        for (key, value) in store.scan(RELATION_PREFIX)? {
            let relation = decode(&value).map_err(|error| unreadable(&key, error))?;
            relations.insert(relation.id.0, Arc::new(relation));
        }
        let next_id = match store.get(NEXT_ID_KEY)? {
            Some(value) => std::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| damaged(NEXT_ID_KEY, "it is not a number".to_owned()))?,
            None => OID_MIN,
        };
        Ok(Catalog { current: RwLock::new(Arc::new(Snapshot::new(relations, next_id, 0))) })
    }

    /// The relations as of now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read())
    }

    /// The writes that make `new` durable, given that `old` is.
    pub fn writes(old: &Snapshot, new: &Snapshot) -> Vec<Write> {
        let mut writes = Vec::new();
        for relation in new.relations() {
            let unchanged = old.by_id(relation.id).is_some_and(|before| Arc::ptr_eq(before, relation));
            if !unchanged {
                writes.push(Write::Put { key: relation_key(relation.id), value: encode(relation) });
            }
        }
        for relation in old.relations() {
            if new.by_id(relation.id).is_none() {
                writes.push(Write::Delete { key: relation_key(relation.id) });
            }
        }
        if old.next_id() != new.next_id() {
            writes.push(Write::Put { key: NEXT_ID_KEY.to_vec(), value: new.next_id().to_string().into_bytes() });
        }
        writes
    }

    /// Makes `new` the catalog. Its writes have been committed.
    pub fn publish(&self, new: Snapshot) {
        *self.current.write() = Arc::new(new);
    }
}

/// Ids sort as numbers do.
fn relation_key(id: RelationId) -> Vec<u8> {
    [RELATION_PREFIX, format!("{:010}", id.0).as_bytes()].concat()
}

/// Why a catalog can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The store failed.
    #[error("{0}")]
    State(#[from] monsoon_state::Error),
    /// A newer Monsoon has written it: stop.
    #[error("catalog entry {entry} has version {found}, and this binary reads up to {supported}; use a newer monsoon")]
    Newer {
        /// The entry's key.
        entry: String,
        /// The version found.
        found: u32,
        /// The newest version this binary reads.
        supported: u32,
    },
}

fn unreadable(key: &[u8], error: DecodeError) -> CatalogError {
    match error {
        DecodeError::Damaged(reason) => damaged(key, reason),
        DecodeError::Newer(found) => {
            CatalogError::Newer { entry: String::from_utf8_lossy(key).into_owned(), found, supported: VERSION }
        }
    }
}

fn damaged(key: &[u8], reason: String) -> CatalogError {
    let key = String::from_utf8_lossy(key);
    CatalogError::State(monsoon_state::Error::Corrupt(format!("catalog entry {key}: {reason}")))
}
