//! `project`: one expression per output column.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use crate::expression::evaluate_all;
use crate::operator::{Operate, Step};
use crate::{Delta, Result, WeightedBatch};

/// Computes columns.
pub(crate) struct ProjectOperator {
    pub expressions: Vec<Arc<dyn PhysicalExpr>>,
    pub output: SchemaRef,
}

impl Operate for ProjectOperator {
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        let mut delta = Delta::empty();
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            let columns = evaluate_all(&self.expressions, &batch.rows, &mut step.errors)?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.len()));
            let rows = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?;
            delta.push(WeightedBatch { rows, weights: batch.weights });
        }
        Ok(delta)
    }
}
