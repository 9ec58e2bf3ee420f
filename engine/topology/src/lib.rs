//! The tuple path: spouts and bolts, one tuple at a time, with acking.
//!
//! Knows tuples, components, groupings, executors and ledgers. Doesn't know SQL, circuits, Arrow, RocksDB or clients.
//!
//! A `Topology` is built by [`TopologyBuilder`] and started as a [`RunningTopology`]. Its components run as tasks; a task is stepped by the executor
//! (thread) it is on and never waits. Between tasks are bounded queues of batches of tuples.

mod anchor;
mod attempts;
mod batch_limit;
mod batches;
mod builder;
mod checkpoint_round;
mod checkpointer;
mod clock;
mod collector;
mod component;
mod config;
mod context;
pub mod drpc;
mod error;
mod error_log;
mod executor;
mod fields;
pub mod flux;
mod grouping;
mod hook;
mod inbox;
mod key_value_state;
mod ledger;
mod message;
mod metrics;
pub mod multilang;
mod outputs;
mod plan;
mod running;
mod setting;
#[cfg(test)]
mod simulation;
mod skipping;
mod state;
mod stateful;
mod streak;
mod stream;
mod task;
mod tuple;
mod value;
mod value_bytes;
pub mod window;
pub mod windowed;
mod wire;

pub use anchor::{Anchor, Anchors};
pub use builder::{ComponentBuilder, Topology, TopologyBuilder};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use collector::{BasicCollector, BoltCollector, RemoteCollector, SpoutCollector, Waker};
pub use component::{Basic, BasicBolt, Bolt, Spout};
pub use config::Config;
pub use context::{ComponentInfo, Guarantee, Input, TaskContext, TopologyInfo};
pub use error::{Error, Failure, Outcome, Result};
pub use error_log::ComponentError;
pub use fields::Fields;
pub use grouping::{Chooser, CustomGrouping, Grouping, JitterAware, Jitters, key_hash};
pub use hook::{Resources, TaskHook, WorkerHook};
pub use key_value_state::KeyValueState;
pub use metrics::{Counts, Latencies, TaskMetrics};
pub use running::{RunningTopology, StartOptions, Status, TaskCounts};
pub use skipping::{SKIPPED_FIELDS, SKIPPED_STREAM};
pub use smol_str::SmolStr;
pub use state::{Checkpoint, CheckpointStore, MemoryCheckpoints, StateChanges, TaskCheckpoint, TaskState};
pub use stateful::{Stateful, StatefulBolt};
pub use stream::{DEFAULT_STREAM, StreamInfo, Streams, TaskId};
pub use tuple::{HeldTuple, Row, Tuple};
pub use value::Value;
