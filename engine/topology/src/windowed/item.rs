//! `Item`: a tuple that a window holds.

use std::sync::Arc;

use crate::Value;
use crate::stream::{StreamInfo, TaskId};
use crate::tuple::Tuple;

/// A tuple that a window holds, without its anchor. Cloning shares the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its number among the tuples this task has taken in.
    pub number: u64,
    /// The place of its stream among the task's inputs.
    pub input: u32,
    /// The task that emitted it.
    pub source: TaskId,
    /// Its values.
    pub values: Arc<[Value]>,
}

impl Item {
    /// As a bolt is given it.
    pub fn tuple<'a>(&'a self, inputs: &'a [Arc<StreamInfo>]) -> Tuple<'a> {
        Tuple::new(&self.values, None, &inputs[self.input as usize], self.source)
    }
}
