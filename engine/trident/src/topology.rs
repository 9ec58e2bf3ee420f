//! `TridentTopology`: the streams and states of a topology, and how it is to be run.

use std::sync::Arc;
use std::time::Duration;

use monsoon_topology::{Fields, Outcome};
use parking_lot::Mutex;

use crate::aggregate::MultiReducer;
use crate::drpc::DrpcServer;
use crate::graph::{DrpcStream, Graph, Link, Node, Origin, Source};
use crate::metadata::{MemoryMetadata, MetadataStore};
use crate::operation::{Join, JoinSide, MultiReduce, Pass, ReduceSide};
use crate::spout::Spout;
use crate::state::{StateCell, StateContext, TridentState};
use crate::stream::{GroupedStream, Stream};
use crate::tuple::{FieldNames, Projection, concatenated, fields_of};
use crate::{Error, Result};

/// The processing time, in milliseconds; windows need it to grow.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a topology is run.
#[derive(Clone)]
pub struct Options {
    /// How many batches are in work at once. Their commits stay in order.
    pub batches_in_flight_max: usize,
    /// How many threads work on batches.
    pub workers: usize,
    /// The least time between the starts of two new batches.
    pub batch_interval: Duration,
    /// The least time before a new batch after one that was empty.
    pub idle_interval: Duration,
    /// The wait before a failed batch is tried again; doubled with each further failure.
    pub retry_delay_min: Duration,
    /// The longest such wait.
    pub retry_delay_max: Duration,
    /// How often one batch may fail before the topology halts at it; `None` for no bound.
    pub failures_max: Option<u32>,
    /// How many requests of one DRPC stream are in work at once.
    pub drpc_requests_max: usize,
    /// Where the topology remembers how far it is.
    pub metadata: Arc<dyn MetadataStore>,
    /// The processing time of windows.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            batches_in_flight_max: 4,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            batch_interval: Duration::ZERO,
            idle_interval: Duration::from_millis(20),
            retry_delay_min: Duration::from_millis(10),
            retry_delay_max: Duration::from_secs(1),
            failures_max: None,
            drpc_requests_max: 16,
            metadata: Arc::new(MemoryMetadata::new()),
            clock: Arc::new(system_time_ms),
        }
    }
}

fn system_time_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// What a join does with a key that one of its streams lacks in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinType {
    /// No result: the stream must have the key.
    Inner,
    /// Nulls instead of the stream's fields.
    Outer,
}

/// A topology under construction.
pub struct TridentTopology {
    pub(crate) name: String,
    pub(crate) options: Options,
    pub(crate) graph: Arc<Mutex<Graph>>,
}

impl TridentTopology {
    /// An empty one.
    pub fn new(name: &str) -> TridentTopology {
        TridentTopology { name: name.to_owned(), options: Options::default(), graph: Arc::default() }
    }

    /// Sets how it is run.
    pub fn with_options(mut self, options: Options) -> TridentTopology {
        self.options = options;
        self
    }

    /// A stream of a spout's batches. The name is that of the spout's metadata: keep it to continue where it was.
    pub fn new_stream(&self, txid_name: &str, spout: impl Into<Spout>) -> Result<Stream> {
        let spout = spout.into();
        let fields = spout.fields();
        if txid_name.is_empty() || txid_name.contains('/') {
            return Err(Error::invalid(format!("the txid name {txid_name:?} is empty or has a slash")));
        }
        let number = {
            let mut graph = self.graph.lock();
            if graph.spouts.iter().any(|(name, _)| name == txid_name) {
                return Err(Error::invalid(format!("there are two spouts with the txid name {txid_name:?}")));
            }
            graph.spouts.push((txid_name.to_owned(), spout));
            graph.spouts.len() - 1
        };
        let node = Node { source: Some(Source::Spout(number)), ..Node::new("spout", Pass, fields) };
        Stream::add(&self.graph, node)
    }

    /// A stream of the calls of a function, with the field `args`. Each call is a batch of its own; the tuples of the
    /// stream's end are its answer, as a JSON list of lists.
    pub fn new_drpc_stream(&self, function: &str, server: Arc<dyn DrpcServer>) -> Result<Stream> {
        let number = {
            let mut graph = self.graph.lock();
            if graph.drpc.iter().any(|stream| stream.function == function) {
                return Err(Error::invalid(format!("there are two DRPC streams of {function:?}")));
            }
            graph.drpc.push(DrpcStream { function: function.to_owned(), server });
            graph.drpc.len() - 1
        };
        let node = Node::new("drpc", Pass, fields_of(&"args")?);
        Stream::add(&self.graph, Node { source: Some(Source::Drpc(number)), origin: Origin::Drpc(number), ..node })
    }

