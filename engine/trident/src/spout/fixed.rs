//! `FixedBatchSpout`: batches cut from a list, for tests and examples.

use std::collections::BTreeMap;

use monsoon_topology::{Fields, Outcome, Value};

use super::BatchSpout;
use crate::Result;
use crate::tuple::{Collector, FieldNames, Row, fields_of};

/// Emits a list of tuples in batches of a size, once or for ever. A replay gives the same batch.
pub struct FixedBatchSpout {
    fields: Fields,
    batch_rows_max: usize,
    rows: Vec<Row>,
    cycle: bool,
    next_row: usize,
    pending: BTreeMap<u64, Vec<Row>>,
}

impl FixedBatchSpout {
    /// From fields, the size of a batch and the tuples.
    pub fn new(fields: impl FieldNames, batch_rows_max: usize, rows: Vec<Vec<Value>>) -> Result<FixedBatchSpout> {
        let fields = fields_of(&fields)?;
        Ok(FixedBatchSpout { fields, batch_rows_max, rows, cycle: false, next_row: 0, pending: BTreeMap::new() })
    }

    /// Starts again after the last tuple.
    pub fn cycle(mut self) -> FixedBatchSpout {
        self.cycle = true;
        self
    }

    fn next_batch(&mut self) -> Vec<Row> {
        if self.cycle && self.next_row >= self.rows.len() {
            self.next_row = 0;
        }
        let end = (self.next_row + self.batch_rows_max).min(self.rows.len());
        let batch = self.rows[self.next_row..end].to_vec();
        self.next_row = end;
        batch
    }
}

impl BatchSpout for FixedBatchSpout {
    fn fields(&self) -> Fields {
        self.fields.clone()
    }

    fn emit_batch(&mut self, txid: u64, out: &mut Collector) -> Outcome {
        if !self.pending.contains_key(&txid) {
            let batch = self.next_batch();
            self.pending.insert(txid, batch);
        }
        self.pending[&txid].iter().for_each(|row| out.emit(row.clone()));
        Ok(())
    }

    fn ack(&mut self, txid: u64) {
        self.pending = self.pending.split_off(&(txid + 1));
    }
}
