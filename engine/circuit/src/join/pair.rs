//! `PairPass`: the pairs of a delta of one side with the rows of the other, filtered, counted and emitted in bounded batches.

use arrow::array::{Array, BooleanArray, Int64Array};

use super::match_count::MatchCounts;
use super::output::{OUTPUT_ROWS, Output};
use super::pair_filter::PairFilter;
use super::shape::{LEFT, RIGHT};
use crate::row_store::take_columns;
use crate::{Delta, Result, RowError, RowStore, WeightedBatch};

/// Pairs of one delta batch on their way to the output.
pub(super) struct PairPass<'a> {
    /// The side the delta is of.
    pub(super) side: usize,
    pub(super) batch: &'a WeightedBatch,
    /// Rows of the other side.
    pub(super) other: &'a RowStore,
    pub(super) filter: Option<&'a PairFilter>,
    pub(super) output: &'a Output,
    pub(super) errors: &'a mut Vec<RowError>,
    pub(super) out: &'a mut Delta,
    /// Per row of the delta, the weight of its matches; when wanted.
    pub(super) row_matches: Option<&'a mut [i64]>,
    /// Per row of the other side, the weight of its matches; when wanted.
    pub(super) other_matches: Option<&'a mut MatchCounts>,
    pub(super) rows: Vec<u32>,
    pub(super) positions: Vec<u32>,
}

impl PairPass<'_> {
    /// Takes the pairs of one row of the delta.
    pub(super) fn add(&mut self, row: u32, candidates: impl Iterator<Item = u32>) -> Result<()> {
        for position in candidates {
            self.rows.push(row);
            self.positions.push(position);
            if self.rows.len() >= OUTPUT_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Hands on the pairs taken so far.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.apply_filter()?;
        self.count();
        if self.output.shape.pairs && !self.rows.is_empty() {
            self.emit()?;
        }
        self.rows.clear();
        self.positions.clear();
        Ok(())
    }

    fn apply_filter(&mut self) -> Result<()> {
        let Some(filter) = self.filter else { return Ok(()) };
        let own = take_columns(&self.batch.rows, &self.rows, &filter.columns[self.side])?;
        let other = self.other.gather_columns(&self.positions, &filter.columns[1 - self.side])?;
        let columns = if self.side == LEFT { [own, other] } else { [other, own] };
        let passes: BooleanArray = filter.passes(columns, self.rows.len(), self.errors)?;
        if passes.true_count() < passes.len() {
            self.retain(|place| passes.is_valid(place) && passes.value(place));
        }
        Ok(())
    }

    fn count(&mut self) {
        if let Some(matches) = &mut self.row_matches {
            for (&row, &position) in self.rows.iter().zip(&self.positions) {
                matches[row as usize] += self.other.weight(position);
            }
        }
        if let Some(matches) = &mut self.other_matches {
            for (&row, &position) in self.rows.iter().zip(&self.positions) {
                matches.change(position, self.batch.weight(row as usize));
            }
        }
    }

    fn emit(&mut self) -> Result<()> {
        let all: Vec<usize> = (0..self.batch.rows.num_columns()).collect();
        let own = take_columns(&self.batch.rows, &self.rows, &all)?;
        let other = self.other.gather(&self.positions)?.columns().to_vec();
        let mut columns = [own, other];
        if self.side == RIGHT {
            columns.swap(LEFT, RIGHT);
        }
        let weights = self.weights();
        self.out.push(self.output.pairs(columns, weights, self.rows.len())?);
        Ok(())
    }

    fn weights(&self) -> Option<Int64Array> {
        if self.other.all_single() && self.batch.weights.is_none() {
            return None;
        }
        let product = |(&row, &position): (&u32, &u32)| self.batch.weight(row as usize) * self.other.weight(position);
        Some(self.rows.iter().zip(&self.positions).map(product).collect())
    }

    fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut kept = 0;
        for place in 0..self.rows.len() {
            if keep(place) {
                self.rows[kept] = self.rows[place];
                self.positions[kept] = self.positions[place];
                kept += 1;
            }
        }
        self.rows.truncate(kept);
        self.positions.truncate(kept);
    }
}
