//! Checkpoints: what one consists of, and where it is kept.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Result;

/// What of a task's state has changed since its last checkpoint.
#[derive(Debug, Default, Clone)]
pub struct StateChanges {
    /// Keys that were set, with their values; `None`: removed.
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// What else the store is to do in the same commit: things that this bolt and the store know, and nobody else.
    pub beside: Vec<Arc<dyn Any + Send + Sync>>,
}

impl StateChanges {
    /// Keys that were set, with their values; `None`: removed.
    pub fn of(changes: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> StateChanges {
        StateChanges { changes, beside: Vec::new() }
    }

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.beside.is_empty()
    }
}

/// One task's part of a checkpoint.
#[derive(Debug, Clone)]
pub struct TaskCheckpoint {
    /// The component.
    pub component: String,
    /// The task's place among the component's.
    pub index: usize,
    /// What has changed, of a bolt with state.
    pub state: StateChanges,
    /// Where a spout stands.
    pub position: Option<Vec<u8>>,
}

/// A checkpoint: what all tasks have to keep, after the same input.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its number, from 1.
    pub number: u64,
    /// The tasks that have something to keep.
    pub tasks: Vec<TaskCheckpoint>,
}

/// What is there of one task at the last durable checkpoint.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Keys and values, ascending by key.
    pub state: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where a spout stands.
    pub position: Option<Vec<u8>>,
}

/// Where the checkpoints of a topology are kept.
pub trait CheckpointStore: Send + Sync {
    /// Keeps a checkpoint, all of it or nothing, and returns when it is durable.
    fn commit(&self, checkpoint: Checkpoint) -> Result<()>;

    /// The number of the last durable checkpoint; 0 if there is none.
    fn last(&self) -> Result<u64>;

    /// What is there of a task: the one with this place among the component's.
    fn load(&self, component: &str, index: usize) -> Result<TaskState>;
}

/// Checkpoints in memory: they survive the topology, not the process.
#[derive(Debug, Default, Clone)]
pub struct MemoryCheckpoints(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    tasks: HashMap<(String, usize), KeptTask>,
}

#[derive(Debug, Default)]
struct KeptTask {
    state: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
    position: Option<Vec<u8>>,
}

impl CheckpointStore for MemoryCheckpoints {
    fn commit(&self, checkpoint: Checkpoint) -> Result<()> {
        let mut kept = self.0.lock();
        kept.last = checkpoint.number;
        for task in checkpoint.tasks {
            let into = kept.tasks.entry((task.component, task.index)).or_default();
            for (key, value) in task.state.changes {
                match value {
                    Some(value) => into.state.insert(key, value),
                    None => into.state.remove(&key),
                };
            }
            if task.position.is_some() {
                into.position = task.position;
            }
        }
        Ok(())
    }

    fn last(&self) -> Result<u64> {
        Ok(self.0.lock().last)
    }

    fn load(&self, component: &str, index: usize) -> Result<TaskState> {
        let kept = self.0.lock();
        let Some(task) = kept.tasks.get(&(component.to_string(), index)) else { return Ok(TaskState::default()) };
        let state = task.state.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(TaskState { state, position: task.position.clone() })
    }
}
