//! Aggregates and windows of a stream without groups.

use std::cmp::Ordering;

use monsoon_topology::{Outcome, Value};

use super::{ChainedAggregation, Stream};
use crate::Result;
use crate::aggregate::Aggregation;
use crate::builtin::{Max, Min};
use crate::graph::{Link, Node};
use crate::operation::{AggregateOperation, Column, StoreFactory, WhenEmpty, WindowConfig, WindowOperation};
use crate::state::StateContext;
use crate::tuple::{FieldNames, fields_of};
use crate::window_store::WindowStore;

impl Stream {
    /// Aggregates the tuples of each batch. The result has the output fields only, also for an empty batch. A combiner
    /// combines in each partition before tuples move to one.
    pub fn aggregate(
        &self,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        self.chained_aggregation().aggregate(input, aggregation, output)?.end()
    }

    /// Several aggregates of each batch in one pass; the result is the combination of what they emit.
    pub fn chained_aggregation(&self) -> ChainedAggregation {
        ChainedAggregation::new(self.clone(), None)
    }

    /// Aggregates the tuples of each partition of each batch. The result has the output fields only.
    pub fn partition_aggregate(
        &self,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        let (column, fields) = self.column(input, aggregation.into(), &output)?;
        let operation = AggregateOperation { key: None, columns: vec![column], when_empty: WhenEmpty::Fold };
        self.then(Link::Local, Node::new("partition_aggregate", operation, fields))
    }

    pub(super) fn column(
        &self,
        input: impl FieldNames,
        aggregation: Aggregation,
        output: &impl FieldNames,
    ) -> Result<(Column, monsoon_topology::Fields)> {
        let input = self.projection(input)?;
        let fields = fields_of(output)?;
        Ok((Column { input, fold: aggregation.fold(), arity: fields.len() }, fields))
    }

    /// The tuple with the least value of a field, in each partition of each batch.
    pub fn min_by(&self, field: &str) -> Result<Stream> {
        self.extreme(field, Min::new(field))
    }

    /// The same by an order of your own.
    pub fn min_by_with(
        &self,
        field: &str,
        comparison: impl Fn(&Value, &Value) -> Outcome<Ordering> + Send + Sync + 'static,
    ) -> Result<Stream> {
        self.extreme(field, Min::with(field, comparison))
    }

    /// The tuple with the greatest value of a field, in each partition of each batch.
    pub fn max_by(&self, field: &str) -> Result<Stream> {
        self.extreme(field, Max::new(field))
    }

    /// The same by an order of your own.
    pub fn max_by_with(
        &self,
        field: &str,
        comparison: impl Fn(&Value, &Value) -> Outcome<Ordering> + Send + Sync + 'static,
    ) -> Result<Stream> {
        self.extreme(field, Max::with(field, comparison))
    }

    fn extreme(&self, field: &str, aggregation: impl Into<Aggregation>) -> Result<Stream> {
        self.projection(field)?;
        self.partition_aggregate(self.fields(), aggregation, self.fields())
    }

    /// Aggregates windows of the tuples in each partition; the results come with the batch that completes a window. The
    /// content is in memory: a topology that is started again starts with empty windows.
    pub fn window(
        &self,
        config: WindowConfig,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        self.windowed(config, None, input, aggregation, output)
    }

    /// The same with the content in a store, one for each partition: a topology that is started again, with as many
    /// partitions (another number isn't noticed, and loses windows), goes on in the middle of its windows. Each window is emitted with one txid; a replay of this txid emits
    /// it again, so a state behind it counts it once. With an opaque spout the windows of a replay may be others.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use monsoon_trident::{FileWindowStore, Result, StateContext, Stream, Sum, WindowConfig};
    ///
    /// fn sums(numbers: &Stream) -> Result<Stream> {
    ///     let store = |context: &StateContext| {
    ///         FileWindowStore::open(Path::new("/var/lib/sums").join(context.partition.to_string()))
    ///     };
    ///     numbers.persistent_window(WindowConfig::sliding_count(100, 10), store, "n", Sum, "sum")
    /// }
    /// ```
    pub fn persistent_window<W: WindowStore>(
        &self,
        config: WindowConfig,
        factory: impl Fn(&StateContext) -> Outcome<W> + Send + Sync + 'static,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        let factory =
            move |context: &StateContext| -> Outcome<Box<dyn WindowStore>> { Ok(Box::new(factory(context)?)) };
        self.windowed(config, Some(Box::new(factory)), input, aggregation, output)
    }

    fn windowed(
        &self,
        config: WindowConfig,
        factory: Option<StoreFactory>,
        input: impl FieldNames,
        aggregation: impl Into<Aggregation>,
        output: impl FieldNames,
    ) -> Result<Stream> {
        config.check()?;
        self.refuse_drpc("a window")?;
        // The content is what the aggregation reads, and no other fields.
        let read = self.project(input)?;
        let (column, fields) = read.column(read.fields(), aggregation.into(), &output)?;
        let operation = WindowOperation::new(config, column, factory);
        read.then(Link::Local, Node { commits: true, ..Node::new("window", operation, fields) })
    }
}
