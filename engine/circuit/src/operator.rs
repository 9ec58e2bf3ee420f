//! `Operate`: what every running operator does, and what it is given to do it with.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use crate::{Delta, RelationId, Result};

/// How the chunks of a state table add up to its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// A Z-set: the last `counts` columns are Int64 and add up per distinct row of the columns before them; a row whose counts are all zero is gone.
    Sum {
        /// Number of trailing count columns.
        counts: usize,
    },
    /// Rows keyed by the first `keys` columns: the newest row of a key is its content. The last column (Boolean, `live`) is false when the key is gone.
    Latest {
        /// Number of leading key columns.
        keys: usize,
    },
}

/// A state table of an operator.
#[derive(Debug, Clone)]
pub struct StateTable {
    /// What it holds, for EXPLAIN and error messages.
    pub name: &'static str,
    /// Columns of its chunks.
    pub schema: SchemaRef,
    /// How chunks add up.
    pub kind: ChunkKind,
    /// Expressions over the table's columns whose hash decides which task owns a row; empty when task 0 owns all.
    pub distribution: Vec<Arc<dyn PhysicalExpr>>,
}

/// Rows an operator adds to one of its state tables in this batch.
#[derive(Debug, Clone)]
pub struct StateChange {
    /// The operator's table, by place in [`Operate::tables`].
    pub table: usize,
    /// The rows.
    pub rows: RecordBatch,
}

/// An expression that failed on a row: the value became NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// What failed.
    pub expression: String,
    /// Why.
    pub reason: String,
    /// The row, rendered and cut to 1 KiB.
    pub row: String,
}

/// What a step is given beside its inputs, and where it leaves what isn't rows.
pub struct Step<'a> {
    /// Per stream with event time, the watermark committed before this batch, in microseconds since 1970.
    pub watermarks: &'a HashMap<RelationId, i64>,
    /// Whether this task owns rows that have no key (a global aggregate): true on task 0.
    pub owns_keyless: bool,
    /// State changes of the operator at work.
    pub changes: Vec<StateChange>,
    /// Row errors so far.
    pub errors: Vec<RowError>,
}

/// A running operator: one task's copy.
pub trait Operate: Send {
    /// One batch: the whole delta of each input gives the delta of the output. Called for every batch, also with empty inputs.
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta>;

    /// Its state tables; none for a stateless operator.
    fn tables(&self) -> Vec<StateTable> {
        Vec::new()
    }

    /// Takes rows of a state table at restart: this task's part of a chunk, oldest chunk first, table by table.
    fn load(&mut self, _table: usize, _rows: RecordBatch) -> Result<()> {
        Ok(())
    }

    /// All tables are loaded.
    fn loaded(&mut self) -> Result<()> {
        Ok(())
    }

    /// State held in memory, in bytes (an estimate).
    fn memory(&self) -> usize {
        0
    }
}
