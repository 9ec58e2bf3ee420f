//! `JoinOperator`: all joins, incrementally.
//!
//! A join is bilinear (Budiu et al., "DBSP", VLDB 2023): the delta of L x R is L x dR + dL x (R + dR). So a step applies the
//! deltas one after the other; each meets the rows that the other side has at that moment, then joins its own side.
//! Outer, semi, anti and mark joins also keep match counts: how much matches a row. What a row yields by itself depends
//! only on whether its count is positive, so it changes when the count crosses zero. Where equal keys make
//! a match, counts are kept per key and pairs are never enumerated for them; with a further condition, or for NOT IN, per row.
//!
//! Invariants: a key has one id for both sides; an id is given up when neither side has rows of it; rows whose NULL key can't
//! match are never kept: what they yield by themselves never changes.

mod match_count;
mod output;
mod pair;
mod pair_filter;
mod shape;
mod side;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinType;

use crate::row_store::{split_weights, weighted_rows};
use crate::window::OpenWindows;
use crate::{
    ChunkKind, Delta, JoinPlan, KeyIndex, NO_ID, Operate, Result, RowError, RowStore, StateChange, StateTable, Step,
    WeightedBatch,
};
use match_count::MatchCounts;
use output::{Output, matched, rows_of_keys};
use pair::PairPass;
use pair_filter::PairFilter;
use shape::{Alone, LEFT, RIGHT, Shape, unsupported};
use side::{Side, filter_batch, null_keys};

/// A batch on its way into a side.
struct Arrival<'a> {
    side: usize,
    batch: &'a WeightedBatch,
    /// Key id of each row.
    ids: &'a [u32],
    /// Of a null-aware join, where the key isn't NULL; `None` when it nowhere is.
    valid: Option<&'a NullBuffer>,
}

/// A running join.
pub struct JoinOperator {
    output: Output,
    filter: Option<PairFilter>,
    null_equals_null: bool,
    null_aware: bool,
    /// Equal keys don't make a match: counts are per row.
    per_row: bool,
    /// The keys of both sides.
    index: KeyIndex,
    sides: [Side; 2],
    /// Of a null-aware join, the id of the NULL key; else `NO_ID`.
    null_key: u32,
    /// Keys that lost rows in this step.
    shrunk: Vec<u32>,
    windows: Option<OpenWindows>,
    ids: Vec<u32>,
}

impl JoinOperator {
    /// A join of no rows. `append_only` says of each input whether its deltas never delete.
    pub fn new(
        plan: &JoinPlan,
        left_schema: SchemaRef,
        right_schema: SchemaRef,
        output_schema: SchemaRef,
        append_only: [bool; 2],
    ) -> Result<JoinOperator> {
        if plan.null_aware && (plan.join_type != JoinType::LeftAnti || plan.on.len() != 1) {
            return unsupported("NOT IN is kept incrementally only as an anti join on one column");
        }
        let shape = Shape::of(plan.join_type);
        let width = shape.width([left_schema.fields().len(), right_schema.fields().len()]);
        if width != output_schema.fields().len() {
            return unsupported(format!(
                "a {} join yields {width} columns, not {}",
                plan.join_type,
                output_schema.fields().len()
            ));
        }
        let filter =
            plan.filter.as_ref().map(|filter| PairFilter::new(filter, &left_schema, &right_schema)).transpose()?;
        let per_row = filter.is_some() || plan.null_aware;
        let mut index_types = Vec::with_capacity(plan.on.len());
        for (left, right) in &plan.on {
            let (left_type, right_type) = (left.data_type(&left_schema)?, right.data_type(&right_schema)?);
            if left_type != right_type {
                return unsupported(format!("a join of {left_type} with {right_type}: cast one of them"));
            }
            index_types.push(left_type);
        }
        let output = Output::new(shape, output_schema, &left_schema, &right_schema);
        let left_keys = plan.on.iter().map(|(left, _)| Arc::clone(left)).collect();
        let right_keys = plan.on.iter().map(|(_, right)| Arc::clone(right)).collect();
        let mut sides = [Side::new(left_schema, left_keys), Side::new(right_schema, right_keys)];
        for side in [LEFT, RIGHT] {
            equip(&mut sides[side], shape, side, per_row, append_only[side], plan.window.is_some())?;
        }
        Ok(JoinOperator {
            output,
            filter,
            null_equals_null: plan.null_equals_null,
            null_aware: plan.null_aware,
            per_row,
            index: KeyIndex::new(&index_types)?,
            sides,
            null_key: NO_ID,
            shrunk: Vec::new(),
            windows: plan.window.clone().map(OpenWindows::new),
            ids: Vec::new(),
        })
    }

