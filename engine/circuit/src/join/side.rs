//! `Side`: one input of a join: its rows, or only its key counts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use super::match_count::MatchCounts;
use crate::expression::evaluate_keys;
use crate::row_store::{some_if_not_ones, weighted_schema};
use crate::{Result, RowError, RowStore, WeightedBatch};

/// One input of a join.
pub(super) struct Side {
    pub(super) schema: SchemaRef,
    /// Columns of its state table.
    pub(super) table: SchemaRef,
    pub(super) keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Its rows by key; `None` when counting them is enough.
    pub(super) rows: Option<RowStore>,
    /// Weights of its rows per key, when the other side needs to know whether a key has rows here.
    pub(super) counts: Option<MatchCounts>,
    /// Weights of the matching rows of the other side per row, when equal keys don't make a match.
    pub(super) matches: Option<MatchCounts>,
}

impl Side {
    pub(super) fn new(schema: SchemaRef, keys: Vec<Arc<dyn PhysicalExpr>>) -> Side {
        Side { table: weighted_schema(&schema), schema, keys, rows: None, counts: None, matches: None }
    }

    /// The key columns of a batch.
    pub(super) fn key_columns(&self, batch: &WeightedBatch, errors: &mut Vec<RowError>) -> Result<Vec<ArrayRef>> {
        evaluate_keys(&self.keys, &batch.rows, errors)
    }

    /// Whether nothing is known of a key any more.
    pub(super) fn is_without(&self, key: u32) -> bool {
        self.rows.as_ref().is_none_or(|rows| !rows.has_key(key))
            && self.counts.as_ref().is_none_or(|counts| counts.get(key) == 0)
    }

    /// Keeps the rows of a batch. `row_matches`, when per-row counts are kept, has the count of each.
    pub(super) fn keep(&mut self, keys: &[u32], batch: &WeightedBatch, row_matches: &[i64]) -> Result<()> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let mut positions = Vec::new();
        rows.apply(keys, batch, &mut positions)?;
        if let Some(matches) = &mut self.matches {
            positions.iter().zip(row_matches).for_each(|(&position, &count)| matches.set(position, count));
        }
        Ok(())
    }

    /// Forgets all that is known of these keys. Gives the rows that are gone, with their weights negated.
    pub(super) fn forget(&mut self, keys: &[u32]) -> Result<Option<WeightedBatch>> {
        if let Some(counts) = &mut self.counts {
            keys.iter().for_each(|&key| counts.set(key, 0));
        }
        let Some(rows) = &mut self.rows else { return Ok(None) };
        let of_key = |&key: &u32| rows.positions(key).map(move |position| (key, position));
        let (keys, positions): (Vec<u32>, Vec<u32>) = keys.iter().flat_map(of_key).unzip();
        if positions.is_empty() {
            return Ok(None);
        }
        let kept = rows.gather(&positions)?;
        let weights = positions.iter().map(|&position| -rows.weight(position)).collect();
        let gone = WeightedBatch { rows: kept, weights: Some(weights) };
        rows.apply(&keys, &gone, &mut Vec::new())?;
        if let Some(matches) = &mut self.matches {
            positions.iter().for_each(|&position| matches.set(position, 0));
        }
        Ok(Some(gone))
    }

    pub(super) fn memory(&self) -> usize {
        let counts = [&self.counts, &self.matches].into_iter().flatten().map(MatchCounts::memory).sum::<usize>();
        counts + self.rows.as_ref().map_or(0, RowStore::memory)
    }
}

/// Rows with a NULL in a key column; `None` when there are none.
pub(super) fn null_keys(keys: &[ArrayRef]) -> Option<NullBuffer> {
    let valid = keys.iter().fold(None, |valid, key| NullBuffer::union(valid.as_ref(), key.logical_nulls().as_ref()));
    valid.filter(|valid| valid.null_count() > 0)
}

/// The rows of a batch where `keep` is true.
pub(super) fn filter_batch(batch: &WeightedBatch, keep: &BooleanArray) -> Result<WeightedBatch> {
    let rows = filter_record_batch(&batch.rows, keep)?;
    let kept = |weights: &Int64Array| -> Int64Array {
        weights.values().iter().zip(keep.values()).filter(|(_, keep)| *keep).map(|(&weight, _)| weight).collect()
    };
    Ok(WeightedBatch { rows, weights: batch.weights.as_ref().and_then(|weights| some_if_not_ones(kept(weights))) })
}
