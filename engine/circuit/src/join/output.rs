//! `Output`: builds the delta a join yields, batch by bounded batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;

use super::match_count::Turned;
use super::shape::{Alone, LEFT, RIGHT, Shape};
use super::side::{Side, filter_batch};
use crate::row_store::{batch_of, some_if_not_ones};
use crate::{Delta, Result, RowStore, WeightedBatch};

/// Rows of an output batch.
pub(super) const OUTPUT_ROWS: usize = 1 << 16;

/// What the rows of a join's output are made of.
pub(super) struct Output {
    pub(super) shape: Shape,
    schema: SchemaRef,
    sides: [SchemaRef; 2],
}

impl Output {
    pub(super) fn new(shape: Shape, schema: SchemaRef, left: &SchemaRef, right: &SchemaRef) -> Output {
        Output { shape, schema, sides: [left.clone(), right.clone()] }
    }

    /// Matching pairs.
    pub(super) fn pairs(
        &self,
        mut columns: [Vec<ArrayRef>; 2],
        weights: Option<Int64Array>,
        rows: usize,
    ) -> Result<WeightedBatch> {
        let mut all = std::mem::take(&mut columns[LEFT]);
        all.append(&mut columns[RIGHT]);
        Ok(WeightedBatch { rows: batch_of(&self.schema, all, rows)?, weights: weights.and_then(some_if_not_ones) })
    }

    /// What new rows of a side yield by themselves.
    pub(super) fn arrived(
        &self,
        side: usize,
        batch: &WeightedBatch,
        matched: &BooleanArray,
        out: &mut Delta,
    ) -> Result<()> {
        let alone = self.shape.alone[side];
        if alone == Alone::Marked {
            let rows = self.alone_rows(side, &batch.rows, matched.clone())?;
            out.push(WeightedBatch { rows, weights: batch.weights.clone() });
            return Ok(());
        }
        let present: BooleanArray = matched.values().iter().map(|matched| Some(alone.is_present(matched))).collect();
        let batch = match present.true_count() {
            0 => return Ok(()),
            all if all == batch.len() => batch.clone(),
            _ => filter_batch(batch, &present)?,
        };
        // The mark is only looked at for marked rows.
        let rows = self.alone_rows(side, &batch.rows, present)?;
        out.push(WeightedBatch { rows, weights: batch.weights });
        Ok(())
    }

    /// What stored rows yield that gained their first or lost their last match.
    pub(super) fn turned(&self, side: usize, store: &RowStore, rows: &Turned, out: &mut Delta) -> Result<()> {
        let alone = self.shape.alone[side];
        for (positions, matched) in [(&rows.unmatched, false), (&rows.matched, true)] {
            for chunk in positions.chunks(OUTPUT_ROWS) {
                if alone.is_present(!matched) {
                    out.push(self.stored(side, store, chunk, !matched, -1)?);
                }
                if alone.is_present(matched) {
                    out.push(self.stored(side, store, chunk, matched, 1)?);
                }
            }
        }
        Ok(())
    }

    fn stored(
        &self,
        side: usize,
        store: &RowStore,
        positions: &[u32],
        matched: bool,
        sign: i64,
    ) -> Result<WeightedBatch> {
        let mark = BooleanArray::from(vec![matched; positions.len()]);
        let rows = self.alone_rows(side, &store.gather(positions)?, mark)?;
        let weights: Int64Array = positions.iter().map(|&position| sign * store.weight(position)).collect();
        Ok(WeightedBatch { rows, weights: some_if_not_ones(weights) })
    }

    fn alone_rows(&self, side: usize, rows: &RecordBatch, mark: BooleanArray) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        match self.shape.alone[side] {
            Alone::Marked => columns.push(Arc::new(mark)),
            Alone::Extended => {
                let nulls = self.sides[1 - side]
                    .fields()
                    .iter()
                    .map(|field| new_null_array(field.data_type(), rows.num_rows()));
                columns = if side == LEFT {
                    columns.into_iter().chain(nulls).collect()
                } else {
                    nulls.chain(columns).collect()
                };
            }
            Alone::Nothing | Alone::Matched | Alone::Unmatched => {}
        }
        batch_of(&self.schema, columns, rows.num_rows())
    }
}

/// Positions of the rows of these keys.
pub(super) fn rows_of_keys(side: &Side, keys: &[u32]) -> Vec<u32> {
    let Some(rows) = &side.rows else { return Vec::new() };
    keys.iter().flat_map(|&key| rows.positions(key)).collect()
}

/// Which of these counts are matches.
pub(super) fn matched(counts: &[i64]) -> BooleanArray {
    counts.iter().map(|&count| Some(count > 0)).collect()
}
