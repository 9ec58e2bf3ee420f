//! What the wire needs of a database, and nothing more. `engine.rs` gives it Monsoon's; the protocol tests give it a fake.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, FieldRef, SchemaRef};
use datafusion::common::ScalarValue;
use monsoon_sql::error::Result;
use monsoon_sql::response::{Notice, Response, TransactionStatus};

/// The type of a column or parameter as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `pg_type.typlen`: bytes, or -1 where it varies.
    pub size: i16,
    /// Type modifier, or -1.
    pub typmod: i32,
    /// Oid of the element type, for arrays.
    pub array_element: Option<u32>,
}

/// Who connects, from the startup packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// User name; never empty.
    pub user: String,
    /// Database name; the user's name where the client gave none.
    pub database: String,
    /// Everything else the client wants set (`application_name`, `TimeZone`, ...).
    pub options: Vec<(String, String)>,
}

/// A prepared statement as Describe tells it.
#[derive(Debug, Clone)]
pub struct Description {
    /// One per `$n`.
    pub parameters: Vec<FieldRef>,
    /// `None`: no rows.
    pub columns: Option<SchemaRef>,
}

/// A database that can be connected to.
pub trait Backend: Send + Sync + 'static {
    /// What a connection talks to.
    type Session: SessionLike;

    /// A new session. Authentication is over.
    fn session(self: &Arc<Self>, login: Login) -> Self::Session;

    /// The Postgres type of a field.
    fn wire_type(field: &Field) -> WireType;
}

/// One connection's session. Work is cancelled by dropping the future or the row stream.
pub trait SessionLike: Send + 'static {
    /// A parsed statement.
    type Statement: Clone + Send + Sync + 'static;
    /// A planned statement.
    type Prepared: Send + Sync + 'static;

    /// ParameterStatus messages at the start.
    fn parameters(&self) -> Vec<(String, String)>;

    /// ParameterStatus messages since the last call.
    fn take_parameter_changes(&mut self) -> Vec<(String, String)>;

    /// Notices since the last call.
    fn take_notices(&mut self) -> Vec<Notice>;

    /// For ReadyForQuery.
    fn transaction_status(&self) -> TransactionStatus;

    /// An error was sent to the client: an open transaction is lost.
    fn fail_transaction(&mut self);

    /// Splits and parses a query string.
    fn parse(&self, sql: &str) -> Result<Vec<Self::Statement>>;

    /// Plans a statement; an oid of 0 is a parameter type that was not given.
    fn prepare(
        &mut self,
        statement: &Self::Statement,
        parameter_oids: &[u32],
    ) -> impl Future<Output = Result<Self::Prepared>> + Send;

    /// Parameters and columns of a planned statement.
    fn describe(prepared: &Self::Prepared) -> Description;

    /// 42P02 if a planned statement has parameters: the simple protocol has no values for them.
    fn refuse_parameters(prepared: &Self::Prepared) -> Result<()>;

    /// Runs a planned statement.
    fn execute(
        &mut self,
        prepared: &Self::Prepared,
        parameters: &[ScalarValue],
    ) -> impl Future<Output = Result<Response>> + Send;

    /// How long one statement may run.
    fn statement_timeout(&self) -> Option<Duration>;
}