    fn apply_delta(&mut self, side: usize, delta: Delta, step: &mut Step<'_>, out: &mut Delta) -> Result<()> {
        // Where rows of the other side turn, they should turn once per step, not once per piece.
        let pieces = if self.output.shape.alone[1 - side] == Alone::Nothing {
            delta.batches
        } else {
            delta.into_single(&self.sides[side].schema)?.into_iter().collect()
        };
        for batch in pieces {
            if let Some(kept) = self.apply_batch(side, batch, &mut step.errors, out)? {
                let rows = weighted_rows(&self.sides[side].table, &kept)?;
                step.changes.push(StateChange { table: side, rows });
            }
        }
        Ok(())
    }

    /// Adds a batch of one side. Gives the rows that are to be kept.
    fn apply_batch(
        &mut self,
        side: usize,
        batch: WeightedBatch,
        errors: &mut Vec<RowError>,
        out: &mut Delta,
    ) -> Result<Option<WeightedBatch>> {
        let Some((batch, nulls)) = self.intern_keys(side, batch, errors, Some(&mut *out))? else { return Ok(None) };
        self.open_windows()?;
        let ids = std::mem::take(&mut self.ids);
        let arrival = Arrival { side, batch: &batch, ids: &ids, valid: nulls.as_ref() };
        let mut row_matches = self.counts_by_key(&arrival);
        #[cfg(feature = "broken-operator")]
        let skipped = side == RIGHT && crate::broken::joins_are_broken();
        #[cfg(not(feature = "broken-operator"))]
        let skipped = false;
        if (self.per_row || self.output.shape.pairs) && !skipped {
            self.match_pairs(&arrival, &mut row_matches, errors, out)?;
        }
        if self.output.shape.alone[side] != Alone::Nothing {
            self.output.arrived(side, &batch, &matched(&row_matches), out)?;
        }
        self.turn_others(&arrival, out)?;
        self.sides[side].keep(&ids, &batch, &row_matches)?;
        self.note_shrunk(&batch, &ids);
        self.ids = ids;
        Ok(Some(batch))
    }

    fn note_shrunk(&mut self, batch: &WeightedBatch, ids: &[u32]) {
        if let Some(weights) = &batch.weights {
            self.shrunk.extend(ids.iter().zip(weights.values()).filter(|(_, weight)| **weight < 0).map(|(&id, _)| id));
        }
    }

    /// Leaves the key ids of a batch in `ids`, and gives the rows that can ever match, with the places of NULL keys
    /// among them. The others yield what they yield right here, unless `out` is `None`.
    fn intern_keys(
        &mut self,
        side: usize,
        mut batch: WeightedBatch,
        errors: &mut Vec<RowError>,
        out: Option<&mut Delta>,
    ) -> Result<Option<(WeightedBatch, Option<NullBuffer>)>> {
        if let Some(weights) = batch.weights.as_ref().filter(|weights| weights.values().contains(&0)) {
            let present = weights.values().iter().map(|&weight| Some(weight != 0)).collect();
            batch = filter_batch(&batch, &present)?;
        }
        let mut keys = self.sides[side].key_columns(&batch, errors)?;
        let mut nulls = if self.null_equals_null { None } else { null_keys(&keys) };
        if let Some(valid) = nulls.take_if(|_| !self.null_aware) {
            let without = BooleanArray::new(!valid.inner(), None);
            let with = BooleanArray::new(valid.inner().clone(), None);
            if let Some(out) = out.filter(|_| self.output.shape.alone[side] != Alone::Nothing) {
                let unmatched = filter_batch(&batch, &without)?;
                let matched = BooleanArray::new(BooleanBuffer::new_unset(unmatched.len()), None);
                self.output.arrived(side, &unmatched, &matched, out)?;
            }
            batch = filter_batch(&batch, &with)?;
            keys = keys.iter().map(|key| arrow::compute::filter(key, &with)).collect::<std::result::Result<_, _>>()?;
        }
        if batch.is_empty() {
            return Ok(None);
        }
        self.index.intern(&keys, batch.len(), &mut self.ids)?;
        if let Some(valid) = &nulls
            && let Some(row) = valid.iter().position(|valid| !valid)
        {
            self.null_key = self.ids[row];
        }
        Ok(Some((batch, nulls)))
    }

