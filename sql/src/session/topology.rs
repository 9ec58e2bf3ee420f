//! Statements about topologies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::sql::sqlparser::ast::Ident;
use monsoon_topology::Topology;

use super::Session;
use super::resolve::{folded, position};
use super::text_rows::{complete, text_rows};
use crate::database::{Database, engine_error};
use crate::error::{Result, SqlError};
use crate::interval_text::parse_duration_ms;
use crate::response::{Response, RowStream};
use crate::statement::{CreateTopology, KillTopology, Statement, TopologyStatement};
use crate::topology::{Deployed, StoredTopology, Surroundings, guarantee_word, invalid, removals, spec_of};

/// What is under way when a topology ends has so long to be finished, unless it is said how long (Storm: the message time-out).
const WAIT: Duration = Duration::from_secs(30);

const SHOW: [&str; 9] =
    ["name", "status", "guarantee", "components", "executors", "tasks", "emitted", "failed", "errors"];
const SHOW_CREATE: [&str; 2] = ["name", "create_statement"];
const DESCRIBE: [&str; 12] = [
    "component",
    "kind",
    "executors",
    "tasks",
    "inputs",
    "emitted",
    "executed",
    "acked",
    "failed",
    "queued",
    "restarts",
    "last_error",
];

/// The columns a statement about topologies answers with; `None`: no rows.
pub(super) fn topology_columns(topology: &TopologyStatement) -> Option<&'static [&'static str]> {
    match topology {
        TopologyStatement::Show => Some(&SHOW),
        TopologyStatement::ShowCreate(_) => Some(&SHOW_CREATE),
        TopologyStatement::Describe(_) => Some(&DESCRIBE),
        _ => None,
    }
}

/// The word for a statement that changes what is there.
pub(super) fn topology_change(topology: &TopologyStatement) -> Option<&'static str> {
    Some(match topology {
        TopologyStatement::Create(_) => "CREATE TOPOLOGY",
        TopologyStatement::Rebalance { .. } => "ALTER TOPOLOGY",
        TopologyStatement::Activate(_) => "ACTIVATE TOPOLOGY",
        TopologyStatement::Deactivate(_) => "DEACTIVATE TOPOLOGY",
        TopologyStatement::Kill(kill) => kill.tag,
        TopologyStatement::Restart(_) => "RESTART TOPOLOGY",
        TopologyStatement::Show | TopologyStatement::ShowCreate(_) | TopologyStatement::Describe(_) => return None,
    })
}

impl Session {
    pub(super) async fn topology(&mut self, statement: &Statement, topology: &TopologyStatement) -> Result<Response> {
        match topology {
            TopologyStatement::Create(create) => self.create_topology(statement, create).await,
            TopologyStatement::Rebalance { name, options } => self.rebalance(statement, name, options).await,
            TopologyStatement::Activate(name) => self.set_active(statement, name, true).await,
            TopologyStatement::Deactivate(name) => self.set_active(statement, name, false).await,
            TopologyStatement::Kill(kill) => self.kill_topology(statement, kill).await,
            TopologyStatement::Restart(name) => {
                let _alone = self.database.begin_change().await;
                let deployed = self.deployed(statement, name)?;
                in_background(&self.database, move |database| async move { deployed.restart(&database, WAIT).await })
                    .await?;
                complete("RESTART TOPOLOGY")
            }
            TopologyStatement::Show => self.show_topologies().map(Response::Rows),
            TopologyStatement::ShowCreate(name) => {
                let stored = self.deployed(statement, name)?.stored();
                text_rows("SHOW", &SHOW_CREATE, &[vec![Some(stored.name), Some(stored.sql)]]).map(Response::Rows)
            }
            TopologyStatement::Describe(name) => {
                let deployed = self.deployed(statement, name)?;
                text_rows("DESCRIBE", &DESCRIBE, &components(&deployed)).map(Response::Rows)
            }
        }
    }

    fn deployed(&self, statement: &Statement, name: &Ident) -> Result<Arc<Deployed>> {
        let found = self.database.topologies.get(&folded(name));
        found.ok_or_else(|| {
            SqlError::new("42704", format!("topology \"{}\" does not exist", folded(name)))
                .at(position(statement, name))
        })
    }

