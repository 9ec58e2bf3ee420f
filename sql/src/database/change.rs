//! Changes of the catalog: one at a time, and each in the same commit as what it does to the engine.
//!
//! A change runs in a task of its own, so that a client that goes away in the middle can't leave the catalog in memory
//! behind the one in the store.

use std::sync::Arc;

use monsoon_batch::RelationSpec;
use monsoon_circuit::RelationId;
use tokio::sync::OwnedMutexGuard;

use super::{Database, engine_error};
use crate::catalog::{Catalog, Snapshot};
use crate::error::{Result, SqlError};

/// The right to change the catalog, and the catalog as it is until then.
pub(crate) struct CatalogChange {
    database: Arc<Database>,
    pub(crate) before: Arc<Snapshot>,
    _alone: OwnedMutexGuard<()>,
}

/// What the engine is to do.
pub(crate) enum EngineChange {
    /// Only the catalog changes.
    Nothing,
    /// A relation begins to run.
    Create(RelationSpec),
    /// Relations stop, and their state goes.
    Drop(Vec<RelationId>),
}

impl Database {
    /// Waits for the right to change the catalog.
    pub(crate) async fn begin_change(self: &Arc<Self>) -> CatalogChange {
        let alone = Arc::clone(&self.ddl).lock_owned().await;
        CatalogChange { database: Arc::clone(self), before: self.catalog.snapshot(), _alone: alone }
    }
}

impl CatalogChange {
    /// Commits `after` with what the engine does, and makes it the catalog.
    pub(crate) async fn commit(self, after: Snapshot, change: EngineChange) -> Result<()> {
        let task = tokio::spawn(async move {
            let writes = Catalog::writes(&self.before, &after);
            let engine = &self.database.engine;
            match change {
                EngineChange::Nothing => engine.commit_catalog(writes).await,
                EngineChange::Create(spec) => engine.create(spec, writes).await,
                EngineChange::Drop(ids) => engine.drop_relations(ids, writes).await,
            }
            .map_err(engine_error)?;
            self.database.catalog.publish(after);
            Ok(())
        });
        task.await.map_err(|error| SqlError::internal(format!("the change of the catalog was lost: {error}")))?
    }
}
