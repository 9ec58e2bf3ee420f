//! `Relation`: a lowered part of the query, and the facts that hold for its rows.

use datafusion::common::DFSchemaRef;
use monsoon_circuit::NodeId;

use super::event_time::EventTime;

/// The output of a node, under the names the logical plan gives its columns.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// The node. Its columns stand at the places of `schema`'s; their names may differ.
    pub node: NodeId,
    /// Columns as expressions above refer to them.
    pub schema: DFSchemaRef,
    /// What is known of the rows.
    pub facts: Facts,
}

/// What is known of the rows of a relation, at every time.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Columns (ascending) no two rows agree on; no columns at all: there is at most one row; `None`: not known.
    pub key: Option<Vec<usize>>,
    /// Rows are only ever inserted.
    pub append_only: bool,
    /// Below is an aggregate that emits on window close.
    pub emitted: bool,
    /// Per column, how it follows event time.
    pub times: Vec<Option<EventTime>>,
}

impl Facts {
    /// Nothing is known of rows of this width.
    pub fn unknown(columns: usize) -> Facts {
        Facts { key: None, append_only: false, emitted: false, times: vec![None; columns] }
    }
}
