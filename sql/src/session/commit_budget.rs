//! `CommitBudget`: how many bytes of rows may be gathered for one commit.
//!
//! The rows of a statement, a COPY or a transaction are in memory until the engine has them, and neither the engine's account
//! nor the query engine's pool counts them meanwhile. They may take a quarter of the memory limit; 53200 where they need more.

use std::collections::HashSet;

use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::buffer::Buffer;
use monsoon_batch::Change;

use super::Session;
use crate::database::DatabaseConfig;
use crate::error::{Result, SqlError};

/// What all rows of one commit may take, in bytes.
pub(super) fn commit_bytes_max(config: &DatabaseConfig) -> usize {
    usize::try_from(config.memory_limit_bytes / 4).unwrap_or(usize::MAX)
}

/// The error of rows that take more.
pub(super) fn too_large(what: &str, bytes_max: usize) -> SqlError {
    let limit_mb = bytes_max >> 20;
    SqlError::new("53200", format!("{what} is one commit, and its rows need more than {limit_mb} MB of memory"))
        .with_hint("divide it into several, or raise --memory-limit")
}

/// Counts rows that are gathered. A buffer that several batches share is counted once.
pub(super) struct CommitBudget {
    what: &'static str,
    bytes_max: usize,
    bytes: usize,
    /// Addresses of the buffers that were counted.
    counted: HashSet<usize>,
}

impl CommitBudget {
    /// For rows that are counted elsewhere.
    pub(super) fn without_bound() -> CommitBudget {
        CommitBudget { what: "", bytes_max: usize::MAX, bytes: 0, counted: HashSet::new() }
    }

    /// Takes rows into account.
    pub(super) fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        rows.columns().iter().for_each(|column| self.count(&column.to_data()));
        if self.bytes > self.bytes_max { Err(too_large(self.what, self.bytes_max)) } else { Ok(()) }
    }

    fn count(&mut self, array: &ArrayData) {
        array.buffers().iter().for_each(|buffer| self.count_buffer(buffer));
        if let Some(nulls) = array.nulls() {
            self.count_buffer(nulls.buffer());
        }
        array.child_data().iter().for_each(|child| self.count(child));
    }

    fn count_buffer(&mut self, buffer: &Buffer) {
        if self.counted.insert(buffer.data_ptr().addr().get()) {
            self.bytes += buffer.capacity();
        }
    }
}

/// What a change takes, in bytes.
pub(super) fn change_bytes(change: &Change) -> usize {
    let mut budget = CommitBudget::without_bound();
    for column in change.batches.iter().flat_map(|batch| batch.rows.columns()) {
        budget.count(&column.to_data());
    }
    budget.bytes
}

impl Session {
    /// The budget of a statement. Within a transaction, what waits there already is a part of it.
    pub(super) fn commit_budget(&self, word: &'static str) -> CommitBudget {
        let waiting_bytes = self.transaction.as_ref().map_or(0, |transaction| transaction.buffer().lock().bytes());
        CommitBudget {
            what: if waiting_bytes > 0 { "the transaction" } else { word },
            bytes_max: commit_bytes_max(&self.database.config),
            bytes: waiting_bytes,
            counted: HashSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[test]
    fn slices_of_one_batch_are_counted_once() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let rows = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let mut budget = CommitBudget { bytes_max: 1_000_000, what: "INSERT", ..CommitBudget::without_bound() };
        for start in 0..100 {
            budget.add(&rows.slice(start * 1_000, 1_000)).unwrap();
        }
        assert_eq!(budget.bytes, 800_000);
        let other: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let error = budget.add(&RecordBatch::try_from_iter([("x", other)]).unwrap()).unwrap_err();
        assert_eq!(error.sqlstate, "53200");
    }
}
