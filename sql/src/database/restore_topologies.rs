//! Brings topologies back at a start: each is built from its text again and goes on from its last checkpoint.

use std::sync::Arc;

use super::{Database, OpenError};
use crate::error::{Result, SqlError};
use crate::parser;
use crate::statement::{Body, TopologyStatement};
use crate::topology::{Deployed, StoredTopology, Surroundings, spec_of};

impl Database {
    /// Starts every topology of the catalog. One that can't be built as this server is (programs may not be run any more, a native component isn't
    /// there) is kept as broken: the rest of the database is of use without it.
    pub(super) async fn restore_topologies(self: &Arc<Self>) -> std::result::Result<(), OpenError> {
        for stored in StoredTopology::load_all(self.engine.store().as_ref())? {
            let deployed = match self.restore_topology(stored.clone()).await {
                Ok(deployed) => deployed,
                Err(error) => {
                    let reason = error.hint.map_or(error.message.clone(), |hint| format!("{}; {hint}", error.message));
                    tracing::error!(topology = %stored.name, "can't be brought back: {reason}");
                    Deployed::broken(stored, reason)
                }
            };
            self.topologies.put(Arc::new(deployed));
        }
        Ok(())
    }

    async fn restore_topology(self: &Arc<Self>, stored: StoredTopology) -> Result<Deployed> {
        let mut statements = parser::parse(&stored.sql)?;
        let statement = statements.pop().ok_or_else(|| SqlError::internal("its text is empty"))?;
        let Body::Topology(topology) = &statement.body else {
            return Err(SqlError::internal("its text is not CREATE TOPOLOGY"));
        };
        let TopologyStatement::Create(create) = topology.as_ref() else {
            return Err(SqlError::internal("its text is not CREATE TOPOLOGY"));
        };
        let (spec, _) = spec_of(&statement, create, &self.config.natives)?;
        let scope = self.scope()?;
        let snapshot = self.catalog.snapshot();
        let surroundings = Surroundings {
            database: self,
            scope: &scope,
            snapshot: &snapshot,
            natives: &self.config.natives,
            runtime: tokio::runtime::Handle::current(),
            first_rows: stored.first_rows.clone(),
        };
        let built = surroundings.build(spec).await?;
        Deployed::start(self, stored, built)
    }
}
