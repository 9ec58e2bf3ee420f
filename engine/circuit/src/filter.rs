//! `filter`: keeps the rows for which a predicate is true.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::{filter, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::Int64Type;
use datafusion::physical_expr::PhysicalExpr;

use crate::expression::evaluate_predicate;
use crate::operator::{Operate, Step};
use crate::{Delta, Result, WeightedBatch};

/// Drops rows.
pub(crate) struct FilterOperator {
    pub predicate: Arc<dyn PhysicalExpr>,
}

impl Operate for FilterOperator {
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        let mut delta = Delta::empty();
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            let keep = evaluate_predicate(&self.predicate, &batch.rows, &mut step.errors)?;
            delta.push(select(&batch, &keep)?);
        }
        Ok(delta)
    }
}

/// The rows for which `keep` is true, with their weights.
pub(crate) fn select(batch: &WeightedBatch, keep: &BooleanArray) -> Result<WeightedBatch> {
    let keep = if keep.null_count() > 0 { &prep_null_mask_filter(keep) } else { keep };
    if keep.true_count() == batch.len() {
        return Ok(batch.clone());
    }
    let rows = filter_record_batch(&batch.rows, keep)?;
    let weights = match &batch.weights {
        None => None,
        Some(weights) => Some(arrow::array::AsArray::as_primitive::<Int64Type>(&filter(weights, keep)?).clone()),
    };
    Ok(WeightedBatch { rows, weights })
}
