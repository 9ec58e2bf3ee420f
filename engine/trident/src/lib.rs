//! Trident: streams in small batches with transaction ids, for programs that embed Monsoon.
//!
//! Knows batches, operations on them, spouts, states and their commit. Doesn't know SQL, circuits, Arrow, RocksDB or
//! clients; of the tuple path it knows values, fields, failures and the registry of DRPC requests only.
//!
//! A word count, kept exactly once by txid, that is asked while it runs:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use monsoon_trident::{Collector, Tuple, TridentTopology, run_local, values};
//! use monsoon_trident::{Count, FilterNull, FixedBatchSpout, LocalDrpc, MapGet, MemoryMapState, Sum};
//!
//! let split = |tuple: &Tuple<'_>, out: &mut Collector| {
//!     tuple.at(0)?.as_str().unwrap_or_default().split_whitespace().for_each(|word| out.emit_one(word));
//!     Ok(())
//! };
//! let topology = TridentTopology::new("words");
//!
//! // Lines in batches of one; each word's count in a state with three partitions.
//! let lines = FixedBatchSpout::new("line", 1, vec![values!["the man"], values!["the moon"]])?;
//! let counts = topology
//!     .new_stream("lines", lines)?
//!     .each("line", split, "word")?
//!     .group_by("word")?
//!     .persistent_aggregate(|_| Ok(MemoryMapState::new()), (), Count, "count")?
//!     .parallelism_hint(3)?;
//!
//! // A request is a batch with the field `args`; the tuples of its stream's end are the answer.
//! let drpc = Arc::new(LocalDrpc::new());
//! topology
//!     .new_drpc_stream("sum of counts", drpc.clone())?
//!     .each("args", split, "word")?
//!     .group_by("word")?
//!     .state_query(&counts, "word", MapGet, "count")?
//!     .filter("count", FilterNull)?
//!     .aggregate("count", Sum, "sum")?;
//!
//! let running = run_local(topology)?;
//! running.wait_for_txid(2, Duration::from_secs(10))?;
//! assert_eq!(drpc.execute("sum of counts", "the moon and the sun").unwrap(), "[[5]]");
//! running.stop();
//! # Ok::<(), monsoon_trident::Error>(())
//! ```
//!
//! In your own program: a spout over your source ([`Spout`] lists the kinds), a [`BackingMap`] over your database in an
//! [`OpaqueMap`] or a [`TransactionalMap`], a [`WindowStore`] if windows are to outlive the process, and [`FileMetadata`] in
//! [`Options`] for the txids.
//!
//! Where to read on: `coordinator.rs` decides which batch starts, commits and is tried again, without threads or clock;
//! `plan.rs` cuts a topology into stages; `runtime/run.rs` takes one batch through them; `state.rs` has the guarantees.

mod aggregate;
mod batch;
pub mod builtin;
mod coordinator;
mod drpc;
mod error;
mod file;
mod function;
mod graph;
mod metadata;
mod operation;
mod order;
mod plan;
mod runtime;
mod spout;
mod state;
mod stream;
mod topology;
mod tuple;
mod window_store;

pub use aggregate::{Aggregation, Aggregator, Combiner, MultiReducer, Reducer};
pub use batch::BatchId;
pub use builtin::{
    Count, Debug, Equals, FilterNull, FirstN, MapGet, Max, Min, Negate, SnapshotGet, Sum, TupleCollectionGet,
};
pub use drpc::{DrpcError, DrpcServer, LocalDrpc, Request};
pub use error::{Error, Result};
pub use function::{Consumer, Filter, FlatMapFunction, Function, MapFunction, OperationContext};
pub use graph::CustomPartitioning;
pub use metadata::{Change, FileMetadata, MemoryMetadata, MetadataStore};
pub use monsoon_topology::{Failure, Fields, Outcome, Value};
pub use operation::WindowConfig;
pub use order::compare;
pub use runtime::{BatchError, TridentHandle, run_local};
pub use spout::{
    BatchSpout, CoordinatedSpout, FeederBatchSpout, FixedBatchSpout, OpaqueEmitter, OpaquePartitionedSpout,
    PartitionedTransactionalSpout, Spout, SpoutCoordinator, SpoutEmitter, TransactionalEmitter,
};
pub use state::{
    BackingMap, CachedMap, Key, MapState, MemoryBackingMap, MemoryMapState, NonTransactionalMap, OpaqueMap,
    OpaqueValue, QueryFunction, ReadOnlyMapState, ReadOnlySnapshottable, RemovableMapState, Snapshottable,
    SnapshottableMap, State, StateContext, StateUpdater, TransactionalMap, TransactionalValue, TridentState,
    TupleCollection, UpdateValue,
};
pub use stream::{ChainedAggregation, GroupedStream, Stream};
pub use topology::{Clock, JoinType, Options, TridentTopology};
pub use tuple::{Collector, FieldNames, Projection, Tuple};
pub use window_store::{FileWindowStore, MemoryWindowStore, WindowStore};