    /// Per row of a batch, the weight of the other side's rows of its key; zeros when counts are per row, nothing when
    /// nobody asks.
    fn counts_by_key(&self, arrival: &Arrival<'_>) -> Vec<i64> {
        if self.output.shape.alone[arrival.side] == Alone::Nothing {
            return Vec::new();
        }
        match &self.sides[1 - arrival.side].counts {
            Some(counts) => arrival.ids.iter().map(|&key| counts.get(key)).collect(),
            None => vec![0; arrival.ids.len()],
        }
    }

    /// Pairs a batch with the other side's rows. `row_matches`, unless empty, gets the per-row counts.
    fn match_pairs(
        &mut self,
        arrival: &Arrival<'_>,
        row_matches: &mut [i64],
        errors: &mut Vec<RowError>,
        out: &mut Delta,
    ) -> Result<()> {
        let other = &mut self.sides[1 - arrival.side];
        let Some(store) = &other.rows else { return Ok(()) };
        if store.is_empty() {
            return Ok(());
        }
        let mut pass = PairPass {
            side: arrival.side,
            batch: arrival.batch,
            other: store,
            filter: self.filter.as_ref(),
            output: &self.output,
            errors,
            out,
            row_matches: Some(row_matches).filter(|counts| self.per_row && !counts.is_empty()),
            other_matches: other.matches.as_mut(),
            rows: Vec::new(),
            positions: Vec::new(),
        };
        for (row, &key) in arrival.ids.iter().enumerate() {
            let number = row as u32;
            if arrival.valid.is_some_and(|valid| valid.is_null(row)) {
                // NULL may equal anything.
                pass.add(number, store.all_positions())?;
                continue;
            }
            pass.add(number, store.positions(key))?;
            if self.null_key != NO_ID {
                pass.add(number, store.positions(self.null_key))?;
            }
        }
        pass.flush()
    }

    /// Emits what changes for the other side's rows by what matches them now.
    fn turn_others(&mut self, arrival: &Arrival<'_>, out: &mut Delta) -> Result<()> {
        let Arrival { side, batch, ids, .. } = *arrival;
        let mut turned = None;
        if let Some(counts) = &mut self.sides[side].counts {
            ids.iter().enumerate().for_each(|(row, &key)| counts.change(key, batch.weight(row)));
            turned = Some(counts.turned());
        }
        let other = &mut self.sides[1 - side];
        if let Some(keys) = &mut turned {
            keys.matched = rows_of_keys(other, &keys.matched);
            keys.unmatched = rows_of_keys(other, &keys.unmatched);
        } else if let Some(matches) = &mut other.matches {
            turned = Some(matches.turned());
        }
        match (turned, &other.rows) {
            (Some(turned), Some(store)) => self.output.turned(1 - side, store, &turned, out),
            _ => Ok(()),
        }
    }

    /// Gives up the ids of keys that no row has any more.
    fn release_keys(&mut self) {
        let mut shrunk = std::mem::take(&mut self.shrunk);
        shrunk.sort_unstable();
        shrunk.dedup();
        for key in shrunk.drain(..) {
            if self.sides.iter().all(|side| side.is_without(key)) {
                self.index.remove(key);
                if key == self.null_key {
                    self.null_key = NO_ID;
                }
            }
        }
        self.shrunk = shrunk;
    }

