//! `Statement`: what a user can say. Ours in our own words, everything else as sqlparser's AST.

mod topology;

use datafusion::sql::sqlparser::ast::{self, Expr, Ident, ObjectName, Query};

pub use topology::{
    BoltCode, Component, ComponentQuery, CreateTopology, Grouping, Input, KillTopology, Native, OutputField,
    OutputStream, Role, Shell, SpoutCode, TopologyStatement, Window, WindowExtent, WindowForm,
};

/// A statement with its text.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text, without the final semicolon.
    pub sql: String,
    /// Where the text starts in what the client sent, in characters from 0 (error positions add it).
    pub offset: usize,
    /// What it says.
    pub body: Body,
}

/// What a statement says.
#[derive(Debug, Clone)]
pub enum Body {
    /// CREATE STREAM.
    CreateStream(CreateStream),
    /// CREATE TABLE with columns (not AS).
    CreateTable(CreateTable),
    /// CREATE MATERIALIZED VIEW.
    CreateMaterializedView(CreateView),
    /// CREATE VIEW.
    CreateView(CreateView),
    /// CREATE SINK.
    CreateSink(CreateSink),
    /// CREATE | ALTER | ACTIVATE | DEACTIVATE | KILL | DROP | RESTART | SHOW | DESCRIBE of topologies.
    Topology(Box<TopologyStatement>),
    /// DROP STREAM | TABLE | VIEW | MATERIALIZED VIEW | SINK.
    Drop(Drop),
    /// COMMENT ON kind name [. column] IS 'text' | NULL.
    Comment(Comment),
    /// INSERT, sqlparser's form (VALUES, SELECT, DEFAULT VALUES, ON CONFLICT, RETURNING).
    Insert(Box<ast::Insert>),
    /// UPDATE.
    Update(Box<ast::Statement>),
    /// DELETE.
    Delete(Box<ast::Delete>),
    /// TRUNCATE.
    Truncate(Vec<ObjectName>),
    /// COPY name [(columns)] FROM STDIN | COPY name|(query)|(SUBSCRIBE ...) TO STDOUT.
    Copy(Copy),
    /// SELECT, VALUES, WITH, TABLE.
    Query(Box<Query>),
    /// SUBSCRIBE [TO] name | (query) [WITH (...)], SELECT STREAM.
    Subscribe(Subscribe),
    /// EXPLAIN [ANALYZE] [VERBOSE] statement, or EXPLAIN [MATERIALIZED] VIEW name.
    Explain(Explain),
    /// SHOW STREAMS | TABLES | VIEWS | MATERIALIZED VIEWS | SINKS | COLUMNS FROM x | CREATE kind x | ALL | setting.
    Show(Show),
    /// DESCRIBE | DESC name.
    Describe(ObjectName),
    /// SET name {=|TO} value, SET SESSION/LOCAL, SET TIME ZONE; `value` None = DEFAULT.
    Set {
        /// Lower-case setting name.
        name: String,
        /// As text, unquoted.
        value: Option<String>,
        /// SET LOCAL.
        local: bool,
    },
    /// RESET name | ALL (None).
    Reset(Option<String>),
    /// BEGIN | START TRANSACTION.
    Begin {
        /// READ ONLY or READ WRITE, if either was asked for.
        read_only: Option<bool>,
    },
    /// COMMIT | END.
    Commit,
    /// ROLLBACK | ABORT.
    Rollback,
    /// SAVEPOINT name.
    Savepoint(String),
    /// RELEASE [SAVEPOINT] name.
    Release(String),
    /// ROLLBACK TO [SAVEPOINT] name.
    RollbackTo(String),
    /// SET TRANSACTION modes.
    SetTransaction {
        /// READ ONLY or READ WRITE, if either was asked for.
        read_only: Option<bool>,
    },
    /// SET SESSION CHARACTERISTICS AS TRANSACTION modes.
    SetCharacteristics {
        /// READ ONLY or READ WRITE, if either was asked for.
        read_only: Option<bool>,
    },
    /// DECLARE name [..] CURSOR [WITH HOLD] FOR query | SUBSCRIBE.
    Declare(Declare),
    /// FETCH [direction] [FROM|IN] name.
    Fetch {
        /// Cursor.
        name: String,
        /// Rows at most; None = ALL.
        count: Option<u64>,
        /// WITH (timeout = '1s'): how long to wait for rows of a SUBSCRIBE, in milliseconds.
        timeout_ms: Option<u64>,
    },
    /// MOVE is refused; CLOSE name | ALL (None).
    Close(Option<String>),
    /// PREPARE name [(types)] AS statement.
    Prepare {
        /// Name.
        name: String,
        /// Declared parameter types, as sqlparser types.
        types: Vec<ast::DataType>,
        /// The statement.
        statement: Box<Statement>,
    },
    /// EXECUTE name [(values)].
    Execute {
        /// Name.
        name: String,
        /// Values: constant expressions.
        values: Vec<Expr>,
    },
    /// DEALLOCATE name | ALL (None).
    Deallocate(Option<String>),
    /// DISCARD ALL.
    DiscardAll,
    /// LISTEN, UNLISTEN, SET CONSTRAINTS, DISCARD PLANS | SEQUENCES | TEMP: accepted, and there is nothing to do. The tag to answer.
    Accepted(&'static str),
    /// FLUSH: returns when everything before it is committed.
    Flush,
    /// VERIFY MATERIALIZED VIEW name.
    Verify(ObjectName),
    /// No statement (only comments or nothing).
    Empty,
}

/// A column of CREATE STREAM or CREATE TABLE.
#[derive(Debug, Clone)]
pub struct ColumnDef {
    /// Name, folded as Postgres does.
    pub name: Ident,
    /// Type as written.
    pub data_type: ast::DataType,
    /// NOT NULL (or part of the key).
    pub not_null: bool,
    /// DEFAULT.
    pub default: Option<Expr>,
}

/// CREATE STREAM.
#[derive(Debug, Clone)]
pub struct CreateStream {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Columns; empty when the connector knows them.
    pub columns: Vec<ColumnDef>,
    /// WATERMARK FOR column AS expression.
    pub watermark: Option<WatermarkDef>,
    /// WITH (name = 'value', ...): names lower-case; values as text.
    pub options: Vec<(Ident, String)>,
}

/// WATERMARK FOR column [AS expression].
#[derive(Debug, Clone)]
pub struct WatermarkDef {
    /// The timestamp column.
    pub column: Ident,
    /// `None`: the column itself.
    pub expression: Option<Expr>,
}

/// CREATE TABLE.
#[derive(Debug, Clone)]
pub struct CreateTable {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Columns.
    pub columns: Vec<ColumnDef>,
    /// PRIMARY KEY columns, from the column or the table constraint.
    pub primary_key: Vec<Ident>,
    /// CREATE TABLE ... AS query.
    pub query: Option<Box<Query>>,
}

/// CREATE [MATERIALIZED] VIEW.
#[derive(Debug, Clone)]
pub struct CreateView {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// OR REPLACE.
    pub or_replace: bool,
    /// Column names, if given.
    pub columns: Vec<Ident>,
    /// The query.
    pub query: Box<Query>,
    /// The query's text.
    pub query_sql: String,
    /// EMIT ON WINDOW CLOSE.
    pub emit_on_window_close: bool,
}

/// CREATE SINK name FROM relation | AS query WITH (...).
#[derive(Debug, Clone)]
pub struct CreateSink {
    /// Name.
    pub name: ObjectName,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// What is published (`FROM x` is the query `SELECT * FROM x`).
    pub query: Box<Query>,
    /// The query's text.
    pub query_sql: String,
    /// EMIT ON WINDOW CLOSE (of an AS query).
    pub emit_on_window_close: bool,
    /// WITH (...).
    pub options: Vec<(Ident, String)>,
}

/// What kind of relation a statement names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// STREAM (also SOURCE).
    Stream,
    /// TABLE.
    Table,
    /// VIEW.
    View,
    /// MATERIALIZED VIEW.
    MaterializedView,
    /// SINK.
    Sink,
    /// COLUMN (COMMENT ON only).
    Column,
}

