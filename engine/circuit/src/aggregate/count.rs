//! `count`: the number of rows whose arguments are all non-NULL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};

use super::column::{AggregateColumn, ColumnInput, rows_without_null};
use crate::Result;

/// Counts per group.
#[derive(Default)]
pub(crate) struct CountColumn {
    counts: Vec<i64>,
}

impl AggregateColumn for CountColumn {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups.max(self.counts.len()), 0);
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        if let Some(valid) = rows_without_null(input.arguments) {
            for row in valid.valid_indices() {
                self.counts[input.groups[row] as usize] += input.weight(row);
            }
            return Ok(());
        }
        match input.weights {
            None => input.groups.iter().for_each(|&group| self.counts[group as usize] += 1),
            Some(weights) => {
                for (&group, &weight) in input.groups.iter().zip(weights) {
                    self.counts[group as usize] += weight;
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize]))))
    }

    fn clear(&mut self, group: u32) {
        self.counts[group as usize] = 0;
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize])))])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let counts = state[0].as_primitive::<Int64Type>();
        for (&group, count) in groups.iter().zip(counts.values()) {
            self.counts[group as usize] += count;
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.counts.capacity() * 8
    }
}
