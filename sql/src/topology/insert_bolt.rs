//! `InsertBolt`: inserts tuples into a table or stream.
//!
//! Where state is exactly once the rows are part of the topology's checkpoint: they are committed with the state and positions they were made by.
//! Otherwise rows are written as they come, and their tuples acked when that is durable.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use monsoon_batch::{Change, Engine};
use monsoon_circuit::WeightedBatch;
use monsoon_topology::{
    Bolt, BoltCollector, Guarantee, HeldTuple, Moment, Outcome, StateChanges, TaskContext, Tuple, Value, Waker,
};
use tokio::runtime::Handle;

use super::rows;
use crate::catalog::Relation;
use crate::error::{Result, SqlError};

/// Rows in one write, at most.
const ROWS_MAX: usize = 10_000;
/// Tuples that may wait to be written; past it the bolt takes no more.
const WAITING_MAX: usize = 20_000;

/// What an insert bolt writes to.
#[derive(Clone)]
pub(crate) struct InsertTarget {
    pub engine: Engine,
    pub runtime: Handle,
    pub relation: Arc<Relation>,
    /// The columns of what it is given, where all its streams have the same.
    pub given: Option<SchemaRef>,
}

/// Inserts tuples into a table or stream.
pub(crate) struct InsertBolt {
    target: InsertTarget,
    guarantee: Guarantee,
    /// Rows for the next checkpoint.
    rows: Vec<Vec<Value>>,
    /// Tuples to be written and acked.
    waiting: Vec<HeldTuple>,
    /// Tuples being written.
    writing: Vec<HeldTuple>,
    written: (Sender<Written>, Receiver<Written>),
    waker: Option<Waker>,
}

type Written = std::result::Result<(), String>;

impl InsertBolt {
    pub fn new(target: InsertTarget) -> InsertBolt {
        InsertBolt {
            target,
            guarantee: Guarantee::AtLeastOnce,
            rows: Vec::new(),
            waiting: Vec::new(),
            writing: Vec::new(),
            written: channel(),
            waker: None,
        }
    }

    /// Rows of the relation. What can't be cast is told, row by row, and left out.
    fn batch(&self, tuples: &[&[Value]], collector: &mut BoltCollector) -> Option<RecordBatch> {
        let relation = &self.target.relation;
        let given = self.target.given.as_ref();
        if let Ok(batch) = insertable(relation, given, tuples) {
            return Some(batch);
        }
        let mut good = Vec::with_capacity(tuples.len());
        for tuple in tuples {
            match insertable(relation, given, &[tuple]) {
                Ok(_) => good.push(*tuple),
                Err(error) => collector.report_error(format!("row {tuple:?} can't be inserted: {}", error.message)),
            }
        }
        insertable(relation, given, &good).ok().filter(|batch| batch.num_rows() > 0)
    }

    fn change(&self, batch: RecordBatch) -> Change {
        Change { relation: self.target.relation.id, batches: vec![WeightedBatch::inserted(batch)] }
    }

    /// Writes what waits, if nothing is being written.
    fn write(&mut self, collector: &mut BoltCollector) {
        if !self.writing.is_empty() || self.waiting.is_empty() {
            return;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(ROWS_MAX));
        self.writing = std::mem::replace(&mut self.waiting, rest);
        let tuples: Vec<&[Value]> = self.writing.iter().map(HeldTuple::values).collect();
        let Some(batch) = self.batch(&tuples, collector) else {
            collector.ack(&self.writing);
            self.writing.clear();
            return;
        };
        let (engine, change) = (self.target.engine.clone(), self.change(batch));
        let (written, waker) = (self.written.0.clone(), self.waker.clone());
        self.target.runtime.spawn(async move {
            let outcome = engine.write(vec![change]).await.map(drop).map_err(|error| error.to_string());
            // The bolt may have gone; its tuples are replayed then.
            let _ = written.send(outcome);
            waker.iter().for_each(Waker::wake);
        });
    }
}

fn insertable(relation: &Relation, given: Option<&SchemaRef>, tuples: &[&[Value]]) -> Result<RecordBatch> {
    if let Some(tuple) = tuples.iter().find(|tuple| tuple.len() != relation.schema.fields().len()) {
        let (given, wanted) = (tuple.len(), relation.schema.fields().len());
        return Err(SqlError::syntax(format!("it has {given} values, and {:?} has {wanted} columns", relation.name)));
    }
    let Some(given) = given else { return rows::batch(&relation.schema, tuples) };
    // Text is also what is said of columns of which nothing is known.
    let known = |(given, own): (&Arc<Field>, &Arc<Field>)| match given.data_type() {
        DataType::Utf8 => Arc::clone(own),
        _ => Arc::clone(given),
    };
    let read: Vec<_> = given.fields().iter().zip(relation.schema.fields()).map(known).collect();
    rows::assigned(&relation.schema, &rows::batch(&Arc::new(Schema::new(read)), tuples)?)
}

impl Bolt for InsertBolt {
    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.guarantee = context.guarantee();
        self.waker = Some(context.waker());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        match () {
            () if tuple.is_tick() => collector.ack(tuple),
            () if self.guarantee == Guarantee::ExactlyOnceState => {
                self.rows.push(tuple.values().to_vec());
                collector.ack(tuple);
            }
            () => self.waiting.push(tuple.hold()),
        }
        Ok(())
    }

    fn ready(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    fn settled(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty()
    }

    fn poll(&mut self, _: Moment, collector: &mut BoltCollector) -> Outcome {
        while let Ok(outcome) = self.written.1.try_recv() {
            match outcome {
                Ok(()) => collector.ack(&self.writing),
                Err(reason) => {
                    collector.report_error(format!("rows were not inserted: {reason}"));
                    collector.fail(&self.writing);
                }
            }
            self.writing.clear();
        }
        self.write(collector);
        Ok(())
    }

    /// At once when something waits and nothing is being written.
    fn next_poll(&self) -> Option<Moment> {
        (!self.waiting.is_empty() && self.writing.is_empty()).then_some(Moment(0))
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, collector: &mut BoltCollector) -> Option<StateChanges> {
        let rows = std::mem::take(&mut self.rows);
        let mut changes = StateChanges::default();
        for some in rows.chunks(ROWS_MAX) {
            let tuples: Vec<&[Value]> = some.iter().map(Vec::as_slice).collect();
            if let Some(batch) = self.batch(&tuples, collector) {
                changes.beside.push(Arc::new(self.change(batch)));
            }
        }
        Some(changes)
    }
}