/// DROP.
#[derive(Debug, Clone)]
pub struct Drop {
    /// Kind.
    pub kind: ObjectKind,
    /// IF EXISTS.
    pub if_exists: bool,
    /// Names.
    pub names: Vec<ObjectName>,
    /// CASCADE.
    pub cascade: bool,
}

/// COMMENT ON.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Kind.
    pub kind: ObjectKind,
    /// The relation.
    pub name: ObjectName,
    /// The column, for COMMENT ON COLUMN.
    pub column: Option<Ident>,
    /// The text; `None` removes it.
    pub text: Option<String>,
}

/// COPY.
#[derive(Debug, Clone)]
pub struct Copy {
    /// From or to where.
    pub direction: CopyDirection,
    /// How.
    pub format: CopyFormat,
}

/// What a COPY copies.
#[derive(Debug, Clone)]
pub enum CopyDirection {
    /// COPY name [(columns)] FROM STDIN.
    FromStdin {
        /// The relation.
        name: ObjectName,
        /// Columns, or all.
        columns: Vec<Ident>,
    },
    /// COPY name [(columns)] | (query) TO STDOUT.
    QueryToStdout(Box<Query>),
    /// COPY (SUBSCRIBE ...) TO STDOUT.
    SubscribeToStdout(Subscribe),
}

