//! `RowStore`: the rows of one relation or join side of one task, with their weights, listed by a key the caller gives.
//!
//! Two forms behind one type. *Append-only* keeps the batches as they came; a position is a row's number and lasts for ever.
//! *General* keeps each distinct row once with its weight; a position is the row's id, and is used again after the
//! row's weight has become zero. Weights may be negative for a while: the store is a Z-set.
//!
//! Keys are numbers of the caller's (usually [`crate::KeyIndex`] ids). The key must be a function of the row.

mod block;
mod chain;
mod chunk;
mod interned;
#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::SchemaRef;

pub(crate) use block::{Blocks, batch_of, take_columns};
pub use chain::Positions;
pub(crate) use chunk::{split_weights, weighted_rows, weighted_schema};

use crate::{Error, Result, WeightedBatch};
use chain::Chains;
use interned::Interned;

/// Rows of a snapshot batch of the general form, at most.
const SNAPSHOT_ROWS: usize = 1 << 16;
/// Bytes of one, about: 32-bit string offsets end at 2 GiB.
const SNAPSHOT_BYTES: usize = 64 << 20;

/// A multiset of rows, listed by key.
pub struct RowStore {
    schema: SchemaRef,
    form: Form,
    chains: Chains,
}

enum Form {
    AppendOnly { blocks: Blocks, weights: Option<Vec<i64>> },
    General(Interned),
}

impl RowStore {
    /// A store for rows that are never deleted.
    pub fn append_only(schema: SchemaRef) -> RowStore {
        let form = Form::AppendOnly { blocks: Blocks::new(schema.clone()), weights: None };
        RowStore { schema, form, chains: Chains::growing() }
    }

    /// A store for rows that come and go.
    pub fn general(schema: SchemaRef) -> Result<RowStore> {
        let form = Form::General(Interned::new(schema.clone())?);
        Ok(RowStore { schema, form, chains: Chains::removable() })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of positions in use: rows of the append-only form, distinct rows of the general form.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::AppendOnly { blocks, .. } => blocks.len(),
            Form::General(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the largest position given out so far.
    pub fn capacity(&self) -> usize {
        match &self.form {
            Form::AppendOnly { blocks, .. } => blocks.len(),
            Form::General(rows) => rows.capacity(),
        }
    }

    /// Adds rows; `keys` has one key per row. `positions` is overwritten with the position of each row (of the general
    /// form: also of rows that are gone now).
    pub fn apply(&mut self, keys: &[u32], batch: &WeightedBatch, positions: &mut Vec<u32>) -> Result<()> {
        if keys.len() != batch.len() {
            return Err(bug(format!("{} keys for {} rows", keys.len(), batch.len())));
        }
        match &mut self.form {
            Form::General(rows) => rows.apply(keys, batch, &mut self.chains, positions),
            Form::AppendOnly { blocks, weights } => {
                append_weights(weights, blocks.len(), batch)?;
                let first = blocks.push(batch.rows.clone())?;
                self.chains.append(first, keys);
                positions.clear();
                positions.extend(first..first + keys.len() as u32);
                Ok(())
            }
        }
    }

    /// Positions of the rows of a key.
    pub fn positions(&self, key: u32) -> Positions<'_> {
        self.chains.positions(key)
    }

    /// Positions of all rows.
    pub fn all_positions(&self) -> impl Iterator<Item = u32> {
        let sparse = matches!(self.form, Form::General(_));
        (0..self.capacity() as u32).filter(move |&position| !sparse || self.chains.is_linked(position))
    }

    /// Whether a key has rows.
    pub fn has_key(&self, key: u32) -> bool {
        self.positions(key).next().is_some()
    }

    /// Whether every weight is known to be 1.
    pub fn all_single(&self) -> bool {
        matches!(&self.form, Form::AppendOnly { weights: None, .. })
    }

    /// The weight of the row at a position.
    pub fn weight(&self, position: u32) -> i64 {
        match &self.form {
            Form::AppendOnly { weights, .. } => weights.as_ref().map_or(1, |weights| weights[position as usize]),
            Form::General(rows) => rows.weight(position),
        }
    }

    /// The rows at these positions, in this order.
    pub fn gather(&self, positions: &[u32]) -> Result<RecordBatch> {
        match &self.form {
            Form::AppendOnly { blocks, .. } => blocks.gather(positions),
            Form::General(rows) => rows.gather(positions),
        }
    }

    /// Some columns of the rows at these positions.
    pub fn gather_columns(&self, positions: &[u32], columns: &[usize]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::AppendOnly { blocks, .. } => blocks.gather_columns(positions, columns),
            Form::General(rows) => {
                let batch = rows.gather(positions)?;
                Ok(columns.iter().map(|&column| batch.column(column).clone()).collect())
            }
        }
    }

