//! What callers hand to the engine and get back: writes, reads, subscriptions.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use futures::stream::BoxStream;
use monsoon_circuit::{RelationId, WeightedBatch};
use monsoon_state::TxId;

use crate::Result;

/// Changes of one relation, batch by batch in order. To a table with a key: +1 overwrites the row with that key, -1 deletes the row;
/// within a batch deletions come first, so that an UPDATE may move keys.
/// To a table without: -1 deletes one equal row, if there is one. To a stream: +1 only.
#[derive(Debug, Clone)]
pub struct Change {
    /// The stream or table.
    pub relation: RelationId,
    /// The rows, with the relation's schema.
    pub batches: Vec<WeightedBatch>,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The commit that holds it.
    pub txid: TxId,
    /// Rows that were late for their stream's watermark and dropped.
    pub late: u64,
}

/// What to read of a relation.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Which.
    pub relation: RelationId,
    /// Only rows whose key columns (of a table or view, in key order) equal one of these keys; `None` reads all. Each inner vector has one value per
    /// key column, already of the column's type. Answered from the index, without a scan.
    pub keys: Option<Vec<Vec<ScalarValue>>>,
}

/// Relations at one committed txid.
pub struct Snapshot {
    /// The txid.
    pub txid: TxId,
    /// The rows of each relation that was asked for.
    pub relations: HashMap<RelationId, Rows>,
}

/// The rows of a relation.
pub enum Rows {
    /// In memory.
    Batches(Vec<RecordBatch>),
    /// Read as it is consumed: a stream's log, or a source replayed. Each call starts from the beginning.
    Log(std::sync::Arc<dyn Fn() -> BoxStream<'static, Result<RecordBatch>> + Send + Sync>),
}

/// How to subscribe.
#[derive(Debug, Clone, Copy)]
pub struct SubscribeOptions {
    /// Whether the present content comes first, as insertions at the current txid.
    pub snapshot: bool,
    /// Whether a message without rows is sent for txids that don't change the relation.
    pub progress: bool,
    /// Changes buffered for a slow reader, in rows; past it the subscription ends with [`crate::Error::SlowSubscriber`].
    pub buffer_rows_max: usize,
}

/// The changes of one commit.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The commit.
    pub txid: TxId,
    /// Rows and weights; empty only for progress.
    pub batches: Vec<WeightedBatch>,
}

/// A running subscription; dropping it ends it.
pub struct Subscription {
    /// The relation's columns.
    pub schema: SchemaRef,
    /// Snapshot, then commits in txid order. Ends with an `Err` item when cut off, or cleanly when the relation is dropped.
    pub changes: BoxStream<'static, Result<Committed>>,
}

/// A figure of a running relation, for SHOW and metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RelationStats {
    /// Rows that entered or left it (absolute weights) since the server's start.
    pub rows: u64,
    /// Late rows dropped since creation.
    pub late: u64,
    /// Records that could not be decoded since the server's start.
    pub bad_records: u64,
    /// The watermark, in microseconds since 1970, if the stream has one and it has begun.
    pub watermark_us: Option<i64>,
    /// State held in memory, in bytes.
    pub state_bytes: u64,
    /// For a source: its committed position as JSON text.
    pub position: Option<String>,
    /// For a source or sink: its last error.
    pub error: Option<String>,
}

/// A row on which an expression failed, or a record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRow {
    /// Where it happened.
    pub relation: RelationId,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// The expression, or the record's place.
    pub what: String,
    /// Why.
    pub reason: String,
    /// The row or record, cut to 1 KiB.
    pub row: String,
}
