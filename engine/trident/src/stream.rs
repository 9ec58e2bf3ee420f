//! `Stream`: tuples in batches, and the operations that make new streams of them.
//!
//! Every operation checks the fields it is given when it is declared.

mod aggregation;
mod chain;
mod grouped;
mod persistence;

use std::sync::Arc;

use monsoon_topology::{Fields, Outcome, Value};
use parking_lot::Mutex;

pub use chain::ChainedAggregation;
pub use grouped::GroupedStream;

use crate::function::{Consumer, Filter, FlatMapFunction, Function, MapFunction};
use crate::graph::{Graph, Link, Node, NodeId, Origin, Partitioning};
use crate::operation::{Each, FilterOperation, FlatMap, MapOperation, Pass, Peek, Project};
use crate::tuple::{FieldNames, Projection, concatenated, fields_of};
use crate::{Error, Result};

/// A stream of tuples in batches. Several operations on one stream each get all its tuples.
#[derive(Clone)]
pub struct Stream {
    pub(crate) graph: Arc<Mutex<Graph>>,
    pub(crate) node: NodeId,
    fields: Fields,
    pub(crate) origin: Origin,
}

impl Stream {
    /// The fields of its tuples.
    pub fn fields(&self) -> Fields {
        self.fields.clone()
    }

    /// A projection of its tuples.
    pub(crate) fn projection(&self, names: impl FieldNames) -> Result<Projection> {
        Projection::new(&self.fields(), names)
    }

    /// Adds a node; gives the stream of its tuples.
    pub(crate) fn add(graph: &Arc<Mutex<Graph>>, node: Node) -> Result<Stream> {
        let (fields, origin) = (node.fields.clone(), node.origin);
        let node = graph.lock().add(node)?;
        Ok(Stream { graph: graph.clone(), node, fields, origin })
    }

    /// Adds an operation on this stream.
    pub(crate) fn then(&self, link: Link, node: Node) -> Result<Stream> {
        Stream::add(&self.graph, Node { parents: vec![(self.node, link)], origin: self.origin, ..node })
    }

    /// Appends to each tuple what a function of the input fields emits: a new tuple for each time it emits.
    pub fn each(&self, input: impl FieldNames, function: impl Function, output: impl FieldNames) -> Result<Stream> {
        let input = self.projection(input)?;
        let output = fields_of(&output)?;
        let fields = concatenated(&self.fields(), &output)?;
        self.then(Link::Local, Node::new("each", Each { input, function, arity: output.len() }, fields))
    }

    /// Keeps the tuples whose input fields a filter keeps.
    pub fn filter(&self, input: impl FieldNames, filter: impl Filter) -> Result<Stream> {
        let input = self.projection(input)?;
        self.then(Link::Local, Node::new("filter", FilterOperation { input, filter }, self.fields()))
    }

    /// Replaces each tuple by one with the same fields.
    pub fn map(&self, function: impl MapFunction) -> Result<Stream> {
        self.map_to(function, self.fields())
    }

    /// Replaces each tuple by one with other fields.
    pub fn map_to(&self, function: impl MapFunction, output: impl FieldNames) -> Result<Stream> {
        let (input, fields) = (Projection::all(&self.fields()), fields_of(&output)?);
        self.then(Link::Local, Node::new("map", MapOperation { input, function, arity: fields.len() }, fields))
    }

    /// Replaces each tuple by any number with the same fields.
    pub fn flat_map(&self, function: impl FlatMapFunction) -> Result<Stream> {
        self.flat_map_to(function, self.fields())
    }

    /// Replaces each tuple by any number with other fields.
    pub fn flat_map_to(&self, function: impl FlatMapFunction, output: impl FieldNames) -> Result<Stream> {
        let (input, fields) = (Projection::all(&self.fields()), fields_of(&output)?);
        self.then(Link::Local, Node::new("flat_map", FlatMap { input, function, arity: fields.len() }, fields))
    }

    /// Shows each tuple to a consumer.
    pub fn peek(&self, consumer: impl Consumer) -> Result<Stream> {
        let fields = self.fields();
        self.then(Link::Local, Node::new("peek", Peek { input: Projection::all(&fields), consumer }, fields))
    }

    /// Keeps some fields.
    pub fn project(&self, fields: impl FieldNames) -> Result<Stream> {
        let projection = self.projection(fields)?;
        let fields = projection.fields().clone();
        self.then(Link::Local, Node::new("project", Project(projection), fields))
    }

    /// Groups the tuples by fields: the next aggregate works on each group.
    pub fn group_by(&self, fields: impl FieldNames) -> Result<GroupedStream> {
        let projection = self.projection(fields)?;
        Ok(GroupedStream { stream: self.clone(), group: projection.fields().clone() })
    }

    /// Spreads the tuples evenly over the partitions.
    pub fn shuffle(&self) -> Result<Stream> {
        self.repartition(Partitioning::Shuffle)
    }

    /// Sends tuples with equal fields to the same partition.
    pub fn partition_by(&self, fields: impl FieldNames) -> Result<Stream> {
        let places = self.projection(fields)?.places().to_vec();
        self.repartition(Partitioning::Fields(places))
    }

    /// Sends each tuple to all partitions.
    pub fn broadcast(&self) -> Result<Stream> {
        self.repartition(Partitioning::Broadcast)
    }

    /// Sends all tuples of all batches to the first partition.
    pub fn global(&self) -> Result<Stream> {
        self.repartition(Partitioning::Global)
    }

    /// Sends all tuples of one batch to one partition, those of the next batch to the next partition.
    pub fn batch_global(&self) -> Result<Stream> {
        self.repartition(Partitioning::BatchGlobal)
    }

    /// Keeps the number of the partition; modulo, when there are fewer.
    pub fn identity_partition(&self) -> Result<Stream> {
        self.repartition(Partitioning::Identity)
    }

    /// Sends each tuple to the partition a function chooses, given the values and the number of partitions.
    pub fn partition(
        &self,
        choose: impl Fn(&[Value], usize) -> Outcome<usize> + Send + Sync + 'static,
    ) -> Result<Stream> {
        self.repartition(Partitioning::Custom(Arc::new(choose)))
    }

    pub(crate) fn repartition(&self, partitioning: Partitioning) -> Result<Stream> {
        self.then(Link::Repartition(partitioning), Node::new("repartition", Pass, self.fields()))
    }

    /// Sets how many partitions the operations back to the previous repartitioning run in.
    pub fn parallelism_hint(self, partitions: usize) -> Result<Stream> {
        if partitions == 0 {
            return Err(Error::invalid("a stream needs a partition"));
        }
        self.graph.lock().hint(self.node, partitions)?;
        Ok(self)
    }
}