    /// The rows at these positions with their weights.
    pub fn gather_weighted(&self, positions: &[u32]) -> Result<WeightedBatch> {
        let rows = self.gather(positions)?;
        let weights: Int64Array = positions.iter().map(|&position| self.weight(position)).collect();
        Ok(WeightedBatch { rows, weights: some_if_not_ones(weights) })
    }

    /// All rows. The append-only form gives its own batches, not copies.
    pub fn snapshot(&self) -> Result<Vec<WeightedBatch>> {
        match &self.form {
            Form::AppendOnly { blocks, weights } => snapshot_blocks(blocks, weights.as_deref()),
            Form::General(_) => {
                let positions: Vec<u32> = self.all_positions().collect();
                let row_bytes = self.memory() / positions.len().max(1) + 1;
                let rows = (SNAPSHOT_BYTES / row_bytes).clamp(1, SNAPSHOT_ROWS);
                positions.chunks(rows).map(|chunk| self.gather_weighted(chunk)).collect()
            }
        }
    }

    /// Memory held, in bytes (an estimate).
    pub fn memory(&self) -> usize {
        let rows = match &self.form {
            Form::AppendOnly { blocks, weights: None } => blocks.memory(),
            Form::AppendOnly { blocks, weights: Some(weights) } => blocks.memory() + 8 * weights.capacity(),
            Form::General(rows) => rows.memory(),
        };
        rows + self.chains.memory()
    }
}

/// `None` when every weight is 1.
pub(crate) fn some_if_not_ones(weights: Int64Array) -> Option<Int64Array> {
    let ones = weights.values().iter().all(|&weight| weight == 1);
    if ones { None } else { Some(weights) }
}

fn append_weights(weights: &mut Option<Vec<i64>>, rows: usize, batch: &WeightedBatch) -> Result<()> {
    if let Some(added) = &batch.weights {
        if added.values().iter().any(|&weight| weight < 0) {
            return Err(bug("a row is deleted from an append-only relation".into()));
        }
        weights.get_or_insert_with(|| vec![1; rows]).extend_from_slice(added.values());
    } else if let Some(weights) = weights {
        weights.resize(rows + batch.len(), 1);
    }
    Ok(())
}

fn snapshot_blocks(blocks: &Blocks, weights: Option<&[i64]>) -> Result<Vec<WeightedBatch>> {
    let mut start = 0;
    let mut snapshot = Vec::with_capacity(blocks.batches().len());
    for rows in blocks.batches() {
        let end = start + rows.num_rows();
        let part = weights.and_then(|weights| some_if_not_ones(Int64Array::from(weights[start..end].to_vec())));
        snapshot.push(without_weightless(WeightedBatch { rows: rows.clone(), weights: part })?);
        start = end;
    }
    Ok(snapshot)
}

fn without_weightless(batch: WeightedBatch) -> Result<WeightedBatch> {
    let Some(weights) = batch.weights.as_ref().filter(|weights| weights.values().contains(&0)) else {
        return Ok(batch);
    };
    let present: BooleanArray = weights.values().iter().map(|&weight| Some(weight != 0)).collect();
    let rows = filter_record_batch(&batch.rows, &present)?;
    let kept = filter(weights, &present)?;
    Ok(WeightedBatch {
        rows,
        weights: Some(arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&kept).clone()),
    })
}

fn bug(reason: String) -> Error {
    Error::Bug { operator: "row store".into(), reason }
}