/// Options of COPY, with Postgres's defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFormat {
    /// text, csv or binary.
    pub kind: CopyKind,
    /// One byte: tab for text, comma for csv.
    pub delimiter: u8,
    /// How NULL is written: `\N` for text, empty for csv.
    pub null: String,
    /// A header line.
    pub header: bool,
    /// csv only.
    pub quote: u8,
    /// csv only.
    pub escape: u8,
}

/// Formats of COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKind {
    /// FORMAT text.
    Text,
    /// FORMAT csv.
    Csv,
    /// FORMAT binary.
    Binary,
}

/// SUBSCRIBE.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// `SELECT * FROM name` for a name.
    pub query: Box<Query>,
    /// The query's text.
    pub query_sql: String,
    /// WITH (snapshot = ...), default true.
    pub snapshot: bool,
    /// WITH (progress = ...), default false.
    pub progress: bool,
}

/// EXPLAIN.
#[derive(Debug, Clone)]
pub struct Explain {
    /// ANALYZE.
    pub analyze: bool,
    /// VERBOSE.
    pub verbose: bool,
    /// What is explained.
    pub target: ExplainTarget,
}

/// What is explained.
#[derive(Debug, Clone)]
pub enum ExplainTarget {
    /// A statement.
    Statement(Box<Statement>),
    /// An existing materialized view or sink, by name.
    Relation(ObjectName),
}

/// SHOW.
#[derive(Debug, Clone)]
pub enum Show {
    /// SHOW STREAMS, TABLES, ...
    Objects(ObjectKind),
    /// SHOW COLUMNS FROM name.
    Columns(ObjectName),
    /// SHOW CREATE kind name.
    Create(ObjectName),
    /// SHOW ALL.
    All,
    /// SHOW name (lower case; TIME ZONE is `timezone`, TRANSACTION ISOLATION LEVEL is `transaction_isolation`).
    Setting(String),
}

/// DECLARE CURSOR.
#[derive(Debug, Clone)]
pub struct Declare {
    /// Name.
    pub name: String,
    /// WITH HOLD.
    pub hold: bool,
    /// What it reads: [`Body::Query`] or [`Body::Subscribe`].
    pub statement: Box<Statement>,
}
