//! Queries of a state by the tuples of a stream.

use std::sync::Arc;

use monsoon_topology::Outcome;

use super::tuplewise::append;
use super::{Operation, Task, merged};
use crate::function::OperationContext;
use crate::state::{QueryFunction, StateCell, expect_count};
use crate::tuple::{Collector, Projection, Row, Tuple};

/// Appends what a query emits. The whole batch of the partition is read at once.
pub(crate) struct Query<S, Q> {
    pub(crate) cell: Arc<StateCell<S>>,
    pub(crate) input: Projection,
    pub(crate) query: Q,
    pub(crate) arity: usize,
}

impl<S: Send + 'static, Q: QueryFunction<S>> Operation for Query<S, Q> {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.cell.prepare(context.partitions)
    }

    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let rows = merged(inputs);
        if rows.is_empty() {
            return Ok(rows);
        }
        let tuples: Vec<Tuple<'_>> = rows.iter().map(|row| Tuple::new(&self.input, row)).collect();
        let results = self.cell.with(task.partition, |state| self.query.retrieve(state, &tuples))?;
        expect_count("results", results.len(), tuples.len())?;
        let mut emitted = Vec::with_capacity(rows.len());
        for (tuple, result) in tuples.iter().zip(results) {
            let mut out = Collector::new(self.arity);
            self.query.execute(tuple, result, &mut out)?;
            emitted.push(out.finish()?);
        }
        let mut output = Vec::with_capacity(rows.len());
        rows.into_iter().zip(emitted).for_each(|(row, emitted)| append(row, emitted, &mut output));
        Ok(output)
    }
}
