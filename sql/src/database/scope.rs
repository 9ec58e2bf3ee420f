//! `Scope`: what all statements of a session are planned with. Built once per session from the database's [`Template`].

use std::sync::Arc;

use datafusion::catalog::SchemaProvider;
use datafusion::common::Result as PlanResult;
use datafusion::config::Dialect;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::system_schema::SystemSchema;
use super::{Database, DatabaseConfig};
use crate::data_type::MonsoonTypePlanner;
use crate::diagnostic::from_datafusion;
use crate::error::Result;
use crate::function::{self, SessionFacts};
use crate::pg_catalog;

/// The catalog's name as the planner knows it.
pub(crate) const CATALOG: &str = "monsoon";
/// The schema of all our relations.
pub(crate) const SCHEMA: &str = "public";
/// Consumers named in a message about memory.
const CONSUMERS_SHOWN: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN;

/// What all sessions share.
pub(crate) struct Template {
    state: SessionState,
}

impl Template {
    /// The query engine as we use it. A quarter of the memory limit is for queries.
    pub(crate) fn new(config: &DatabaseConfig) -> PlanResult<Template> {
        let bytes = usize::try_from(config.memory_limit_bytes / 4).unwrap_or(usize::MAX).max(16 << 20);
        let pool = TrackConsumersPool::new(FairSpillPool::new(bytes), CONSUMERS_SHOWN);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).build_arc()?;
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(session_config())
            .with_runtime_env(runtime)
            .with_type_planner(Arc::new(MonsoonTypePlanner))
            .build();
        Ok(Template { state })
    }

    /// The scope of a session.
    pub(crate) fn scope(&self, database: &Arc<Database>, facts: Arc<dyn SessionFacts>) -> Result<Arc<Scope>> {
        let mut state = self.state.clone();
        function::register(&mut state, &facts, &database.drpc).map_err(|error| from_datafusion(error, "", 0))?;
        Ok(Arc::new(Scope {
            state,
            pg_catalog: pg_catalog::schema_provider(&facts),
            information_schema: pg_catalog::information_schema_provider(&facts),
            monsoon: Arc::new(SystemSchema::new(database, Arc::clone(&facts))),
        }))
    }
}

fn session_config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        // Queries run beside the tasks: one core each, and no time lost in dividing small ones.
        .with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.collect_spans = true;
    options.execution.time_zone = Some("UTC".to_owned());
    config
}

/// What the statements of a session are planned with.
pub(crate) struct Scope {
    /// Functions, rules, settings; no tables.
    pub(crate) state: SessionState,
    pub(crate) pg_catalog: Arc<dyn SchemaProvider>,
    pub(crate) information_schema: Arc<dyn SchemaProvider>,
    pub(crate) monsoon: Arc<dyn SchemaProvider>,
}
