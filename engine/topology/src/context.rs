//! `TaskContext`: what a task knows of itself and its topology.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::collector::Waker;
use crate::config::Config;
use crate::grouping::Grouping;
use crate::hook::{Resources, TaskHook};
use crate::stream::{StreamInfo, TaskId};

/// A stream that a component reads, and how it is spread over its tasks.
#[derive(Debug, Clone)]
pub struct Input {
    /// The stream.
    pub stream: Arc<StreamInfo>,
    /// The grouping.
    pub grouping: Grouping,
}

/// What a topology promises about each tuple of its spouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Acking is off: a tuple may be lost in a crash.
    AtMostOnce,
    /// Spouts that replay what failed lose nothing; a tuple may be worked on twice.
    AtLeastOnce,
    /// The state of bolts is as if each tuple had been worked on once: spouts are replayable, and all go back to the last checkpoint on a failure.
    ExactlyOnceState,
}

/// A component as the others see it.
#[derive(Debug, Clone)]
pub struct ComponentInfo {
    /// Its name.
    pub name: SmolStr,
    /// Its tasks, in order.
    pub tasks: Vec<TaskId>,
    /// The streams it emits on.
    pub streams: Vec<Arc<StreamInfo>>,
    /// The streams it reads.
    pub inputs: Vec<Input>,
}

/// The graph of a topology.
#[derive(Debug, Clone)]
pub struct TopologyInfo {
    /// The topology's name.
    pub name: SmolStr,
    /// Its components, in the order they were added.
    pub components: Vec<ComponentInfo>,
}

impl TopologyInfo {
    /// A component by name.
    pub fn component(&self, name: &str) -> Option<&ComponentInfo> {
        self.components.iter().find(|component| component.name == name)
    }

    /// The component of each task.
    pub fn components_by_task(&self) -> BTreeMap<TaskId, SmolStr> {
        let tasks = |component: &'_ ComponentInfo| component.tasks.clone();
        self.components.iter().flat_map(|c| tasks(c).into_iter().map(|task| (task, c.name.clone()))).collect()
    }
}

/// What a task knows of itself and its topology.
pub struct TaskContext {
    pub(crate) topology: Arc<TopologyInfo>,
    pub(crate) component: usize,
    pub(crate) task: TaskId,
    pub(crate) config: Arc<Config>,
    pub(crate) resources: Resources,
    pub(crate) waker: Waker,
    pub(crate) guarantee: Guarantee,
    pub(crate) hooks: parking_lot::Mutex<Vec<Box<dyn TaskHook>>>,
}

impl TaskContext {
    /// The graph.
    pub fn topology(&self) -> &Arc<TopologyInfo> {
        &self.topology
    }

    /// The task's component.
    pub fn component(&self) -> &ComponentInfo {
        &self.topology.components[self.component]
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The task's place among its component's, from 0.
    pub fn task_index(&self) -> usize {
        self.component().tasks.iter().position(|&task| task == self.task).expect("a task is one of its component's")
    }

    /// The component's configuration: everything that was set for it or its topology.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// What the tasks of the topology share.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// What the topology promises. A replayable spout's position is what it has emitted if state is exactly once, and otherwise what has been
    /// acked without a gap.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// Asks for a call of this task's `next_tuple` or `poll`, from any thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Has a hook told of what this task does.
    pub fn add_task_hook(&self, hook: Box<dyn TaskHook>) {
        self.hooks.lock().push(hook);
    }
}