    /// Notes the windows of the keys in `ids` of which nothing is kept yet.
    fn open_windows(&mut self) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        windows.open_new(&self.ids, &self.index, |key| self.sides.iter().all(|side| side.is_without(key)))
    }

    /// Drops what is kept of keys whose windows are over: nothing can match it any more, and what was yielded stays.
    fn close_windows(&mut self, step: &mut Step<'_>) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let is_alive = |key| !self.sides.iter().all(|side| side.is_without(key));
        let closed = windows.close(step.watermarks, &self.index, is_alive)?;
        if closed.is_empty() {
            return Ok(());
        }
        for (table, side) in self.sides.iter_mut().enumerate() {
            if let Some(gone) = side.forget(&closed)? {
                step.changes.push(StateChange { table, rows: weighted_rows(&side.table, &gone)? });
            }
        }
        closed.into_iter().for_each(|key| self.index.remove(key));
        Ok(())
    }

    /// Counts the matches of every row anew, by pairing the left rows with the right ones.
    fn recount(&mut self) -> Result<()> {
        let Some(left) = self.sides[LEFT].rows.take() else { return Ok(()) };
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        let mut counted = Ok(());
        for key in 0..self.index.capacity() as u32 {
            positions.extend(left.positions(key));
            ids.resize(positions.len(), key);
            if positions.len() >= output::OUTPUT_ROWS {
                counted = counted.and_then(|()| self.recount_rows(&ids, &left, &positions));
                positions.clear();
                ids.clear();
            }
        }
        counted = counted.and_then(|()| self.recount_rows(&ids, &left, &positions));
        self.sides[LEFT].rows = Some(left);
        for side in &mut self.sides {
            if let Some(matches) = &mut side.matches {
                matches.turned();
            }
        }
        counted
    }

    /// Counts the matches of some left rows, and adds them to those of the right rows.
    fn recount_rows(&mut self, ids: &[u32], left: &RowStore, positions: &[u32]) -> Result<()> {
        let batch = left.gather_weighted(positions)?;
        let valid = self.null_aware.then(|| ids.iter().map(|&key| key != self.null_key).collect::<NullBuffer>());
        let arrival = Arrival { side: LEFT, batch: &batch, ids, valid: valid.as_ref() };
        let mut counts = vec![0; positions.len()];
        // The pairs themselves were emitted before the restart.
        let pairs = std::mem::replace(&mut self.output.shape.pairs, false);
        let matched = self.match_pairs(&arrival, &mut counts, &mut Vec::new(), &mut Delta::empty());
        self.output.shape.pairs = pairs;
        matched?;
        if let Some(matches) = &mut self.sides[LEFT].matches {
            positions.iter().zip(&counts).for_each(|(&position, &count)| matches.set(position, count));
        }
        Ok(())
    }
}

/// Decides what a side keeps. One with windows keeps rows in any case, to take them out of its state table when they close.
fn equip(side: &mut Side, shape: Shape, place: usize, per_row: bool, append_only: bool, windowed: bool) -> Result<()> {
    let asked = shape.alone[1 - place] != Alone::Nothing;
    if shape.pairs || per_row || shape.alone[place] != Alone::Nothing || windowed {
        let schema = side.schema.clone();
        side.rows =
            Some(if append_only && !windowed { RowStore::append_only(schema) } else { RowStore::general(schema)? });
    }
    side.counts = (asked && !per_row).then(MatchCounts::default);
    side.matches = (per_row && shape.alone[place] != Alone::Nothing).then(MatchCounts::default);
    Ok(())
}

impl Operate for JoinOperator {
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        let mut inputs = inputs.into_iter();
        let mut deltas = [inputs.next().unwrap_or_default(), inputs.next().unwrap_or_default()];
        let mut out = Delta::empty();
        let last = self.output.shape.last();
        for side in [1 - last, last] {
            let delta = std::mem::take(&mut deltas[side]);
            if !delta.is_empty() {
                self.apply_delta(side, delta, step, &mut out)?;
            }
        }
        self.release_keys();
        self.close_windows(step)?;
        Ok(out)
    }

    fn tables(&self) -> Vec<StateTable> {
        let names = ["join left", "join right"];
        let table = |(side, name): (&Side, &'static str)| StateTable {
            name,
            schema: side.table.clone(),
            kind: ChunkKind::Sum { counts: 1 },
            // NOT IN compares every key with NULL keys: one task must have them all.
            distribution: if self.null_aware { Vec::new() } else { side.keys.clone() },
        };
        self.sides.iter().zip(names).map(table).collect::<Vec<_>>()
    }

    fn load(&mut self, table: usize, rows: RecordBatch) -> Result<()> {
        let batch = split_weights("join", &self.sides[table].schema, &rows)?;
        let Some((batch, _)) = self.intern_keys(table, batch, &mut Vec::new(), None)? else { return Ok(()) };
        self.open_windows()?;
        let ids = std::mem::take(&mut self.ids);
        let side = &mut self.sides[table];
        if let Some(counts) = &mut side.counts {
            ids.iter().enumerate().for_each(|(row, &key)| counts.add(key, batch.weight(row)));
        }
        side.keep(&ids, &batch, &[])?;
        self.note_shrunk(&batch, &ids);
        self.ids = ids;
        Ok(())
    }

    fn loaded(&mut self) -> Result<()> {
        self.release_keys();
        self.shrunk.shrink_to_fit();
        if self.sides.iter().any(|side| side.matches.is_some()) { self.recount() } else { Ok(()) }
    }

    fn memory(&self) -> usize {
        self.index.memory() + self.sides.iter().map(Side::memory).sum::<usize>()
    }
}
