//! `Item`: a tuple that a window holds.

use std::sync::Arc;

use crate::stream::{StreamInfo, TaskId};
use crate::tuple::Tuple;
use crate::value_bytes::{DEPTH_MAX, depth};
use crate::{Failure, Outcome, Value};

/// A tuple that a window holds, without its anchor. Cloning shares the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its number among the tuples this task has taken in.
    pub number: u64,
    /// The place of its stream among the task's inputs.
    pub input: u32,
    /// The task that emitted it.
    pub source: TaskId,
    /// Its values: they can be written to a checkpoint or a page, and read back.
    pub values: Arc<[Value]>,
}

impl Item {
    /// Of a tuple. An error when its values have lists and maps more than 128 deep: those could not be read back.
    pub fn new(number: u64, input: u32, source: TaskId, values: Arc<[Value]>) -> Outcome<Item> {
        match values.iter().any(|value| depth(value) > DEPTH_MAX) {
            true => Err(Failure::new(format!("windows can't hold lists and maps more than {DEPTH_MAX} deep"))),
            false => Ok(Item { number, input, source, values }),
        }
    }

    /// As it was read back.
    pub(super) fn restored(number: u64, input: u32, source: TaskId, values: Arc<[Value]>) -> Item {
        Item { number, input, source, values }
    }

    /// As a bolt is given it.
    pub fn tuple<'a>(&'a self, inputs: &'a [Arc<StreamInfo>]) -> Tuple<'a> {
        Tuple::new(&self.values, None, &inputs[self.input as usize], self.source)
    }
}
