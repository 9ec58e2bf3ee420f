//! Combining a task's share of a batch by group before the exchange, so that one row per group and task travels.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;

use super::call::{Call, Situation};
use super::column::ColumnInput;
use super::group_table;
use super::grouped_set::Listing;
use super::operator::FilterCache;
use crate::expression::{evaluate_all, evaluate_keys};
use crate::key_index::KeyIndex;
use crate::operator::{Operate, Step};
use crate::plan::{AggregateCall, AggregatePlan};
use crate::{Delta, Result, WeightedBatch};

/// The stateless first half of a GROUP BY whose states can be merged.
pub(crate) struct PartialAggregate {
    group: Vec<Arc<dyn PhysicalExpr>>,
    key_types: Vec<DataType>,
    aggregates: Vec<AggregateCall>,
    situation: Situation,
    input: SchemaRef,
    /// Key columns, row count, states.
    schema: SchemaRef,
}

impl PartialAggregate {
    /// `None` when an aggregate of the plan keeps rows, so that they must travel.
    pub fn new(plan: &AggregatePlan, input: &SchemaRef, append_only: bool) -> Result<Option<PartialAggregate>> {
        let situation = Situation { append_only, listing: Listing::None };
        let calls = plan.aggregates.iter().map(|call| Call::new(call, input, situation)).collect::<Result<Vec<_>>>()?;
        if plan.group.is_empty() || calls.iter().any(|call| !call.mergeable) {
            return Ok(None);
        }
        let key_types =
            plan.group.iter().map(|by| by.data_type(input)).collect::<datafusion::error::Result<Vec<_>>>()?;
        let mut fields = group_table::schema(&key_types, &calls).fields().to_vec();
        fields.pop();
        Ok(Some(PartialAggregate {
            group: plan.group.clone(),
            key_types,
            aggregates: plan.aggregates.clone(),
            situation,
            input: input.clone(),
            schema: Arc::new(Schema::new(fields)),
        }))
    }

    /// Columns of its output; the leading ones are the group's key.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn combine(&self, batch: &WeightedBatch, step: &mut Step<'_>) -> Result<WeightedBatch> {
        let key = evaluate_keys(&self.group, &batch.rows, &mut step.errors)?;
        let mut index = KeyIndex::new(&self.key_types)?;
        let mut groups = Vec::new();
        index.intern(&key, batch.len(), &mut groups)?;
        let count = index.capacity();
        let mut rows = vec![0; count];
        let mut first_rows = vec![u32::MAX; count];
        for (row, &group) in groups.iter().enumerate() {
            rows[group as usize] += batch.weight(row);
            first_rows[group as usize] = first_rows[group as usize].min(row as u32);
        }
        let mut calls = self
            .aggregates
            .iter()
            .map(|call| Call::new(call, &self.input, self.situation))
            .collect::<Result<Vec<_>>>()?;
        let mut filters = FilterCache::default();
        for call in &mut calls {
            call.column.resize(count);
            let arguments = evaluate_all(&call.arguments, &batch.rows, &mut step.errors)?;
            let weights = filters.weights(call.filter.as_ref(), batch, step)?;
            call.column.update(&ColumnInput { groups: &groups, arguments: &arguments, weights: weights.as_deref() })?;
            step.errors.extend(call.column.take_failures());
        }
        let first_rows = UInt32Array::from(first_rows);
        let key: Vec<ArrayRef> =
            key.iter().map(|column| take(column, &first_rows, None)).collect::<arrow::error::Result<_>>()?;
        let all: Vec<u32> = (0..count as u32).collect();
        Ok(WeightedBatch::inserted(group_table::rows(&self.schema, key, &all, &rows, &calls, None)?))
    }
}

impl Operate for PartialAggregate {
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        let mut delta = Delta::empty();
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            delta.push(self.combine(&batch, step)?);
        }
        Ok(delta)
    }
}
