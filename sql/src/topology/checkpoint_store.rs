//! `EngineCheckpoints`: checkpoints of a topology in the engine's store, committed with the rows that its bolts insert.
//!
//! ```text
//! t/<topology>/n                                  number of the last checkpoint, decimal
//! t/<topology>/p/<component>/<task>               position of a spout task
//! t/<topology>/s/<component>/<task>/<key>         state of a bolt task
//! ```
//! Names are percent-encoded where they hold a `/` or `%`; tasks are numbered from 0 within their component.

use monsoon_batch::{Change, Engine};
use monsoon_state::Write;
use monsoon_topology::{Checkpoint, CheckpointStore, Error, Result, TaskCheckpoint, TaskState};
use tokio::runtime::Handle;

/// Checkpoints of one topology.
pub(crate) struct EngineCheckpoints {
    engine: Engine,
    runtime: Handle,
    prefix: String,
}

impl EngineCheckpoints {
    pub fn new(engine: Engine, runtime: Handle, topology: &str) -> EngineCheckpoints {
        EngineCheckpoints { engine, runtime, prefix: prefix(topology) }
    }

    fn task_prefix(&self, kind: char, component: &str, task: usize) -> String {
        format!("{}{kind}/{}/{task}/", self.prefix, encoded(component))
    }

    fn add(&self, task: TaskCheckpoint, writes: &mut Vec<Write>, changes: &mut Vec<Change>) {
        if let Some(position) = task.position {
            let key = self.task_prefix('p', &task.component, task.index).into_bytes();
            writes.push(Write::Put { key, value: position });
        }
        let prefix = self.task_prefix('s', &task.component, task.index).into_bytes();
        for (key, value) in task.state.changes {
            let key = [prefix.as_slice(), &key].concat();
            writes.push(match value {
                Some(value) => Write::Put { key, value },
                None => Write::Delete { key },
            });
        }
        let inserted = task.state.beside.iter().filter_map(|thing| thing.downcast_ref::<Change>());
        changes.extend(inserted.cloned());
    }
}

/// What the keys of a topology begin with.
fn prefix(topology: &str) -> String {
    format!("t/{}/", encoded(topology))
}

/// The writes that forget a topology's checkpoints.
pub(crate) fn removals(engine: &Engine, topology: &str) -> std::result::Result<Vec<Write>, monsoon_state::Error> {
    let entries = engine.store().scan(prefix(topology).as_bytes())?;
    Ok(entries.into_iter().map(|(key, _)| Write::Delete { key }).collect())
}

fn encoded(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Checkpoint(error.to_string())
}

impl CheckpointStore for EngineCheckpoints {
    fn commit(&self, checkpoint: Checkpoint) -> Result<()> {
        let number = checkpoint.number.to_string().into_bytes();
        let mut writes = vec![Write::Put { key: format!("{}n", self.prefix).into_bytes(), value: number }];
        let mut changes = Vec::new();
        checkpoint.tasks.into_iter().for_each(|task| self.add(task, &mut writes, &mut changes));
        if changes.is_empty() && writes.len() == 1 {
            return Ok(());
        }
        self.runtime.block_on(self.engine.write_beside(changes, writes)).map(drop).map_err(failed)
    }

    fn last(&self) -> Result<u64> {
        let value = self.engine.store().get(format!("{}n", self.prefix).as_bytes()).map_err(failed)?;
        let number = value.map(|value| String::from_utf8_lossy(&value).parse());
        number.transpose().map_err(failed).map(Option::unwrap_or_default)
    }

    fn load(&self, component: &str, index: usize) -> Result<TaskState> {
        let store = self.engine.store();
        let prefix = self.task_prefix('s', component, index).into_bytes();
        let entries = store.scan(&prefix).map_err(failed)?;
        let state = entries.into_iter().map(|(key, value)| (key[prefix.len()..].to_vec(), value)).collect();
        let position = store.get(self.task_prefix('p', component, index).as_bytes()).map_err(failed)?;
        Ok(TaskState { state, position })
    }
}