    /// A state that no stream of this topology updates, for queries.
    pub fn new_static_state<S: Send + 'static>(
        &self,
        factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static,
    ) -> TridentState<S> {
        let id = self.graph.lock().new_state();
        TridentState { cell: Arc::new(StateCell::new(factory)), id, new_values: None }
    }

    /// The tuples of all streams, under the field names of the first.
    pub fn merge(&self, streams: &[&Stream]) -> Result<Stream> {
        let Some(first) = streams.first() else { return Err(Error::invalid("a merge needs a stream")) };
        let fields = first.fields();
        if let Some(other) = streams.iter().find(|stream| stream.fields().len() != fields.len()) {
            let other = other.fields();
            return Err(Error::invalid(format!(
                "streams of different width can't be merged: {fields:?} and {other:?}"
            )));
        }
        let parents = streams.iter().map(|stream| (*stream, Link::Local)).collect();
        self.meeting(parents, Node::new("merge", Pass, fields))
    }

    /// Joins streams within each batch by their group fields. The result: the key's fields and then the other fields of
    /// each stream, under the given names.
    pub fn join(&self, sides: &[(&GroupedStream, JoinType)], output: impl FieldNames) -> Result<Stream> {
        if sides.len() < 2 {
            return Err(Error::invalid("a join needs two streams"));
        }
        let (mut streams, mut join) = (Vec::new(), Vec::new());
        for (grouped, kind) in sides {
            let fields = grouped.stream.fields();
            let others: Vec<&str> = fields.iter().filter(|name| grouped.group.position(name).is_none()).collect();
            let others = Projection::new(&fields, others)?;
            join.push(JoinSide { width: others.fields().len(), outer: *kind == JoinType::Outer });
            streams.push((*grouped, others));
        }
        let output = fields_of(&output)?;
        let width = sides[0].0.group.len() + join.iter().map(|side| side.width).sum::<usize>();
        if output.len() != width {
            return Err(Error::invalid(format!("the join gives {width} fields, {} are named", output.len())));
        }
        self.reduced("join", streams, Join(join), output)
    }

    /// Reduces streams within each batch by their group fields: a reducer sees the tuples of all streams that have one key.
    /// The result: the key under the names of the first stream's group fields, then the output fields, which the reducer
    /// emits.
    pub fn multi_reduce(
        &self,
        streams: &[&GroupedStream],
        reducer: impl MultiReducer,
        output: impl FieldNames,
    ) -> Result<Stream> {
        let Some(first) = streams.first() else { return Err(Error::invalid("a multi-reduce needs a stream")) };
        let fields = concatenated(&first.group, &fields_of(&output)?)?;
        let all = streams.iter().map(|grouped| (*grouped, Projection::all(&grouped.stream.fields())));
        self.reduced("multi_reduce", all.collect(), reducer, fields)
    }

    /// Reduces what is shown of streams; there is at least one. The fields are those of the key and what is emitted.
    fn reduced(
        &self,
        name: &'static str,
        streams: Vec<(&GroupedStream, Projection)>,
        reducer: impl MultiReducer,
        fields: Fields,
    ) -> Result<Stream> {
        let key = &streams[0].0.group;
        if let Some(other) = streams.iter().map(|(grouped, _)| &grouped.group).find(|other| other.len() != key.len()) {
            return Err(Error::invalid(format!(
                "the keys of streams that meet differ in width: {key:?} and {other:?}"
            )));
        }
        let arity = fields.len() - key.len();
        let (mut parents, mut sides) = (Vec::new(), Vec::new());
        for (grouped, input) in streams {
            parents.push((&grouped.stream, grouped.link()?));
            sides.push(ReduceSide { key: grouped.key()?, input });
        }
        self.meeting(parents, Node::new(name, MultiReduce { sides, reducer, arity }, fields))
    }

    fn meeting(&self, parents: Vec<(&Stream, Link)>, node: Node) -> Result<Stream> {
        if parents.iter().any(|(stream, _)| !Arc::ptr_eq(&stream.graph, &self.graph)) {
            return Err(Error::invalid("streams of different topologies can't meet"));
        }
        let origin = parents[0].0.origin;
        if parents.iter().any(|(stream, _)| stream.origin != origin) {
            return Err(Error::invalid("a DRPC stream can't meet a stream of other batches: query a state instead"));
        }
        let parents = parents.into_iter().map(|(stream, link)| (stream.node, link)).collect();
        Stream::add(&self.graph, Node { parents, origin, ..node })
    }
}
