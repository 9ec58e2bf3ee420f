//! Incremental circuits: deltas, operators, state in memory, watermarks.
//!
//! Knows Arrow, DataFusion's physical expressions and accumulators. Doesn't know SQL text, logical plans, IO, threads or RocksDB.

mod aggregate;
#[cfg(feature = "broken-operator")]
mod broken;
mod circuit;
mod delta;
mod error;
mod exchange;
mod expression;
mod filter;
mod guard;
mod join;
mod key_index;
mod last_rows;
#[cfg(test)]
mod model;
mod operator;
mod plan;
mod project;
#[cfg(test)]
mod random;
mod row_store;
mod top_n;
mod union;
mod unnest;
mod values;
mod window;

#[cfg(feature = "broken-operator")]
pub use broken::break_joins;
pub use circuit::{Circuit, StepOutput, append_only_nodes};
pub use delta::{Delta, WeightedBatch};
pub use error::{Error, Result};
pub use exchange::{Exchange, KEY_GROUPS, SingleTask, TaskPlace, owned_rows, owners, partition};
pub use expression::evaluate;
pub use join::JoinOperator;
pub use key_index::{KeyIndex, NO_ID};
pub use last_rows::last_rows;
pub use operator::{ChunkKind, Operate, RowError, StateChange, StateTable, Step};
pub use plan::{
    AggregateCall, AggregatePlan, CircuitPlan, JoinPlan, Node, NodeId, OnClose, Operator, RelationId, TopNPlan,
    WindowBound,
};
pub use row_store::{Positions, RowStore};
pub use top_n::TopNOperator;
