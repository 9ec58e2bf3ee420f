//! Any aggregate at all: the group's rows are kept, and DataFusion's accumulator runs over them when the group changed.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{SortColumn, concat, lexsort_to_indices, take};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::column::{AggregateColumn, ColumnInput};
use super::failure::failure;
use super::grouped_set::{GroupedSet, Listing};
use crate::guard::guard;
use crate::{Result, RowError};

/// The rows of each group: arguments, then ORDER BY values.
pub(crate) struct MultisetColumn {
    function: Arc<AggregateFunctionExpr>,
    arguments: usize,
    set: GroupedSet,
    /// The value of each group that hasn't changed since it was computed.
    known: Vec<Option<ScalarValue>>,
    failures: Vec<RowError>,
}

impl MultisetColumn {
    /// `types` are the arguments' and then the ORDER BY expressions' types; `arguments` says how many are arguments.
    pub fn new(function: Arc<AggregateFunctionExpr>, types: &[DataType], arguments: usize) -> Result<MultisetColumn> {
        Ok(MultisetColumn {
            function,
            arguments,
            set: GroupedSet::new(types, 1, Listing::ByGroup)?,
            known: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// The group's value; NULL, and a failure noted, where DataFusion has none.
    fn compute(&mut self, group: u32) -> Result<ScalarValue> {
        let columns = self.rows(group)?;
        let computed = guard(|| {
            let mut accumulator = self.function.create_accumulator()?;
            if let Some(columns) = &columns {
                // Order-sensitive accumulators take the ordering values after the arguments.
                accumulator.update_batch(columns)?;
            }
            accumulator.evaluate()
        });
        match computed {
            Ok(value) => Ok(value),
            Err(error) => {
                self.failures.push(failure(&self.function, columns.as_deref().unwrap_or_default(), &error));
                Ok(ScalarValue::try_from(self.function.field().data_type())?)
            }
        }
    }

    /// The group's rows, in order; `None` when there are none.
    fn rows(&self, group: u32) -> Result<Option<Vec<ArrayRef>>> {
        // The order of rows is a function of the content, so that a restart or another task count gives the same value.
        let mut entries: Vec<u32> =
            self.set.members(group).iter().copied().filter(|&entry| self.set.count(entry, 0) > 0).collect();
        entries.sort_by(|&a, &b| self.set.compare(a, b));
        if entries.is_empty() {
            return Ok(None);
        }
        let columns = self.expand(&entries, self.set.values(&entries)?)?;
        self.sort(columns).map(Some)
    }

    /// Repeats each row as often as it is in the multiset.
    fn expand(&self, entries: &[u32], columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
        if entries.iter().all(|&entry| self.set.count(entry, 0) == 1) {
            return Ok(columns);
        }
        let repeated = entries
            .iter()
            .enumerate()
            .flat_map(|(row, &entry)| std::iter::repeat_n(row as u32, self.set.count(entry, 0) as usize));
        let rows = UInt32Array::from_iter_values(repeated);
        Ok(columns.iter().map(|column| take(column, &rows, None)).collect::<arrow::error::Result<_>>()?)
    }

    fn sort(&self, columns: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
        let order: Vec<SortColumn> = self
            .function
            .order_bys()
            .iter()
            .zip(&columns[self.arguments..])
            .map(|(by, values)| SortColumn { values: values.clone(), options: Some(by.options) })
            .collect();
        if order.is_empty() {
            return Ok(columns);
        }
        // Ties keep the content's order: the row number is the last key.
        let mut order = order;
        let rows = columns[0].len() as u32;
        order.push(SortColumn { values: Arc::new(UInt32Array::from_iter_values(0..rows)), options: None });
        let sorted = lexsort_to_indices(&order, None)?;
        Ok(columns.iter().map(|column| take(column, &sorted, None)).collect::<arrow::error::Result<_>>()?)
    }
}

impl AggregateColumn for MultisetColumn {
    fn resize(&mut self, groups: usize) {
        self.known.resize(groups.max(self.known.len()), None);
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        let entries = self.set.entries(input.groups, input.arguments)?;
        for (row, entry) in entries.into_iter().enumerate() {
            let weight = input.weight(row);
            self.set.add(entry, 0, weight);
            if weight != 0 {
                self.known[input.groups[row] as usize] = None;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        let mut values = Vec::with_capacity(groups.len());
        for &group in groups {
            let value = match self.known[group as usize].take() {
                Some(value) => value,
                None => self.compute(group)?,
            };
            values.push(value.to_array()?);
            self.known[group as usize] = Some(value);
        }
        if values.is_empty() {
            return Ok(new_empty_array(self.function.field().data_type()));
        }
        Ok(concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    }

    fn clear(&mut self, group: u32) {
        self.known[group as usize] = None;
    }

    fn state_types(&self) -> Vec<DataType> {
        Vec::new()
    }

    fn state(&self, _groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(Vec::new())
    }

    fn merge(&mut self, _groups: &[u32], _state: &[ArrayRef]) -> Result<()> {
        Ok(())
    }

    fn set(&mut self) -> Option<&mut GroupedSet> {
        Some(&mut self.set)
    }

    fn load_set(&mut self, groups: &[u32], values: &[ArrayRef], counts: &[ArrayRef]) -> Result<()> {
        self.set.load(groups, values, counts)?;
        Ok(())
    }

    fn take_failures(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.failures)
    }

    fn memory(&self) -> usize {
        self.set.memory() + self.known.capacity() * size_of::<ScalarValue>()
    }
}
