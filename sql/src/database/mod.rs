//! `Database`: one per process. Opens the store, brings every relation back, and hands out sessions.
//!
//! Order at start: store, engine, catalog; then every relation in the order of its number (what it reads comes before it)
//! is planned again from its text and given to the engine with its state; then sources begin to be read.

mod change;
mod engine_error;
mod key_lookup;
mod output_column;
mod planner;
mod relation_spec;
mod relation_table;
mod restore;
mod restore_topologies;
mod scope;
mod statement_catalog;
mod system_schema;
mod topology_tables;
mod view_plan;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use monsoon_batch::{Engine, EngineConfig};
use monsoon_circuit::RelationId;
use monsoon_state::{RocksOptions, RocksStore};
use monsoon_topology::drpc::Drpc;
use parking_lot::Mutex;
use tokio::sync::RwLock;

use crate::catalog::{Catalog, CatalogError};
use crate::error::SqlError;
use crate::function::Setting;
use crate::session::{Session, SessionStart};
use crate::topology::{Natives, Topologies};

pub(crate) use change::EngineChange;
pub(crate) use engine_error::{connector_error, engine_error};
pub(crate) use output_column::{bare_integers, output_batch, output_schema};
pub(crate) use planner::{Overlay, Planner, Text};
pub(crate) use relation_spec::{sink_kind, spec, stream_kind};
pub(crate) use scope::Scope;
pub(crate) use view_plan::{ViewDefinition, ViewPlan, check_names, plan_view_query, relation_label};

/// Numbers of views that live as long as a subscription; they are in no catalog, and below what Postgres's indexes take.
const EPHEMERAL_ID_MIN: u32 = 1 << 28;

/// What is under way in topologies has so long to be finished when the database is shut down; what is left is done again after the next start.
const TOPOLOGY_WAIT: Duration = Duration::from_secs(3);

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// The data directory; created if it isn't there.
    pub data_dir: PathBuf,
    /// Threads that run circuits.
    pub tasks: usize,
    /// Bound of state, caches and queries together.
    pub memory_limit_bytes: u64,
    /// Rows taken of a source at a time.
    pub batch_rows: usize,
    /// Whether topologies may run programs on the server (components USING SHELL).
    pub shell_components: bool,
    /// Rust code that topologies can name.
    pub natives: Natives,
    /// What the server was started with, for SHOW and `monsoon.settings`; it can't be SET.
    pub server_settings: Arc<[Setting]>,
}

impl Default for DatabaseConfig {
    fn default() -> DatabaseConfig {
        let engine = EngineConfig::default();
        DatabaseConfig {
            data_dir: PathBuf::from("monsoon-data"),
            tasks: engine.tasks,
            memory_limit_bytes: engine.memory_limit_bytes,
            batch_rows: engine.batch_rows,
            shell_components: false,
            natives: Natives::default(),
            server_settings: Arc::default(),
        }
    }
}

/// Why a database can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store: locked, too new, damaged.
    #[error("{0}")]
    State(#[from] monsoon_state::Error),
    /// The engine didn't start.
    #[error("engine did not start: {0}")]
    Engine(#[from] monsoon_batch::Error),
    /// A newer Monsoon has written the catalog.
    #[error("{0}")]
    NewerCatalog(CatalogError),
    /// A relation of the catalog can't be planned any more, or its state can't be read.
    #[error("{kind} \"{name}\" can't be brought back: {reason}")]
    Relation {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// The store's error, if there is one.
        source: Option<monsoon_state::Error>,
    },
    /// The query engine could not be set up.
    #[error("query engine did not start: {0}")]
    Setup(String),
}

impl From<CatalogError> for OpenError {
    fn from(error: CatalogError) -> OpenError {
        match error {
            CatalogError::State(error) => OpenError::State(error),
            newer @ CatalogError::Newer { .. } => OpenError::NewerCatalog(newer),
        }
    }
}

/// A running database.
pub struct Database {
    pub(crate) engine: Engine,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) config: DatabaseConfig,
    /// What sessions have in common: functions, memory, settings of the query engine.
    pub(crate) template: scope::Template,
    /// Changes of the catalog happen one after the other.
    ddl: Arc<tokio::sync::Mutex<()>>,
    /// Per table: what adds rows shares it while it writes; what reads the rows it changes has it alone.
    table_locks: Mutex<HashMap<u32, Arc<RwLock<()>>>>,
    pub(crate) topologies: Arc<Topologies>,
    /// Requests to functions that topologies serve.
    pub(crate) drpc: Arc<Drpc>,
    next_pid: AtomicI32,
    next_ephemeral: AtomicU32,
}

