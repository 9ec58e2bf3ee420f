//! DISTINCT aggregates: each value counts while it is present.
//!
//! Aggregates over the same arguments share one set with one count per FILTER, so that q15's eight distinct counts hash
//! each row twice, not eight times.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::column::rows_without_null;
use super::grouped_set::{GroupedSet, Listing};
use crate::Result;

/// The distinct argument values of each group, counted once per FILTER.
pub(crate) struct DistinctSet {
    pub set: GroupedSet,
    /// Over input that only grows, a value that is present never goes: its count stays at one, and costs no further chunk.
    append_only: bool,
}

/// Rows whose value became present (+1) or absent (-1) for one FILTER.
pub(crate) struct Transitions {
    pub groups: Vec<u32>,
    pub weights: Vec<i64>,
    rows: Vec<u32>,
}

impl Transitions {
    /// The argument columns of these rows.
    pub fn arguments(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let rows = UInt32Array::from(self.rows.clone());
        Ok(columns.iter().map(|column| take(column, &rows, None)).collect::<arrow::error::Result<_>>()?)
    }
}

impl DistinctSet {
    pub fn new(types: &[DataType], filters: usize, append_only: bool, listing: Listing) -> Result<DistinctSet> {
        Ok(DistinctSet { set: GroupedSet::new(types, filters, listing)?, append_only })
    }

    /// Adds weighted rows; `weights` has one entry per FILTER. Returns the transitions of each FILTER.
    pub fn update(
        &mut self,
        groups: &[u32],
        arguments: &[ArrayRef],
        weights: &[Option<Vec<i64>>],
    ) -> Result<Vec<Transitions>> {
        let entries = self.set.entries(groups, arguments)?;
        let valid = rows_without_null(arguments);
        let mut all = Vec::with_capacity(weights.len());
        for (filter, weights) in weights.iter().enumerate() {
            let mut transitions = Transitions { groups: Vec::new(), weights: Vec::new(), rows: Vec::new() };
            for (row, &entry) in entries.iter().enumerate() {
                let mut weight = weights.as_ref().map_or(1, |weights| weights[row]);
                if valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
                    weight = 0;
                }
                if self.append_only {
                    if weight > 0 && self.set.count(entry, filter) > 0 {
                        continue;
                    }
                    weight = weight.min(1);
                }
                let transition = self.set.add(entry, filter, weight);
                if transition != 0 {
                    transitions.groups.push(groups[row]);
                    transitions.weights.push(transition);
                    transitions.rows.push(row as u32);
                }
            }
            all.push(transitions);
        }
        Ok(all)
    }
}
