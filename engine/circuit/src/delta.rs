//! `Delta`: the changes of a relation in one batch, a Z-set cut into Arrow batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat, concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;

use crate::Result;

/// Rows with a signed weight each: +n for n insertions, -n for n deletions.
#[derive(Debug, Clone)]
pub struct WeightedBatch {
    /// The rows.
    pub rows: RecordBatch,
    /// One weight per row, never null; `None` means +1 for each (the append-only fast path).
    pub weights: Option<Int64Array>,
}

impl WeightedBatch {
    /// Rows that are all inserted once.
    pub fn inserted(rows: RecordBatch) -> WeightedBatch {
        WeightedBatch { rows, weights: None }
    }

    /// Rows that all have the same weight.
    pub fn constant(rows: RecordBatch, weight: i64) -> WeightedBatch {
        if weight == 1 {
            return WeightedBatch::inserted(rows);
        }
        let weights = Int64Array::from_value(weight, rows.num_rows());
        WeightedBatch { rows, weights: Some(weights) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The weight of a row.
    pub fn weight(&self, row: usize) -> i64 {
        self.weights.as_ref().map_or(1, |weights| weights.value(row))
    }

    /// Each row as often as its weight says, not at all where that is below zero.
    pub fn expanded(&self) -> Result<RecordBatch> {
        if (0..self.len()).all(|row| self.weight(row) == 1) {
            return Ok(self.rows.clone());
        }
        let copies = |row: u32| std::iter::repeat_n(row, self.weight(row as usize).max(0) as usize);
        let places = UInt32Array::from_iter_values((0..self.len() as u32).flat_map(copies));
        Ok(take_record_batch(&self.rows, &places)?)
    }
}

/// The changes of a relation in one batch.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// The pieces; the delta is their sum.
    pub batches: Vec<WeightedBatch>,
}

impl Delta {
    /// No changes.
    pub fn empty() -> Delta {
        Delta::default()
    }

    /// A delta of one piece; an empty piece gives an empty delta.
    pub fn of(batch: WeightedBatch) -> Delta {
        let mut delta = Delta::empty();
        delta.push(batch);
        delta
    }

    /// Adds a piece, unless it has no rows.
    pub fn push(&mut self, batch: WeightedBatch) {
        if !batch.is_empty() {
            self.batches.push(batch);
        }
    }

    /// Adds all pieces of another delta.
    pub fn extend(&mut self, other: Delta) {
        self.batches.extend(other.batches);
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Number of rows over all pieces.
    pub fn len(&self) -> usize {
        self.batches.iter().map(WeightedBatch::len).sum()
    }

    /// Whether every row is a single insertion.
    pub fn is_insert_only(&self) -> bool {
        self.batches.iter().all(|batch| batch.weights.is_none())
    }

    /// The pieces as one; `None` when empty. Copies only when there is more than one piece.
    pub fn into_single(mut self, schema: &SchemaRef) -> Result<Option<WeightedBatch>> {
        if self.batches.len() <= 1 {
            return Ok(self.batches.pop());
        }
        let rows = concat_batches(schema, self.batches.iter().map(|batch| &batch.rows))?;
        let weights = if self.is_insert_only() { None } else { Some(self.concat_weights()?) };
        Ok(Some(WeightedBatch { rows, weights }))
    }

    fn concat_weights(&self) -> Result<Int64Array> {
        let pieces: Vec<ArrayRef> = self
            .batches
            .iter()
            .map(|batch| match &batch.weights {
                Some(weights) => Arc::new(weights.clone()) as ArrayRef,
                None => Arc::new(Int64Array::from_value(1, batch.len())) as ArrayRef,
            })
            .collect();
        let refs: Vec<&dyn arrow::array::Array> = pieces.iter().map(AsRef::as_ref).collect();
        let all = concat(&refs)?;
        Ok(arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&all).clone())
    }
}
