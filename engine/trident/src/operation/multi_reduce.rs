//! The reduction of several streams, grouped alike, within a batch.

use std::collections::HashMap;

use monsoon_topology::Outcome;

use super::aggregate::grouped;
use super::{Operation, Task};
use crate::aggregate::MultiReducer;
use crate::tuple::{Collector, Projection, Row, Tuple};

/// What is read of one stream.
pub(crate) struct ReduceSide {
    pub(crate) key: Projection,
    pub(crate) input: Projection,
}

/// Gives, for each key that any of the streams has, the key with what the reducer emits.
pub(crate) struct MultiReduce<R> {
    pub(crate) sides: Vec<ReduceSide>,
    pub(crate) reducer: R,
    pub(crate) arity: usize,
}

impl<R: MultiReducer> Operation for MultiReduce<R> {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut places: HashMap<Row, usize> = HashMap::new();
        let mut groups: Vec<(Row, Vec<Vec<&Row>>)> = Vec::new();
        for (stream, rows) in inputs.iter().enumerate() {
            for (key, group) in grouped(&self.sides[stream].key, rows) {
                let place = *places.entry(key).or_insert_with_key(|key| {
                    groups.push((key.clone(), vec![Vec::new(); inputs.len()]));
                    groups.len() - 1
                });
                groups[place].1[stream] = group;
            }
        }
        let mut output = Vec::new();
        for (key, by_stream) in groups {
            let emitted = self.reduced(&by_stream)?;
            output.extend(emitted.into_iter().map(|values| key.iter().cloned().chain(values).collect::<Row>()));
        }
        Ok(output)
    }
}

impl<R: MultiReducer> MultiReduce<R> {
    fn reduced(&self, by_stream: &[Vec<&Row>]) -> Outcome<Vec<Row>> {
        let mut out = Collector::new(self.arity);
        let mut state = self.reducer.init(&mut out)?;
        for (stream, rows) in by_stream.iter().enumerate() {
            for row in rows {
                let tuple = Tuple::new(&self.sides[stream].input, row);
                self.reducer.execute(&mut state, stream, &tuple, &mut out)?;
            }
        }
        self.reducer.complete(state, &mut out)?;
        out.finish()
    }
}
