//! Operations: what the nodes of a topology do with the rows of one batch in one partition.
//!
//! An operation takes vectors of rows and gives one; a chain of operations without a repartitioning is a chain of calls.

mod aggregate;
mod join;
mod multi_reduce;
mod persist;
mod query;
mod tuplewise;
mod window;

use monsoon_topology::Outcome;

pub(crate) use aggregate::{AggregateOperation, Column, WhenEmpty};
pub(crate) use join::{Join, JoinSide};
pub(crate) use multi_reduce::{MultiReduce, ReduceSide};
pub(crate) use persist::{PersistGroups, PersistSnapshot, PersistTuples, Update};
pub(crate) use query::Query;
pub(crate) use tuplewise::{Each, FilterOperation, FlatMap, MapOperation, Pass, Peek, Project};
pub use window::WindowConfig;
pub(crate) use window::{StoreFactory, WindowOperation};

use crate::batch::BatchId;
use crate::function::OperationContext;
use crate::tuple::Row;

/// Which part of which batch an operation works on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) batch: BatchId,
    pub(crate) partition: usize,
    pub(crate) partitions: usize,
    /// The processing time, in milliseconds.
    pub(crate) now_ms: u64,
}

/// Works on the rows of one batch and partition. One operation serves all of them, at once.
pub(crate) trait Operation: Send + Sync {
    /// Called once before the first batch.
    fn prepare(&self, _context: &OperationContext) -> Outcome {
        Ok(())
    }

    /// Makes the output rows of the rows of each parent.
    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>>;

    /// Called once after the last batch.
    fn cleanup(&self) {}
}

/// The rows of all parents.
pub(crate) fn merged(mut inputs: Vec<Vec<Row>>) -> Vec<Row> {
    if inputs.len() == 1 { inputs.pop().unwrap_or_default() } else { inputs.into_iter().flatten().collect() }
}
