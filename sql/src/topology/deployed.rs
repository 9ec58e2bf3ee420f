//! `Deployed`: a topology that is there: what the catalog says of it, and what runs.

use std::sync::Arc;
use std::time::Duration;

use monsoon_circuit::RelationId;
use monsoon_topology::{Guarantee, RunningTopology, StartOptions, Status, TaskCounts, Topology};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;

use super::build::Built;
use super::checkpoint_store::EngineCheckpoints;
use super::from_sql::invalid;
use super::stored::StoredTopology;
use crate::database::Database;
use crate::error::{Result, SqlError};

/// A topology that is there.
pub(crate) struct Deployed {
    stored: Mutex<StoredTopology>,
    /// What it is made of, or why it can't be built any more.
    topology: std::result::Result<Topology, String>,
    running: RwLock<Option<Arc<RunningTopology>>>,
}

impl Deployed {
    /// Starts a topology, from its last checkpoint if there is one.
    pub fn start(database: &Database, stored: StoredTopology, built: Built) -> Result<Deployed> {
        let topology = built.topology;
        let running = start(database, &stored, &topology)?;
        let running = RwLock::new(Some(Arc::new(running)));
        Ok(Deployed { stored: Mutex::new(stored), topology: Ok(topology), running })
    }

    /// A topology of the catalog that can't be built as this server is: it is there to be shown, replaced and killed.
    pub fn broken(stored: StoredTopology, reason: String) -> Deployed {
        Deployed { stored: Mutex::new(stored), topology: Err(reason), running: RwLock::new(None) }
    }

    /// What the catalog says of it.
    pub fn stored(&self) -> StoredTopology {
        self.stored.lock().clone()
    }

    /// Whether it reads a relation or inserts into it.
    pub fn uses(&self, relation: RelationId) -> bool {
        self.stored.lock().relations.contains(&relation.0)
    }

    /// Notes what the catalog says of it now.
    pub fn note(&self, stored: StoredTopology) {
        *self.stored.lock() = stored;
    }

    /// What runs; an error if it is being ended or begun anew.
    pub fn running(&self) -> Result<Arc<RunningTopology>> {
        self.topology()?;
        let running = self.running.read().clone();
        running.ok_or_else(|| {
            SqlError::new("55006", format!("topology \"{}\" is being restarted or killed", self.stored().name))
        })
    }

    /// Ends what runs: spouts stop, what is under way has `wait`, and a last checkpoint is taken.
    pub async fn stop(&self, wait: Duration) -> Result<()> {
        let Some(running) = self.running.write().take() else { return Ok(()) };
        let ended = tokio::task::spawn_blocking(move || running.kill(wait)).await;
        ended.map_err(|error| SqlError::internal(error.to_string()))?.map_err(invalid)
    }

    /// Begins what runs anew, in order.
    pub async fn restart(&self, database: &Database, wait: Duration) -> Result<()> {
        let topology = self.topology()?;
        self.stop(wait).await?;
        let stored = self.stored();
        *self.running.write() = Some(Arc::new(start(database, &stored, topology)?));
        Ok(())
    }

    /// Its status, as it is shown.
    pub fn status(&self) -> &'static str {
        if self.topology.is_err() {
            return "broken";
        }
        match self.running.read().as_ref().map(|running| running.status()) {
            Some(Status::Active) if self.is_failing() => "failing",
            Some(Status::Active) => "active",
            Some(Status::Inactive) => "inactive",
            Some(Status::Killed) | None => "stopping",
        }
    }

    /// Whether it goes back to its last checkpoint again and again.
    fn is_failing(&self) -> bool {
        self.running.read().as_ref().is_some_and(|running| running.is_failing())
    }

    /// What its tasks have counted.
    pub fn task_counts(&self) -> Vec<TaskCounts> {
        self.running.read().as_ref().map(|running| running.task_counts()).unwrap_or_default()
    }

    /// What it is made of; an error if it can't be built any more.
    pub fn topology(&self) -> Result<&Topology> {
        self.topology.as_ref().map_err(|reason| {
            SqlError::new("55000", format!("topology \"{}\" could not be brought back: {reason}", self.stored().name))
                .with_hint("restart the server when its cause is gone, or replace or kill the topology")
        })
    }

    /// Why it can't be built any more.
    pub fn reason(&self) -> Option<&str> {
        self.topology.as_ref().err().map(String::as_str)
    }
}

fn start(database: &Database, stored: &StoredTopology, topology: &Topology) -> Result<RunningTopology> {
    let checkpoints = EngineCheckpoints::new(database.engine.clone(), Handle::current(), &stored.name);
    let options =
        StartOptions { active: stored.active, checkpoints: Some(Arc::new(checkpoints)), ..StartOptions::default() };
    let running = RunningTopology::start(topology, options).map_err(invalid)?;
    if !stored.executors.is_empty() {
        running.rebalance(&stored.executors).map_err(invalid)?;
    }
    Ok(running)
}

/// A guarantee, as it is shown.
pub(crate) fn guarantee_word(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::AtMostOnce => "at most once",
        Guarantee::AtLeastOnce => "at least once",
        Guarantee::ExactlyOnceState => "exactly once",
    }
}
