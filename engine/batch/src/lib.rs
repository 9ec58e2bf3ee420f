//! The micro-batch engine: batches, tasks, commits.
//!
//! Knows circuits, connectors and the state store, and is the only one that gives out txids. Doesn't know SQL or clients.

mod api;
mod backfill;
mod batch_input;
mod chunk;
mod command;
mod committer;
mod content;
mod creation;
mod driver;
mod engine;
mod error;
mod fold;
mod late;
mod log;
mod log_guard;
mod log_sizes;
mod memory;
mod merge;
mod peers;
mod relation;
mod request;
mod shared;
mod sink_writer;
mod solo;
mod source_reader;
mod subscriber;
mod task;
#[cfg(test)]
mod tests;

pub use api::{
    Change, Committed, ErrorRow, ReadRequest, RelationStats, Rows, Snapshot, SubscribeOptions, Subscription, Written,
};
pub use engine::{Engine, EngineConfig};
pub use error::{Error, Result};
pub use relation::{RelationKind, RelationSpec, Watermark};
pub use solo::{KeyedChange, SoloCircuit};
