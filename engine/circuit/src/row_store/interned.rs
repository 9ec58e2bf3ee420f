//! `Interned`: distinct rows with a weight each; rows come and go.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;

use super::block::batch_of;
use super::chain::Chains;
use crate::{KeyIndex, Result, WeightedBatch};

/// Rows interned over all their columns; the id is the position.
pub(super) struct Interned {
    schema: SchemaRef,
    index: KeyIndex,
    weights: Vec<i64>,
}

impl Interned {
    pub(super) fn new(schema: SchemaRef) -> Result<Interned> {
        let types: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        Ok(Interned { index: KeyIndex::new(&types)?, weights: Vec::new(), schema })
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.index.capacity()
    }

    pub(super) fn weight(&self, position: u32) -> i64 {
        self.weights[position as usize]
    }

    /// Adds the weights of a batch. A row is gone when its weight is zero at the end of the batch, not earlier: a row
    /// that goes and comes back within the batch keeps its position.
    pub(super) fn apply(
        &mut self,
        keys: &[u32],
        batch: &WeightedBatch,
        chains: &mut Chains,
        positions: &mut Vec<u32>,
    ) -> Result<()> {
        self.index.intern(batch.rows.columns(), batch.len(), positions)?;
        self.weights.resize(self.index.capacity(), 0);
        let mut zero = false;
        for (row, (&position, &key)) in positions.iter().zip(keys).enumerate() {
            let weight = &mut self.weights[position as usize];
            *weight += batch.weight(row);
            zero |= *weight == 0;
            chains.link(key, position);
        }
        if zero {
            self.drop_weightless(keys, chains, positions);
        }
        Ok(())
    }

    fn drop_weightless(&mut self, keys: &[u32], chains: &mut Chains, positions: &[u32]) {
        for (&position, &key) in positions.iter().zip(keys) {
            if self.weights[position as usize] == 0 && chains.unlink(key, position) {
                self.index.remove(position);
            }
        }
    }

    pub(super) fn gather(&self, positions: &[u32]) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = self.index.columns(positions)?;
        for (column, field) in columns.iter_mut().zip(self.schema.fields()) {
            // The row form forgets dictionaries.
            if column.data_type() != field.data_type() {
                *column = cast(column, field.data_type())?;
            }
        }
        batch_of(&self.schema, columns, positions.len())
    }

    pub(super) fn memory(&self) -> usize {
        self.index.memory() + 8 * self.weights.capacity()
    }
}
