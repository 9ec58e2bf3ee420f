//! `union`: the sum of several relations (UNION ALL).

use arrow::datatypes::SchemaRef;

use crate::operator::{Operate, Step};
use crate::row_store::batch_of;
use crate::{Delta, Result, WeightedBatch};

/// Adds relations up.
pub(crate) struct UnionOperator {
    pub output: SchemaRef,
}

impl Operate for UnionOperator {
    fn step(&mut self, inputs: Vec<Delta>, _step: &mut Step<'_>) -> Result<Delta> {
        let mut delta = Delta::empty();
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            // Inputs may name their columns differently; the union's names are the first's.
            let rows = batch_of(&self.output, batch.rows.columns().to_vec(), batch.len())?;
            delta.push(WeightedBatch { rows, weights: batch.weights });
        }
        Ok(delta)
    }
}
