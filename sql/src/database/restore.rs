//! Bringing back every relation of the catalog at start.
//!
//! Each is planned again from its text. A view whose plan is no longer the one that built its state (a newer Monsoon plans
//! it otherwise) is built anew from what it reads; a sink can't be, as it would publish everything again.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use monsoon_state::StateStore;

use super::relation_spec::{PlannedRelation, relation_spec};
use super::{Database, OpenError};
use crate::catalog::{Catalog, Kind, Relation};

/// Stands in the catalog while a view is built anew; no plan has it, so that a crash in between is noticed at the next start.
const UNFINISHED: &str = "unfinished";

impl Database {
    /// Gives every relation to the engine, in the order of their numbers: what one reads comes before it.
    pub(super) async fn restore(self: &Arc<Self>) -> Result<(), OpenError> {
        let scope = self.scope().map_err(|error| OpenError::Setup(error.message))?;
        let relations: Vec<Arc<Relation>> = self.catalog.snapshot().relations().cloned().collect();
        for relation in relations.iter().filter(|relation| relation.is_run()) {
            let planned = relation_spec(&scope, &self.catalog.snapshot(), relation).await;
            let planned = planned.map_err(|error| refused(relation, error.message, None))?;
            if relation.fingerprint.is_none() || planned.relation.fingerprint == relation.fingerprint {
                let restored = self.engine.restore(planned.spec).await;
                restored.map_err(|error| refused(relation, error.to_string(), self.damage()))?;
            } else {
                let rebuilt = self.rebuild(relation, planned).await;
                rebuilt.map_err(|reason| refused(relation, reason, None))?;
            }
        }
        Ok(())
    }

    /// What reading the state fails on. The engine has said it in words only, and what a damaged directory needs is decided by
    /// type.
    fn damage(&self) -> Option<monsoon_state::Error> {
        read_all(self.engine.store().as_ref()).err()
    }

    async fn rebuild(&self, relation: &Relation, planned: PlannedRelation) -> Result<(), String> {
        if relation.kind == Kind::Sink {
            return Err(
                "this version of monsoon keeps its state in another form; open the directory with the version that \
                        wrote it, DROP the sink, and create it again with this one"
                    .to_owned(),
            );
        }
        if types(&planned.relation.schema) != types(&relation.schema) {
            return Err(
                "this version of monsoon gives its columns other types; open the directory with the version that \
                        wrote it, DROP the view, and create it again with this one"
                    .to_owned(),
            );
        }
        tracing::warn!(
            "materialized view \"{}\" is built anew: this version of monsoon plans it otherwise",
            relation.name
        );
        let before = self.catalog.snapshot();
        let unfinished = before.with(Relation { fingerprint: Some(UNFINISHED.to_owned()), ..relation.clone() });
        let marked = self.engine.commit_catalog(Catalog::writes(&before, &unfinished)).await;
        marked.map_err(|error| error.to_string())?;
        let after = unfinished.with(planned.relation);
        let built = self.engine.create(planned.spec, Catalog::writes(&unfinished, &after)).await;
        built.map_err(|error| error.to_string())?;
        self.catalog.publish(after);
        Ok(())
    }
}

fn read_all(store: &dyn StateStore) -> Result<(), monsoon_state::Error> {
    for table in store.tables()? {
        for chunk in store.chunks(table)? {
            chunk?;
        }
    }
    Ok(())
}

fn types(schema: &Schema) -> Vec<&DataType> {
    schema.fields().iter().map(|field| field.data_type()).collect()
}

fn refused(relation: &Relation, reason: String, source: Option<monsoon_state::Error>) -> OpenError {
    OpenError::Relation { kind: relation.kind.word(), name: relation.name.clone(), reason, source }
}
