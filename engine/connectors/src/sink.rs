//! `Sink`: where a relation's changes go.
//!
//! Exactly once: the engine keeps what a txid publishes in the commit itself, calls `publish` after that commit, and
//! again after a crash until it knows it succeeded; a sink must make a repeated txid harmless.

use arrow::array::{Int64Array, RecordBatch};

use crate::Result;

/// The changes of one txid, one piece of them.
#[derive(Debug, Clone)]
pub struct Change {
    /// The rows.
    pub rows: RecordBatch,
    /// Weight per row, +n inserted, -n deleted; `None` when every row is +1.
    pub weights: Option<Int64Array>,
}

/// What a sink promises about each change of the relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Each change is visible outside once.
    ExactlyOnce,
    /// A change may be seen again after a crash.
    AtLeastOnce,
}

/// Publishes committed changes to an outside system, in txid order.
pub trait Sink: Send {
    /// What it promises.
    fn guarantee(&self) -> Guarantee;

    /// Whether published changes must be kept in the commit until they are published. `false` only for a sink whose
    /// output nobody can miss (blackhole).
    fn needs_replay(&self) -> bool;

    /// Publishes the changes of a txid. Called again with the same txid and changes if the process died before the
    /// engine had noted the success; the effect outside must be as if it were called once.
    fn publish(&mut self, txid: u64, changes: &[Change]) -> Result<()>;
}
