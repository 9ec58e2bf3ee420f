//! The operations on single tuples: each, filter, map, flat map, peek, project, and the one that does nothing.

use monsoon_topology::{Failure, Outcome};

use super::{Operation, Task, merged};
use crate::function::{Consumer, Filter, FlatMapFunction, Function, MapFunction, OperationContext};
use crate::tuple::{Collector, Projection, Row, Tuple};

/// Gives its rows as they are: sources, merges and repartitionings.
pub(crate) struct Pass;

impl Operation for Pass {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        Ok(merged(inputs))
    }
}

/// Appends what a function emits.
pub(crate) struct Each<F> {
    pub(crate) input: Projection,
    pub(crate) function: F,
    pub(crate) arity: usize,
}

impl<F: Function> Operation for Each<F> {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.function.prepare(context)
    }

    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut output = Vec::new();
        for row in merged(inputs) {
            let mut out = Collector::new(self.arity);
            self.function.execute(&Tuple::new(&self.input, &row), &mut out)?;
            append(row, out.finish()?, &mut output);
        }
        Ok(output)
    }

    fn cleanup(&self) {
        self.function.cleanup();
    }
}

/// Adds the row with each of the emitted ones appended.
pub(super) fn append(row: Row, mut emitted: Vec<Row>, output: &mut Vec<Row>) {
    let Some(last) = emitted.pop() else { return };
    for values in emitted {
        output.push(row.iter().cloned().chain(values).collect());
    }
    let mut row = row;
    row.extend(last);
    output.push(row);
}

/// Keeps the rows a filter keeps.
pub(crate) struct FilterOperation<F> {
    pub(crate) input: Projection,
    pub(crate) filter: F,
}

impl<F: Filter> Operation for FilterOperation<F> {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.filter.prepare(context)
    }

    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut output = Vec::new();
        for row in merged(inputs) {
            if self.filter.keeps(&Tuple::new(&self.input, &row))? {
                output.push(row);
            }
        }
        Ok(output)
    }

    fn cleanup(&self) {
        self.filter.cleanup();
    }
}

/// Replaces each row.
pub(crate) struct MapOperation<F> {
    pub(crate) input: Projection,
    pub(crate) function: F,
    pub(crate) arity: usize,
}

impl<F: MapFunction> Operation for MapOperation<F> {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut output = Vec::new();
        for row in merged(inputs) {
            output.push(sized(self.function.map(&Tuple::new(&self.input, &row))?, self.arity)?);
        }
        Ok(output)
    }
}

/// Replaces each row by any number of rows.
pub(crate) struct FlatMap<F> {
    pub(crate) input: Projection,
    pub(crate) function: F,
    pub(crate) arity: usize,
}

impl<F: FlatMapFunction> Operation for FlatMap<F> {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut output = Vec::new();
        for row in merged(inputs) {
            for values in self.function.flat_map(&Tuple::new(&self.input, &row))? {
                output.push(sized(values, self.arity)?);
            }
        }
        Ok(output)
    }
}

fn sized(values: Row, arity: usize) -> Outcome<Row> {
    if values.len() == arity {
        return Ok(values);
    }
    Err(Failure::new(format!("a tuple of {} values was made, the stream has {arity} fields", values.len())))
}

/// Shows each row to a consumer.
pub(crate) struct Peek<F> {
    pub(crate) input: Projection,
    pub(crate) consumer: F,
}

impl<F: Consumer> Operation for Peek<F> {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let rows = merged(inputs);
        rows.iter().try_for_each(|row| self.consumer.accept(&Tuple::new(&self.input, row)))?;
        Ok(rows)
    }
}

/// Keeps some fields.
pub(crate) struct Project(pub(crate) Projection);

impl Operation for Project {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        Ok(merged(inputs).iter().map(|row| self.0.values(row)).collect())
    }
}
