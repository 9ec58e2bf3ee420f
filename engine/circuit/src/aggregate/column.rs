//! `AggregateColumn`: the state of one aggregate for every group, in vectors indexed by group id.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use super::grouped_set::GroupedSet;
use crate::{Result, RowError};

/// Rows of a batch as one aggregate sees them.
pub(crate) struct ColumnInput<'a> {
    /// The group of each row.
    pub groups: &'a [u32],
    /// The aggregate's arguments (then its ORDER BY values, for columns that ask for them).
    pub arguments: &'a [ArrayRef],
    /// The weight of each row, 0 where FILTER dropped it; `None` means 1 for each.
    pub weights: Option<&'a [i64]>,
}

impl ColumnInput<'_> {
    /// The weight of a row.
    pub fn weight(&self, row: usize) -> i64 {
        self.weights.map_or(1, |weights| weights[row])
    }
}

/// Rows on which none of these columns is NULL; `None` when that is all of them.
pub(crate) fn rows_without_null(columns: &[ArrayRef]) -> Option<NullBuffer> {
    let valid =
        columns.iter().fold(None, |valid, column| NullBuffer::union(valid.as_ref(), column.logical_nulls().as_ref()));
    valid.filter(|valid| valid.null_count() > 0)
}

/// The state of one aggregate for every group.
pub(crate) trait AggregateColumn: Send {
    /// Makes room for groups below `groups`; new ones are empty.
    fn resize(&mut self, groups: usize);

    /// Adds weighted rows.
    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()>;

    /// The aggregate's value for each of these groups.
    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef>;

    /// Forgets a group.
    fn clear(&mut self, group: u32);

    /// Types of the columns of [`AggregateColumn::state`].
    fn state_types(&self) -> Vec<DataType>;

    /// The state of each of these groups, for the group table and for partial aggregation.
    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>>;

    /// Adds states to these groups (to empty groups: restores them).
    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()>;

    /// The multiset this aggregate is kept in, with a state table of its own, if it is.
    fn set(&mut self) -> Option<&mut GroupedSet> {
        None
    }

    /// Restores rows of the multiset's state table.
    fn load_set(&mut self, _groups: &[u32], _values: &[ArrayRef], _counts: &[ArrayRef]) -> Result<()> {
        Ok(())
    }

    /// Values that could not be computed since the last call; NULL stands for them.
    fn take_failures(&mut self) -> Vec<RowError> {
        Vec::new()
    }

    /// Memory held, in bytes.
    fn memory(&self) -> usize;
}
