//! `values`: a constant relation, inserted in the first step ever.
//!
//! One row of state remembers that it was, so that a restart doesn't insert it again.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::operator::{ChunkKind, Operate, StateChange, StateTable, Step};
use crate::{Delta, Result, WeightedBatch};

/// Yields its rows once, on the task that owns rows without a key.
pub(crate) struct ValuesOperator {
    rows: RecordBatch,
    done: bool,
}

impl ValuesOperator {
    pub fn new(rows: RecordBatch) -> ValuesOperator {
        ValuesOperator { rows, done: false }
    }

    fn table() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("live", DataType::Boolean, false)]))
    }
}

impl Operate for ValuesOperator {
    fn step(&mut self, _inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        if self.done || !step.owns_keyless {
            return Ok(Delta::empty());
        }
        self.done = true;
        let live: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        step.changes.push(StateChange { table: 0, rows: RecordBatch::try_new(Self::table(), vec![live])? });
        Ok(Delta::of(WeightedBatch::inserted(self.rows.clone())))
    }

    fn tables(&self) -> Vec<StateTable> {
        vec![StateTable {
            name: "inserted",
            schema: Self::table(),
            kind: ChunkKind::Latest { keys: 0 },
            distribution: Vec::new(),
        }]
    }

    fn load(&mut self, _table: usize, rows: RecordBatch) -> Result<()> {
        self.done |= rows.num_rows() > 0;
        Ok(())
    }
}
