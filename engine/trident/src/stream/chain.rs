//! `ChainedAggregation`: several aggregates of the same tuples in one pass.

use std::sync::Arc;

use monsoon_topology::Fields;

use super::Stream;
use crate::Result;
use crate::aggregate::{Aggregation, Kind, PartialFold};
use crate::graph::{Link, Node, Partitioning};
use crate::operation::{AggregateOperation, Column, WhenEmpty};
use crate::tuple::{FieldNames, Projection, concatenated};

struct Part {
    aggregation: Aggregation,
    column: Column,
    output: Fields,
}

/// Aggregates that are being declared; [`ChainedAggregation::end`] makes the stream.
pub struct ChainedAggregation {
    stream: Stream,
    group: Option<Fields>,
    parts: Vec<Part>,
}

impl ChainedAggregation {
    pub(super) fn new(stream: Stream, group: Option<Fields>) -> ChainedAggregation {
        ChainedAggregation { stream, group, parts: Vec::new() }
    }

    /// Adds an aggregate.
    pub fn aggregate(
        mut self,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<ChainedAggregation> {
        let aggregation = aggregation.into();
        let (column, output) = self.stream.column(input, aggregation.clone(), &output)?;
        self.parts.push(Part { aggregation, column, output });
        Ok(self)
    }

    /// The stream of the results: the group's fields, then the output fields of each aggregate.
    pub fn end(self) -> Result<Stream> {
        let mut fields = self.group.clone().unwrap_or_default();
        for part in &self.parts {
            fields = concatenated(&fields, &part.output)?;
        }
        let (source, columns) = match self.partial_columns(&fields)? {
            Some(combined) => (self.partially_aggregated(&fields)?, combined),
            None => (self.stream.clone(), self.columns()),
        };
        let key = self.group.as_ref().map(|group| Projection::new(&source.fields(), group)).transpose()?;
        let moved = match &key {
            Some(key) => source.repartition(Partitioning::Fields(key.places().to_vec()))?,
            None => source.batch_global()?,
        };
        let operation = AggregateOperation { key, columns, when_empty: WhenEmpty::FoldInBatchPartition };
        moved.then(Link::Local, Node::new("aggregate", operation, fields))
    }

    fn columns(&self) -> Vec<Column> {
        self.parts.iter().map(|part| part.column.clone()).collect()
    }

    /// The folds over partial results, when all aggregates are combiners.
    fn partial_columns(&self, fields: &Fields) -> Result<Option<Vec<Column>>> {
        let mut columns = Vec::new();
        for part in &self.parts {
            let Kind::Combiner(combiner) = &part.aggregation.0 else { return Ok(None) };
            if part.output.len() != 1 {
                return Ok(None);
            }
            let input = Projection::new(fields, &part.output)?;
            columns.push(Column { input, fold: Arc::new(PartialFold(combiner.clone())), arity: 1 });
        }
        Ok(Some(columns))
    }

    fn partially_aggregated(&self, fields: &Fields) -> Result<Stream> {
        let key = self.group.as_ref().map(|group| self.stream.projection(group)).transpose()?;
        let operation = AggregateOperation { key, columns: self.columns(), when_empty: WhenEmpty::Skip };
        self.stream.then(Link::Local, Node::new("partial_aggregate", operation, fields.clone()))
    }
}
