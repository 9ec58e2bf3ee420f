//! `Snapshot`: the relations at one moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use monsoon_circuit::RelationId;

use super::Relation;

/// The relations at one moment. Never changes; [`Snapshot::with`] and [`Snapshot::without`] make new ones.
#[derive(Debug, Clone)]
pub struct Snapshot {
    relations: BTreeMap<u32, Arc<Relation>>,
    by_name: HashMap<String, u32>,
    next_id: u32,
    version: u64,
}

impl Snapshot {
    pub(super) fn new(relations: BTreeMap<u32, Arc<Relation>>, next_id: u32, version: u64) -> Snapshot {
        let by_name = relations.values().map(|relation| (relation.name.clone(), relation.id.0)).collect();
        let after_last = relations.keys().next_back().map_or(0, |last| last.saturating_add(1));
        Snapshot { relations, by_name, next_id: next_id.max(after_last), version }
    }

    /// All relations, oldest first.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// A relation by its name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Relation>> {
        self.by_name.get(name).and_then(|id| self.relations.get(id))
    }

    /// A relation by its number.
    pub fn by_id(&self, id: RelationId) -> Option<&Arc<Relation>> {
        self.relations.get(&id.0)
    }

    /// The number the next relation gets.
    pub fn next_id(&self) -> u32 {
        self.next_id
    }

    /// Differs between any two snapshots of a process.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// With a relation added, or put in the place of the one with its id.
    pub fn with(&self, relation: Relation) -> Snapshot {
        let mut relations = self.relations.clone();
        let next_id = self.next_id.max(relation.id.0.saturating_add(1));
        relations.insert(relation.id.0, Arc::new(relation));
        Snapshot::new(relations, next_id, self.version + 1)
    }

    /// Without some relations.
    pub fn without(&self, ids: &[RelationId]) -> Snapshot {
        let mut relations = self.relations.clone();
        relations.retain(|id, _| !ids.contains(&RelationId(*id)));
        Snapshot::new(relations, self.next_id, self.version + 1)
    }

    /// What reads a relation, oldest first.
    pub fn dependants(&self, id: RelationId) -> Vec<Arc<Relation>> {
        self.relations.values().filter(|relation| relation.depends_on.contains(&id)).cloned().collect()
    }
}
