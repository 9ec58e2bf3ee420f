//! `GroupedStream`: a stream whose aggregates work on each group.

use monsoon_topology::{Fields, Outcome};

use super::{ChainedAggregation, Stream};
use crate::Result;
use crate::aggregate::Aggregation;
use crate::graph::{Link, Node, Partitioning};
use crate::operation::{AggregateOperation, WhenEmpty};
use crate::state::{MapState, QueryFunction, StateContext, TridentState};
use crate::tuple::{FieldNames, Projection, concatenated};

/// A stream grouped by fields.
#[derive(Clone)]
pub struct GroupedStream {
    pub(crate) stream: Stream,
    pub(crate) group: Fields,
}

impl GroupedStream {
    pub(crate) fn key(&self) -> Result<Projection> {
        self.stream.projection(&self.group)
    }

    /// The move that brings each group to one partition.
    pub(crate) fn link(&self) -> Result<Link> {
        Ok(Link::Repartition(Partitioning::Fields(self.key()?.places().to_vec())))
    }

    /// The fields the stream is grouped by.
    pub fn group_fields(&self) -> &Fields {
        &self.group
    }

    /// The stream, without its groups.
    pub fn to_stream(&self) -> Stream {
        self.stream.clone()
    }

    /// Aggregates each group of each batch: the group's fields, then the output fields. A combiner combines in each
    /// partition before tuples move to that of their group.
    pub fn aggregate(
        &self,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        self.chained_aggregation().aggregate(input, aggregation, output)?.end()
    }

    /// Several aggregates of each group in one pass.
    pub fn chained_aggregation(&self) -> ChainedAggregation {
        ChainedAggregation::new(self.stream.clone(), Some(self.group.clone()))
    }

    /// Aggregates each group within each partition of each batch, without a move.
    pub fn partition_aggregate(
        &self,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        let (column, output) = self.stream.column(input, aggregation.into(), &output)?;
        let fields = concatenated(&self.group, &output)?;
        let operation =
            AggregateOperation { key: Some(self.key()?), columns: vec![column], when_empty: WhenEmpty::Skip };
        self.stream.then(Link::Local, Node::new("partition_aggregate", operation, fields))
    }

    /// Keeps a running aggregate of each group in a map whose keys are the group's fields. The stream of new values has
    /// the group's fields and the output field. A combiner or a reducer; an aggregator is refused.
    pub fn persistent_aggregate<S: MapState>(
        &self,
        factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<TridentState<S>> {
        self.persist(factory, input, aggregation.into(), output)
    }

    /// Queries a state in the partition of each tuple's group.
    pub fn state_query<S: Send + 'static>(
        &self,
        state: &TridentState<S>,
        input: impl FieldNames,
        query: impl QueryFunction<S>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        self.stream.partition_by(&self.group)?.state_query(state, input, query, output)
    }
}