    async fn create_topology(&mut self, statement: &Statement, create: &CreateTopology) -> Result<Response> {
        const TAG: &str = "CREATE TOPOLOGY";
        let change = self.database.begin_change().await;
        let name = folded(&create.name);
        let old = self.database.topologies.get(&name);
        if old.is_some() && create.if_not_exists {
            self.notice("NOTICE", "42710", format!("topology \"{name}\" already exists, skipping"));
            return complete(TAG);
        }
        if old.is_some() && !create.or_replace {
            return Err(SqlError::new("42710", format!("topology \"{name}\" already exists"))
                .at(position(statement, &create.name)));
        }
        let (spec, active) = spec_of(statement, create, &self.database.config.natives)?;
        for setting in spec.unknown_settings() {
            let message = format!("there is no setting \"{setting}\": nothing but components' own code can see it");
            self.notice("WARNING", "01000", message);
        }
        let scope = self.scope()?;
        let surroundings = Surroundings {
            database: &self.database,
            scope: &scope,
            snapshot: &change.before,
            natives: &self.database.config.natives,
            runtime: tokio::runtime::Handle::current(),
            first_rows: old.as_ref().map(|old| old.stored().first_rows).unwrap_or_default(),
        };
        let built = surroundings
            .build(spec)
            .await
            .map_err(|error| error.at_place_if_none(position(statement, &create.name)))?;
        if let Some(component) = old.as_ref().and_then(|old| old.stored().misfit(&built.kept_by).map(str::to_owned)) {
            let message = format!(
                "component \"{component}\" can't go on from its checkpoint: its query, stream, window or number of tasks has changed"
            );
            return Err(SqlError::new("55000", message)
                .with_hint("give it another name to have it begin anew, or KILL TOPOLOGY first to have all begin anew; PARALLELISM may change within TASKS")
                .at(position(statement, &create.name)));
        }
        // What is replaced stays active or inactive, unless it is said.
        let active = active.unwrap_or_else(|| old.as_ref().is_none_or(|old| old.stored().active));
        let stored = StoredTopology::new(&name, &statement.sql, active, &built);
        in_background(&self.database, move |database| async move {
            // The new code goes on from the old one's last checkpoint.
            if let Some(old) = old {
                old.stop(WAIT).await?;
            }
            let deployed = Deployed::start(&database, stored.clone(), built)?;
            database.engine.commit_catalog(vec![stored.put()]).await.map_err(engine_error)?;
            database.topologies.put(Arc::new(deployed));
            Ok(())
        })
        .await?;
        drop(change);
        complete(TAG)
    }

    async fn set_active(&mut self, statement: &Statement, name: &Ident, active: bool) -> Result<Response> {
        let _alone = self.database.begin_change().await;
        let deployed = self.deployed(statement, name)?;
        let running = deployed.running()?;
        match active {
            true => running.activate(),
            false => running.deactivate(),
        }
        .map_err(invalid)?;
        keep(&self.database, &deployed, |stored| stored.active = active).await?;
        complete(if active { "ACTIVATE TOPOLOGY" } else { "DEACTIVATE TOPOLOGY" })
    }

    async fn kill_topology(&mut self, statement: &Statement, kill: &KillTopology) -> Result<Response> {
        let _alone = self.database.begin_change().await;
        let name = folded(&kill.name);
        if kill.if_exists && self.database.topologies.get(&name).is_none() {
            self.notice("NOTICE", "00000", format!("topology \"{name}\" does not exist, skipping"));
            return complete(kill.tag);
        }
        let deployed = self.deployed(statement, &kill.name)?;
        let wait = kill.wait_ms.map_or(WAIT, Duration::from_millis);
        in_background(&self.database, move |database| async move {
            deployed.stop(wait).await?;
            let stored = deployed.stored();
            let gone =
                removals(&database.engine, &stored.name).map_err(|error| SqlError::new("58030", error.to_string()))?;
            let writes = gone.into_iter().chain([stored.delete()]).collect();
            database.engine.commit_catalog(writes).await.map_err(engine_error)?;
            database.topologies.remove(&stored.name);
            Ok(())
        })
        .await?;
        complete(kill.tag)
    }

    async fn rebalance(
        &mut self,
        statement: &Statement,
        name: &Ident,
        options: &[(Ident, String)],
    ) -> Result<Response> {
        let _alone = self.database.begin_change().await;
        let deployed = self.deployed(statement, name)?;
        let executors = wanted_executors(statement, deployed.topology()?, options)?;
        let running = deployed.running()?;
        let asked = executors.clone();
        let moved = tokio::task::spawn_blocking(move || running.rebalance(&asked)).await;
        moved.map_err(|error| SqlError::internal(error.to_string()))?.map_err(invalid)?;
        keep(&self.database, &deployed, |stored| stored.executors.extend(executors)).await?;
        complete("ALTER TOPOLOGY")
    }

    fn show_topologies(&self) -> Result<RowStream> {
        let rows: Vec<_> = self.database.topologies.all().iter().map(|deployed| summary(deployed)).collect();
        text_rows("SHOW", &SHOW, &rows)
    }
}

