//! `TridentState`: the partitions of a state, as a topology and its owner see them.

use std::sync::Arc;

use monsoon_topology::{Failure, Outcome};
use parking_lot::{Mutex, RwLock};

use crate::graph::StateId;
use crate::stream::Stream;
use crate::{Error, Result};

/// What a state learns when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateContext {
    /// Which partition, counted from 0.
    pub partition: usize,
    /// How many there are.
    pub partitions: usize,
}

type Factory<S> = Box<dyn Fn(&StateContext) -> Outcome<S> + Send + Sync>;

/// The partitions of a state. They are made when the topology starts.
pub(crate) struct StateCell<S> {
    factory: Factory<S>,
    partitions: RwLock<Vec<Arc<Mutex<S>>>>,
}

impl<S: Send + 'static> StateCell<S> {
    pub(crate) fn new(factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static) -> StateCell<S> {
        StateCell { factory: Box::new(factory), partitions: RwLock::default() }
    }

    /// Makes the partitions, unless they are there: a state is prepared by each operation on it.
    pub(crate) fn prepare(&self, partitions: usize) -> Outcome {
        let mut made = self.partitions.write();
        while made.len() < partitions {
            let context = StateContext { partition: made.len(), partitions };
            made.push(Arc::new(Mutex::new((self.factory)(&context)?)));
        }
        Ok(())
    }

    /// Works on one partition, alone.
    pub(crate) fn with<R>(&self, partition: usize, work: impl FnOnce(&mut S) -> Outcome<R>) -> Outcome<R> {
        let found = self.partitions.read().get(partition).cloned();
        let state = found.ok_or_else(|| Failure::new(format!("the state has no partition {partition}")))?;
        let mut state = state.lock();
        work(&mut state)
    }
}

/// A state of a topology: for [`Stream::state_query`], and to be read by the program that runs the topology.
pub struct TridentState<S> {
    pub(crate) cell: Arc<StateCell<S>>,
    pub(crate) id: StateId,
    pub(crate) new_values: Option<Stream>,
}

impl<S> Clone for TridentState<S> {
    fn clone(&self) -> TridentState<S> {
        TridentState { cell: self.cell.clone(), id: self.id, new_values: self.new_values.clone() }
    }
}

impl<S: Send + 'static> TridentState<S> {
    /// The stream of what updates of the state emit. A static state has none: [`Error::Invalid`].
    pub fn new_values_stream(&self) -> Result<Stream> {
        self.new_values.clone().ok_or_else(|| Error::invalid("a static state has no stream of new values"))
    }

    /// Sets how many partitions the state's update runs in, back to the previous repartitioning.
    pub fn parallelism_hint(self, partitions: usize) -> Result<TridentState<S>> {
        match &self.new_values {
            Some(stream) => drop(stream.clone().parallelism_hint(partitions)?),
            None => return Err(Error::invalid("a static state has the partitions of the streams that query it")),
        }
        Ok(self)
    }

    /// How many partitions there are: none before the topology runs.
    pub fn partitions(&self) -> usize {
        self.cell.partitions.read().len()
    }

    /// Works on one partition while no batch does. Between two partitions a batch may be committed.
    pub fn with_partition<R>(&self, partition: usize, work: impl FnOnce(&mut S) -> Outcome<R>) -> Outcome<R> {
        self.cell.with(partition, work)
    }
}
