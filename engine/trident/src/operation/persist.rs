//! Updates of states. They act when a batch commits, so in the order of txids.

use std::sync::Arc;

use monsoon_topology::{Failure, Outcome, Value};

use super::aggregate::grouped;
use super::{Operation, Task, merged};
use crate::aggregate::{Combiner, Reducer};
use crate::function::OperationContext;
use crate::state::{Key, MapState, Snapshottable, State, StateCell, StateUpdater};
use crate::tuple::{Collector, Projection, Row, Tuple};

/// How the tuples of a group change its value.
#[derive(Clone)]
pub(crate) enum Update {
    /// The only input field holds values that are combined in part.
    Combine(Arc<dyn Combiner>),
    Reduce(Arc<dyn Reducer>),
}

impl Update {
    /// The value after the tuples of a group, of which there is at least one.
    fn apply(&self, stored: Option<&Value>, input: &Projection, group: &[&Row]) -> Outcome<Value> {
        let mut tuples = group.iter().map(|row| Tuple::new(input, row));
        match self {
            Update::Combine(combiner) => {
                let add = |total: Option<Value>, tuple: Tuple<'_>| -> Outcome<Option<Value>> {
                    let value = tuple.at(0)?;
                    total.map_or_else(|| Ok(value.clone()), |total| combiner.combine(&total, value)).map(Some)
                };
                let total = tuples.try_fold(stored.cloned(), add)?;
                Ok(total.unwrap_or_else(|| combiner.zero()))
            }
            Update::Reduce(reducer) => {
                let start = stored.cloned().unwrap_or_else(|| reducer.init());
                tuples.try_fold(start, |value, tuple| reducer.reduce(value, &tuple))
            }
        }
    }
}

/// Updates a map with the groups of a batch; gives the keys with their new values.
pub(crate) struct PersistGroups<S> {
    pub(crate) cell: Arc<StateCell<S>>,
    pub(crate) key: Projection,
    pub(crate) input: Projection,
    pub(crate) update: Update,
}

impl<S: MapState> Operation for PersistGroups<S> {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.cell.prepare(context.partitions)
    }

    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let rows = merged(inputs);
        let (keys, groups): (Vec<Key>, Vec<Vec<&Row>>) = grouped(&self.key, &rows).into_iter().unzip();
        let values = committed(&self.cell, task, |state| {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            state.multi_update(&keys, &mut |place, stored| self.update.apply(stored, &self.input, &groups[place]))
        })?;
        if values.len() != keys.len() {
            return Err(Failure::new(format!("the state gave {} values for {} keys", values.len(), keys.len())));
        }
        let with_value = |(mut key, value): (Key, Value)| {
            key.push(value);
            key
        };
        Ok(keys.into_iter().zip(values).map(with_value).collect())
    }
}

/// Updates a state of one value; gives the new one.
pub(crate) struct PersistSnapshot<S> {
    pub(crate) cell: Arc<StateCell<S>>,
    pub(crate) input: Projection,
    pub(crate) update: Update,
}

impl<S: Snapshottable> Operation for PersistSnapshot<S> {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.cell.prepare(context.partitions)
    }

    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let rows = merged(inputs);
        let group: Vec<&Row> = rows.iter().collect();
        committed(&self.cell, task, |state| {
            if group.is_empty() {
                return Ok(Vec::new());
            }
            let value = state.update(&mut |stored| self.update.apply(stored, &self.input, &group))?;
            Ok(vec![vec![value]])
        })
    }
}

/// Hands the tuples of a batch to an updater; gives what it emits.
pub(crate) struct PersistTuples<S, U> {
    pub(crate) cell: Arc<StateCell<S>>,
    pub(crate) input: Projection,
    pub(crate) updater: U,
    pub(crate) arity: usize,
}

impl<S: State, U: StateUpdater<S>> Operation for PersistTuples<S, U> {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.cell.prepare(context.partitions)
    }

    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let rows = merged(inputs);
        let tuples: Vec<Tuple<'_>> = rows.iter().map(|row| Tuple::new(&self.input, row)).collect();
        let mut out = Collector::new(self.arity);
        committed(&self.cell, task, |state| {
            if tuples.is_empty() { Ok(()) } else { self.updater.update(state, &tuples, &mut out) }
        })?;
        out.finish()
    }
}

/// Updates the task's partition of a state between the begin and the end of its commit, also when there is nothing to do:
/// a state may count on seeing every txid.
fn committed<S: State, R>(cell: &StateCell<S>, task: &Task, update: impl FnOnce(&mut S) -> Outcome<R>) -> Outcome<R> {
    cell.with(task.partition, |state| {
        state.begin_commit(task.batch.txid)?;
        let result = update(state)?;
        state.commit(task.batch.txid)?;
        Ok(result)
    })
}
