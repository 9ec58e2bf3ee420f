//! `Change`: what a batch did to the ranked rows: what is emitted and what goes to the state table.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::SchemaRef;

use crate::row_store::batch_of;
use crate::{Result, WeightedBatch};

/// Rows to emit and rows to keep.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// For the output.
    pub(super) emitted: Vec<WeightedBatch>,
    /// For the state table, without their rank.
    pub(super) kept: Vec<WeightedBatch>,
}

/// Which ranks a top-n yields, and how.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Rows skipped.
    pub(super) offset: usize,
    /// Rows up to the last one yielded: offset + limit.
    pub(super) end: usize,
    /// Whether the output has the rank.
    pub(super) with_rank: bool,
    /// The output's columns.
    pub(super) schema: SchemaRef,
}

impl Window {
    /// Output rows; `ranks` are counted from 0 and only looked at when wanted.
    pub(super) fn output(&self, batch: WeightedBatch, ranks: &[u64]) -> Result<WeightedBatch> {
        let mut columns: Vec<ArrayRef> = batch.rows.columns().to_vec();
        if self.with_rank {
            columns.push(Arc::new(UInt64Array::from_iter_values(ranks.iter().map(|rank| rank + 1))));
        }
        let rows = batch_of(&self.schema, columns, batch.len())?;
        Ok(WeightedBatch { rows, weights: batch.weights })
    }

    /// Whether the output's changes are those of the rows kept.
    pub(super) fn is_all_kept(&self) -> bool {
        self.offset == 0 && !self.with_rank
    }
}
