//! States of streams: running aggregates, updates and queries.

use std::sync::Arc;

use monsoon_topology::{Fields, Outcome};

use super::{GroupedStream, Stream};
use crate::aggregate::{Aggregation, Kind};
use crate::graph::{Link, Node, Origin, Partitioning};
use crate::operation::{PersistGroups, PersistSnapshot, PersistTuples, Query, Update};
use crate::state::{
    MapState, QueryFunction, Snapshottable, State, StateCell, StateContext, StateUpdater, TridentState,
};
use crate::tuple::{FieldNames, concatenated, fields_of};
use crate::{Error, Result};

impl Stream {
    /// Keeps a running aggregate of all tuples in a state of one partition. The stream of new values has the output
    /// field, one tuple for each batch that isn't empty. A combiner or a reducer; an aggregator is refused.
    pub fn persistent_aggregate<S: Snapshottable>(
        &self,
        factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<TridentState<S>> {
        let (aggregation, output) = (aggregation.into(), fields_of(&output)?);
        let (source, input, update) = prepared(self, None, input, aggregation, &output)?;
        let cell = Arc::new(StateCell::new(factory));
        let operation = PersistSnapshot { cell: cell.clone(), input, update };
        let moved = source.global()?;
        updated(&moved, cell, Node { single: true, ..Node::new("persistent_aggregate", operation, output) })
    }

    /// Updates a state with the input fields of each batch, in each partition. The stream of new values has the output
    /// fields, which the updater emits.
    pub fn partition_persist<S: State>(
        &self,
        factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static,
        input: impl FieldNames,
        updater: impl StateUpdater<S>,
        output: impl FieldNames,
    ) -> Result<TridentState<S>> {
        let (input, output) = (self.projection(input)?, fields_of(&output)?);
        self.refuse_drpc("a state's update")?;
        let cell = Arc::new(StateCell::new(factory));
        let operation = PersistTuples { cell: cell.clone(), input, updater, arity: output.len() };
        updated(self, cell, Node::new("partition_persist", operation, output))
    }

    /// Appends to each tuple what a query of a state emits. Queries the partition of the state with the number of the
    /// tuple's own: group or broadcast the stream first as the state needs it.
    pub fn state_query<S: Send + 'static>(
        &self,
        state: &TridentState<S>,
        input: impl FieldNames,
        query: impl QueryFunction<S>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        let (input, output) = (self.projection(input)?, fields_of(&output)?);
        let of_this_topology = state.new_values.as_ref().is_none_or(|of| Arc::ptr_eq(&of.graph, &self.graph));
        if !of_this_topology || state.id >= self.graph.lock().states {
            return Err(Error::invalid("the state belongs to another topology"));
        }
        let fields = concatenated(&self.fields(), &output)?;
        let operation = Query { cell: state.cell.clone(), input, query, arity: output.len() };
        self.then(Link::Local, Node { state: Some(state.id), ..Node::new("state_query", operation, fields) })
    }

    pub(super) fn refuse_drpc(&self, what: &str) -> Result<()> {
        match self.origin {
            Origin::Spouts => Ok(()),
            Origin::Drpc(_) => Err(Error::invalid(format!("a DRPC request has no txid, so {what} can't follow it"))),
        }
    }
}

impl GroupedStream {
    pub(super) fn persist<S: MapState>(
        &self,
        factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static,
        input: impl FieldNames,
        aggregation: Aggregation,
        output: impl FieldNames,
    ) -> Result<TridentState<S>> {
        let output = fields_of(&output)?;
        let fields = concatenated(&self.group, &output)?;
        let (source, input, update) = prepared(&self.stream, Some(self), input, aggregation, &output)?;
        let key = source.projection(&self.group)?;
        let moved = source.repartition(Partitioning::Fields(key.places().to_vec()))?;
        let cell = Arc::new(StateCell::new(factory));
        let operation = PersistGroups { cell: cell.clone(), key, input, update };
        updated(&moved, cell, Node::new("persistent_aggregate", operation, fields))
    }
}

type Prepared = (Stream, crate::tuple::Projection, Update);

/// The stream to persist, what the update reads of it, and the update. A combiner's stream is combined in part.
fn prepared(
    stream: &Stream,
    grouped: Option<&GroupedStream>,
    input: impl FieldNames,
    aggregation: Aggregation,
    output: &Fields,
) -> Result<Prepared> {
    stream.refuse_drpc("a state's update")?;
    if output.len() != 1 {
        return Err(Error::invalid(format!("a persistent aggregate has one output field, not {output:?}")));
    }
    match &aggregation.0 {
        Kind::Aggregator(_) => {
            Err(Error::invalid("an aggregator has no value to keep: persist a combiner or a reducer"))
        }
        Kind::Reducer(reducer) => Ok((stream.clone(), stream.projection(input)?, Update::Reduce(reducer.clone()))),
        Kind::Combiner(combiner) => {
            let update = Update::Combine(combiner.clone());
            let names = input.names();
            let combined = match grouped {
                Some(grouped) => grouped.partition_aggregate(names, aggregation, output)?,
                None => combined_in_part(stream, names, aggregation, output)?,
            };
            let input = combined.projection(output)?;
            Ok((combined, input, update))
        }
    }
}

/// One tuple for each partition that has any.
fn combined_in_part(stream: &Stream, input: Vec<String>, aggregation: Aggregation, output: &Fields) -> Result<Stream> {
    use crate::operation::{AggregateOperation, WhenEmpty};
    let (column, fields) = stream.column(input, aggregation, &output)?;
    let operation = AggregateOperation { key: None, columns: vec![column], when_empty: WhenEmpty::Skip };
    stream.then(Link::Local, Node::new("partial_aggregate", operation, fields))
}

/// Adds the node that updates a state.
fn updated<S>(stream: &Stream, cell: Arc<StateCell<S>>, node: Node) -> Result<TridentState<S>> {
    let id = stream.graph.lock().new_state();
    let new_values = stream.then(Link::Local, Node { commits: true, state: Some(id), ..node })?;
    Ok(TridentState { cell, id, new_values: Some(new_values) })
}
