//! Any other aggregate of fixed-size state over input that only grows: DataFusion's own state, merged batch by batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::by_group::rows_by_group;
use super::column::{AggregateColumn, ColumnInput};
use super::failure::failure;
use crate::guard::guard;
use crate::{Result, RowError};

/// DataFusion's accumulator state of each group, between batches.
pub(crate) struct MergedColumn {
    function: Arc<AggregateFunctionExpr>,
    state_types: Vec<DataType>,
    states: Vec<Option<Vec<ScalarValue>>>,
    failures: Vec<RowError>,
}

impl MergedColumn {
    pub fn new(function: Arc<AggregateFunctionExpr>) -> Result<MergedColumn> {
        let state_types = function.state_fields()?.iter().map(|field| field.data_type().clone()).collect();
        Ok(MergedColumn { function, state_types, states: Vec::new(), failures: Vec::new() })
    }

    /// Whether this aggregate can be kept like this: state of fixed size that doesn't depend on the order of rows.
    pub fn suits(function: &AggregateFunctionExpr) -> Result<bool> {
        let fixed = function.state_fields()?.iter().all(|field| !field.data_type().is_nested());
        Ok(fixed && !function.is_distinct() && function.order_bys().is_empty())
    }

    /// Lets `change` work on the group's accumulator; what fails is as if it had not been tried.
    fn attempt<T>(
        &self,
        group: u32,
        change: impl FnOnce(&mut dyn Accumulator) -> DataFusionResult<T>,
    ) -> DataFusionResult<T> {
        guard(|| {
            let mut accumulator = self.function.create_accumulator()?;
            if let Some(state) = &self.states[group as usize] {
                let arrays = state.iter().map(|value| value.to_array()).collect::<DataFusionResult<Vec<_>>>()?;
                accumulator.merge_batch(&arrays)?;
            }
            change(accumulator.as_mut())
        })
    }

    /// Adds rows to a group. Of rows that fail together, those are left out that fail alone.
    fn add(&mut self, group: u32, arguments: &[ArrayRef], rows: &[u32]) -> Result<()> {
        let places = UInt32Array::from(rows.to_vec());
        let taken =
            arguments.iter().map(|argument| take(argument, &places, None)).collect::<arrow::error::Result<Vec<_>>>()?;
        let state = self.attempt(group, |accumulator| {
            accumulator.update_batch(&taken)?;
            accumulator.state()
        });
        match state {
            Ok(state) => self.states[group as usize] = Some(state),
            Err(error) if rows.len() <= 1 => self.failures.push(failure(&self.function, &taken, &error)),
            Err(_) => {
                let (first, second) = rows.split_at(rows.len() / 2);
                self.add(group, arguments, first)?;
                self.add(group, arguments, second)?;
            }
        }
        Ok(())
    }
}

impl AggregateColumn for MergedColumn {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), None);
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        rows_by_group(input).into_iter().try_for_each(|(group, rows)| self.add(group, input.arguments, &rows))
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        let mut values = Vec::with_capacity(groups.len());
        for &group in groups {
            let value = match self.attempt(group, |accumulator| accumulator.evaluate()) {
                Ok(value) => value,
                Err(error) => {
                    self.failures.push(failure(&self.function, &[], &error));
                    ScalarValue::try_from(self.function.field().data_type())?
                }
            };
            values.push(value.to_array()?);
        }
        if values.is_empty() {
            return Ok(new_empty_array(self.function.field().data_type()));
        }
        Ok(concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    }

    fn clear(&mut self, group: u32) {
        self.states[group as usize] = None;
    }

    fn state_types(&self) -> Vec<DataType> {
        self.state_types.clone()
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns: Vec<Vec<ScalarValue>> = vec![Vec::with_capacity(groups.len()); self.state_types.len()];
        for &group in groups {
            let state = match &self.states[group as usize] {
                Some(state) => state.clone(),
                None => self.function.create_accumulator()?.state()?,
            };
            for (column, value) in columns.iter_mut().zip(state) {
                column.push(value);
            }
        }
        let arrays = columns.into_iter().zip(&self.state_types).map(|(column, data_type)| {
            if column.is_empty() { Ok(new_empty_array(data_type)) } else { ScalarValue::iter_to_array(column) }
        });
        Ok(arrays.collect::<datafusion::error::Result<Vec<_>>>()?)
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        for (row, &group) in groups.iter().enumerate() {
            let slices: Vec<ArrayRef> = state.iter().map(|column| column.slice(row, 1)).collect();
            let state = self.attempt(group, |accumulator| {
                accumulator.merge_batch(&slices)?;
                accumulator.state()
            });
            self.states[group as usize] = Some(state?);
        }
        Ok(())
    }

    fn take_failures(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.failures)
    }

    fn memory(&self) -> usize {
        self.states.capacity() * (32 + self.state_types.len() * size_of::<ScalarValue>())
    }
}
