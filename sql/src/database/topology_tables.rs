//! `monsoon.topologies`, `monsoon.topology_tasks` and `monsoon.topology_errors`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::common::Result;
use monsoon_topology::{ComponentError, SmolStr, TaskCounts};

use super::system_schema::{signed, table};
use crate::topology::{Deployed, Topologies, guarantee_word};

/// The topologies.
pub(super) fn topologies(all: &Topologies) -> Result<RecordBatch> {
    let all = all.all();
    let text = |value: &dyn Fn(&Deployed) -> Option<String>| -> ArrayRef {
        Arc::new(all.iter().map(|deployed| value(deployed)).collect::<StringArray>())
    };
    let number = |value: &dyn Fn(&Deployed) -> u64| -> ArrayRef {
        Arc::new(all.iter().map(|deployed| Some(signed(value(deployed)))).collect::<Int64Array>())
    };
    table(vec![
        ("name", text(&|deployed| Some(deployed.stored().name))),
        ("status", text(&|deployed| Some(deployed.status().to_owned()))),
        ("guarantee", text(&|d| d.running().ok().map(|running| guarantee_word(running.guarantee()).to_owned()))),
        (
            "components",
            number(&|deployed| deployed.topology().map_or(0, |topology| topology.info().components.len() as u64)),
        ),
        ("tasks", number(&|deployed| deployed.task_counts().len() as u64)),
        ("errors", number(&|d| d.running().map_or(0, |running| running.errors().iter().map(|(.., n)| n).sum()))),
    ])
}

/// Every task, and what it has counted.
pub(super) fn tasks(all: &Topologies) -> Result<RecordBatch> {
    let tasks: Vec<(String, TaskCounts)> = all
        .all()
        .iter()
        .flat_map(|deployed| {
            let name = deployed.stored().name;
            deployed.task_counts().into_iter().map(move |task| (name.clone(), task))
        })
        .collect();
    let number = |value: &dyn Fn(&TaskCounts) -> u64| -> ArrayRef {
        Arc::new(tasks.iter().map(|(_, task)| Some(signed(value(task)))).collect::<Int64Array>())
    };
    table(vec![
        ("topology", Arc::new(tasks.iter().map(|(name, _)| Some(name)).collect::<StringArray>())),
        ("component", Arc::new(tasks.iter().map(|(_, task)| Some(task.component.as_str())).collect::<StringArray>())),
        ("task", Arc::new(tasks.iter().map(|(_, task)| Some(i64::from(task.task.0))).collect::<Int64Array>())),
        ("queued", number(&|task| task.queued as u64)),
        ("emitted", number(&|task| task.counts.emitted)),
        ("transferred", number(&|task| task.counts.transferred)),
        ("executed", number(&|task| task.counts.executed)),
        ("acked", number(&|task| task.counts.acked)),
        ("failed", number(&|task| task.counts.failed)),
        ("skipped", number(&|task| task.counts.skipped)),
        ("pending", number(&|task| task.counts.pending)),
        ("restarts", number(&|task| task.counts.restarts)),
    ])
}

/// What went wrong.
struct Row {
    topology: String,
    /// None: the topology as a whole.
    component: Option<SmolStr>,
    at_us: Option<i64>,
    error: String,
}

/// The newest errors of components, oldest first; before them why topologies can't be built any more.
pub(super) fn errors(all: &Topologies) -> Result<RecordBatch> {
    let mut errors: Vec<Row> = all.all().iter().flat_map(|deployed| errors_of(deployed)).collect();
    errors.sort_by_key(|row| row.at_us);
    let text = |value: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(errors.iter().map(value).collect::<StringArray>())
    };
    table(vec![
        ("topology", text(&|row| Some(row.topology.clone()))),
        ("component", text(&|row| row.component.as_ref().map(SmolStr::to_string))),
        ("at", Arc::new(errors.iter().map(|row| row.at_us).collect::<TimestampMicrosecondArray>())),
        ("error", text(&|row| Some(row.error.clone()))),
    ])
}

fn errors_of(deployed: &Deployed) -> Vec<Row> {
    let topology = deployed.stored().name;
    if let Some(reason) = deployed.reason() {
        return vec![Row { topology, component: None, at_us: None, error: reason.to_owned() }];
    }
    let Ok(running) = deployed.running() else { return Vec::new() };
    let row = |component: &SmolStr, error: ComponentError| Row {
        topology: topology.clone(),
        component: Some(component.clone()),
        at_us: i64::try_from(error.at.0).ok(),
        error: error.message.to_string(),
    };
    let components = running.errors().into_iter();
    components
        .flat_map(|(component, kept, _)| kept.into_iter().map(|error| row(&component, error)).collect::<Vec<_>>())
        .collect()
}