/// Keeps what has changed of what the catalog says of a topology.
async fn keep(database: &Arc<Database>, deployed: &Deployed, change: impl FnOnce(&mut StoredTopology)) -> Result<()> {
    let database = Arc::clone(database);
    let mut stored = deployed.stored();
    change(&mut stored);
    database.engine.commit_catalog(vec![stored.put()]).await.map_err(engine_error)?;
    deployed.note(stored);
    Ok(())
}

/// Runs a change to its end, also when the client goes away meanwhile.
async fn in_background<F: Future<Output = Result<()>> + Send + 'static>(
    database: &Arc<Database>,
    change: impl FnOnce(Arc<Database>) -> F,
) -> Result<()> {
    let task = tokio::spawn(change(Arc::clone(database)));
    task.await.map_err(|error| SqlError::internal(format!("the change was lost: {error}")))?
}

/// The executors of each component that REBALANCE names; `parallelism` names all, each up to its number of tasks.
fn wanted_executors(
    statement: &Statement,
    topology: &Topology,
    options: &[(Ident, String)],
) -> Result<BTreeMap<String, usize>> {
    let components = &topology.info().components;
    let mut wanted = BTreeMap::new();
    for (name, value) in options {
        let refused = |message: String| SqlError::new("22023", message).at(position(statement, name));
        if name.value == "wait" {
            // Tasks move without being stopped for long, so there is nothing to wait for.
            parse_duration_ms(value)
                .ok_or_else(|| refused(format!("wait must be a duration as '10 s', not {value:?}")))?;
            continue;
        }
        let executors: usize = value
            .parse()
            .map_err(|_| refused(format!("{:?} must be a number of executors, not {value:?}", name.value)))?;
        if executors == 0 {
            return Err(refused("a component must have at least one executor".to_owned()));
        }
        match name.value.as_str() {
            "parallelism" if !components.iter().any(|component| component.name == "parallelism") => {
                wanted.extend(components.iter().map(|c| (c.name.to_string(), executors.min(c.tasks.len()))));
            }
            component => drop(wanted.insert(component.to_owned(), executors)),
        }
    }
    Ok(wanted)
}

fn summary(deployed: &Deployed) -> Vec<Option<String>> {
    let stored = deployed.stored();
    let counts = deployed.task_counts();
    let running = deployed.running().ok();
    let number = |number: usize| Some(number.to_string());
    let executors = running.as_ref().map(|running| running.executors().iter().map(|(_, executors)| executors).sum());
    let errors = running.as_ref().map(|running| running.errors().iter().map(|(_, _, total)| total).sum::<u64>());
    vec![
        Some(stored.name),
        Some(deployed.status().to_owned()),
        running.as_ref().map(|running| guarantee_word(running.guarantee()).to_owned()),
        deployed.topology().ok().and_then(|topology| number(topology.info().components.len())),
        executors.and_then(number),
        number(counts.len()),
        Some(counts.iter().map(|task| task.counts.emitted).sum::<u64>().to_string()),
        Some(counts.iter().map(|task| task.counts.failed).sum::<u64>().to_string()),
        errors.map(|errors| errors.to_string()),
    ]
}

fn components(deployed: &Deployed) -> Vec<Vec<Option<String>>> {
    let (Ok(running), Ok(topology)) = (deployed.running(), deployed.topology()) else { return Vec::new() };
    let errors = running.errors();
    let executors = running.executors();
    let counts = running.task_counts();
    let components = topology.info().components.iter().enumerate();
    let row = |(place, component): (usize, &monsoon_topology::ComponentInfo)| {
        let own = || counts.iter().filter(|task| task.component == component.name);
        let mut sum = monsoon_topology::Counts::default();
        own().for_each(|task| sum += task.counts);
        let inputs: Vec<String> = component.inputs.iter().map(input_text).collect();
        let kind = if component.inputs.is_empty() { "spout" } else { "bolt" };
        let last_error = errors.get(place).and_then(|(_, errors, _)| errors.last()).map(|error| error.message.clone());
        let number = |number: u64| Some(number.to_string());
        vec![
            Some(component.name.to_string()),
            Some(kind.to_owned()),
            executors.get(place).map(|(_, executors)| executors.to_string()),
            number(component.tasks.len() as u64),
            (!inputs.is_empty()).then(|| inputs.join(", ")),
            number(sum.emitted),
            number(sum.executed),
            number(sum.acked),
            number(sum.failed),
            number(own().map(|task| task.queued as u64).sum()),
            number(sum.restarts),
            last_error,
        ]
    };
    components.map(row).collect()
}

fn input_text(input: &monsoon_topology::Input) -> String {
    let (component, stream) = (&input.stream.component, &input.stream.stream);
    let grouping = input.grouping.describe();
    match stream.as_str() {
        monsoon_topology::DEFAULT_STREAM => format!("{grouping} ON {component}"),
        stream => format!("{grouping} ON {component} STREAM {stream}"),
    }
}
