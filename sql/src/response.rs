//! What a statement answers: rows, a command tag, or a COPY in either direction.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::error::Result;

/// The answer to one statement.
pub enum Response {
    /// Nothing was asked (an empty statement).
    Empty,
    /// Done; the command tag as Postgres writes it (`INSERT 0 3`, `CREATE TABLE`).
    Complete {
        /// The tag.
        tag: String,
    },
    /// Rows.
    Rows(RowStream),
    /// COPY ... TO STDOUT: bytes already in their format.
    CopyOut(CopyOut),
    /// COPY ... FROM STDIN: the client sends bytes.
    CopyIn(Box<dyn CopyIn>),
}

/// Rows as they come. Dropping it stops the work behind it.
pub struct RowStream {
    /// The columns. A field's Postgres type is [`crate::pg_type`]`(field)`.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
    /// The word of the command tag: `SELECT`, `FETCH`, `SHOW`, ... The count is appended by who sends it.
    pub tag: &'static str,
    /// Endless or slow: each batch must be flushed to the client as it comes.
    pub live: bool,
}

/// Bytes of a COPY TO STDOUT.
pub struct CopyOut {
    /// Number of columns.
    pub columns: usize,
    /// Whether the format is binary.
    pub binary: bool,
    /// Each item is one or more whole lines, with how many rows they hold.
    pub data: BoxStream<'static, Result<(Bytes, u64)>>,
    /// Each item must be flushed to the client as it comes.
    pub live: bool,
}

/// Receives a COPY FROM STDIN. Dropping it without `finish` abandons the copy: nothing of it is committed.
#[async_trait]
pub trait CopyIn: Send {
    /// Number of columns expected.
    fn columns(&self) -> usize;
    /// Takes bytes as the client cut them.
    async fn write(&mut self, data: Bytes) -> Result<()>;
    /// The client is done: commits, and returns the number of rows copied.
    async fn finish(self: Box<Self>) -> Result<u64>;
}

/// State of a session's transaction, as ReadyForQuery tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not in a transaction.
    Idle,
    /// In a transaction.
    InTransaction,
    /// In a transaction that has failed: only ROLLBACK helps.
    Failed,
}

/// A notice to be sent before the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`.
    pub severity: &'static str,
    /// Five characters.
    pub sqlstate: &'static str,
    /// The text.
    pub message: String,
}