impl DatabaseConfig {
    /// Where topologies put files that are of no use to another process: what of windows isn't in memory, and pid files of programs.
    pub(crate) fn scratch_directory(&self) -> PathBuf {
        self.data_dir.join("scratch")
    }
}

impl Database {
    /// Opens a directory and brings back everything in it.
    pub async fn open(config: DatabaseConfig) -> Result<Arc<Database>, OpenError> {
        let store = RocksStore::open(&config.data_dir, rocks_options(&config))?;
        let engine_config = EngineConfig {
            tasks: config.tasks,
            memory_limit_bytes: config.memory_limit_bytes,
            batch_rows: config.batch_rows,
        };
        let engine = Engine::open(Arc::new(store), engine_config)?;
        let catalog = Arc::new(Catalog::load(engine.store().as_ref())?);
        let template = scope::Template::new(&config).map_err(|error| OpenError::Setup(error.to_string()))?;
        let database = Arc::new(Database {
            engine,
            catalog,
            config,
            template,
            ddl: Arc::default(),
            table_locks: Mutex::default(),
            topologies: Arc::default(),
            drpc: Arc::default(),
            next_pid: AtomicI32::new(1),
            next_ephemeral: AtomicU32::new(EPHEMERAL_ID_MIN),
        });
        // What a process that was killed has left.
        let scratch = database.config.scratch_directory();
        if let Err(error) = std::fs::remove_dir_all(&scratch)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{} can't be removed: {error}", scratch.display());
        }
        database.restore().await?;
        database.engine.start().await?;
        database.restore_topologies().await?;
        Ok(database)
    }

    /// A session for one connection.
    pub fn session(self: &Arc<Self>, start: SessionStart) -> Session {
        Session::new(Arc::clone(self), start)
    }

    /// The requests to functions that topologies serve: an embedding program can serve some of its own, with Trident or otherwise.
    pub fn drpc(&self) -> &Arc<Drpc> {
        &self.drpc
    }

    /// Asks a function that a topology serves, as SQL's `drpc(function, args)` does. Dropping the future gives the request up.
    ///
    /// Errors: 42883 nobody serves it, 53400 too many requests wait, 38000 the topology could not answer, 57014 no answer in time.
    pub async fn ask(&self, function: &str, args: &str) -> Result<String, SqlError> {
        crate::function::drpc::ask(&self.drpc, function, args).await
    }

    /// Returns the reason when the engine has stopped writing: views no longer move, and the process should end.
    pub async fn failed(&self) -> String {
        self.engine.failed().await.to_string()
    }

    /// Stops sources and waits for the last commit.
    pub async fn shutdown(&self) {
        self.topologies.stop(TOPOLOGY_WAIT).await;
        if let Err(error) = self.engine.stop().await {
            tracing::error!(%error, "the engine did not stop cleanly");
        }
    }

    /// The scope of the server itself: no user's settings.
    pub(crate) fn scope(self: &Arc<Self>) -> Result<Arc<Scope>, SqlError> {
        let facts = crate::session::Facts::new(self, &SessionStart::default());
        self.template.scope(self, Arc::new(facts))
    }

    /// The number of the next session.
    pub(crate) fn take_pid(&self) -> i32 {
        self.next_pid.fetch_add(1, Ordering::Relaxed)
    }

    /// A number for a view that is in no catalog.
    pub(crate) fn take_ephemeral_id(&self) -> RelationId {
        RelationId(self.next_ephemeral.fetch_add(1, Ordering::Relaxed))
    }

    /// The lock of a table's content.
    pub(crate) fn table_lock(&self, id: RelationId) -> Arc<RwLock<()>> {
        Arc::clone(self.table_locks.lock().entry(id.0).or_default())
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Database").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The store's share of the memory limit: a sixteenth, within what it needs and what helps it.
fn rocks_options(config: &DatabaseConfig) -> RocksOptions {
    let share = usize::try_from(config.memory_limit_bytes / 16).unwrap_or(usize::MAX);
    let memtable_bytes = share.clamp(8 << 20, 64 << 20);
    RocksOptions { memtable_bytes, block_cache_bytes: (share / 4).clamp(4 << 20, 64 << 20), ..RocksOptions::default() }
}
