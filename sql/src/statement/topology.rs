//! What a user can say about topologies. Names are folded; their spans are places in the statement's text.

use datafusion::sql::sqlparser::ast::{DataType, Ident, ObjectName, Query};

/// A statement about topologies.
#[derive(Debug, Clone)]
pub enum TopologyStatement {
    /// CREATE TOPOLOGY. Its text, for the catalog, is the statement's.
    Create(CreateTopology),
    /// ALTER TOPOLOGY name REBALANCE [[WITH] (...)].
    Rebalance {
        /// The topology.
        name: Ident,
        /// `parallelism`, `wait`, or a component's name (which keeps its case if it is quoted); values as text.
        options: Vec<(Ident, String)>,
    },
    /// ACTIVATE TOPOLOGY name.
    Activate(Ident),
    /// DEACTIVATE TOPOLOGY name.
    Deactivate(Ident),
    /// KILL TOPOLOGY | DROP TOPOLOGY.
    Kill(KillTopology),
    /// RESTART TOPOLOGY name.
    Restart(Ident),
    /// SHOW TOPOLOGIES.
    Show,
    /// SHOW CREATE TOPOLOGY name.
    ShowCreate(Ident),
    /// DESCRIBE TOPOLOGY name.
    Describe(Ident),
}

/// KILL | DROP TOPOLOGY [IF EXISTS] name [WAIT duration].
#[derive(Debug, Clone)]
pub struct KillTopology {
    /// The topology.
    pub name: Ident,
    /// IF EXISTS.
    pub if_exists: bool,
    /// WAIT: how long tuples under way have after the spouts have stopped, in milliseconds.
    pub wait_ms: Option<u64>,
    /// How it was said, to answer with: `KILL TOPOLOGY` or `DROP TOPOLOGY`.
    pub tag: &'static str,
}

/// CREATE TOPOLOGY name [WITH (...)] AS components.
#[derive(Debug, Clone)]
pub struct CreateTopology {
    /// Name.
    pub name: Ident,
    /// OR REPLACE.
    pub or_replace: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// WITH (name = 'value', ...): names lower-case; values as text.
    pub options: Vec<(Ident, String)>,
    /// In the order they were written, no two of one name; at least one, unless they are in YAML.
    pub components: Vec<Component>,
    /// AS FLUX '...': the components, in Storm's YAML.
    pub flux: Option<String>,
}

/// A spout or a bolt.
#[derive(Debug, Clone)]
pub struct Component {
    /// Name.
    pub name: Ident,
    /// Which of the two, and what it does.
    pub role: Role,
    /// PARALLELISM: executors, from 1.
    pub parallelism: Option<u32>,
    /// TASKS, from 1.
    pub tasks: Option<u32>,
    /// OUTPUT, of a component USING SHELL or NATIVE: no two streams of one name.
    pub outputs: Vec<OutputStream>,
    /// WITH (name = 'value', ...): names lower-case; values as text.
    pub options: Vec<(Ident, String)>,
}

/// What a component does.
#[derive(Debug, Clone)]
pub enum Role {
    /// SPOUT.
    Spout(SpoutCode),
    /// BOLT.
    Bolt {
        /// What it does with a tuple.
        code: BoltCode,
        /// What it reads: at least one, no stream twice.
        inputs: Vec<Input>,
    },
}

/// What a spout is USING.
#[derive(Debug, Clone)]
pub enum SpoutCode {
    /// STREAM name: the rows of a relation.
    Stream(ObjectName),
    /// SHELL.
    Shell(Shell),
    /// NATIVE.
    Native(Native),
}

/// What a bolt is USING.
#[derive(Debug, Clone)]
pub enum BoltCode {
    /// SHELL.
    Shell(Shell),
    /// NATIVE.
    Native(Native),
    /// SQL (query).
    Sql(ComponentQuery),
    /// WINDOW (query) and the clauses of the window.
    Window(ComponentQuery, Window),
    /// INSERT INTO name.
    Insert(ObjectName),
}

/// SHELL ('program', 'argument', ...) [DIRECTORY 'dir']: another process, with Storm's multilang protocol.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Program and arguments; at least the program.
    pub command: Vec<String>,
    /// DIRECTORY: where it runs.
    pub directory: Option<String>,
}

/// 'name' [('argument', ...)]: registered code.
#[derive(Debug, Clone)]
pub struct Native {
    /// The name it is registered by, as written.
    pub name: Ident,
    /// Arguments.
    pub arguments: Vec<String>,
}

/// The query of a bolt; the relation `input` is what the bolt reads.
#[derive(Debug, Clone)]
pub struct ComponentQuery {
    /// The query; spans are places in the statement's text.
    pub query: Box<Query>,
    /// Its text.
    pub sql: String,
    /// Where its text starts in the statement's text, in characters from 0.
    pub offset: usize,
}

/// OUTPUT [DIRECT] [STREAM name] (field type, ...).
#[derive(Debug, Clone)]
pub struct OutputStream {
    /// `None`: the default stream (also when it was named: `default`).
    pub name: Option<Ident>,
    /// DIRECT: the sender chooses the task.
    pub direct: bool,
    /// The fields; at least one, no two of one name.
    pub fields: Vec<OutputField>,
}

/// A field of an [`OutputStream`].
#[derive(Debug, Clone)]
pub struct OutputField {
    /// Name.
    pub name: Ident,
    /// Type as written.
    pub data_type: DataType,
}

/// grouping ON component [STREAM name].
#[derive(Debug, Clone)]
pub struct Input {
    /// The component that is read; whether there is one of this name is not checked.
    pub source: Ident,
    /// `None`: the default stream (also when it was named: `default`).
    pub stream: Option<Ident>,
    /// How its tuples are spread over the tasks.
    pub grouping: Grouping,
}

/// How the tuples of a stream are spread over the tasks of a bolt.
#[derive(Debug, Clone)]
pub enum Grouping {
    /// SHUFFLE GROUPING.
    Shuffle,
    /// FIELDS GROUPING (field, ...).
    Fields(Vec<Ident>),
    /// PARTIAL KEY GROUPING (field, ...).
    PartialKey(Vec<Ident>),
    /// ALL GROUPING.
    All,
    /// GLOBAL GROUPING.
    Global,
    /// NONE GROUPING.
    None,
    /// DIRECT GROUPING.
    Direct,
    /// LOCAL OR SHUFFLE GROUPING.
    LocalOrShuffle,
    /// CUSTOM GROUPING 'name' [('argument', ...)].
    Custom(Native),
}

/// The window of a bolt USING WINDOW.
#[derive(Debug, Clone)]
pub struct Window {
    /// Its form.
    pub form: WindowForm,
    /// TIMESTAMP FIELD: event time; without it, time of arrival.
    pub timestamp_field: Option<Ident>,
    /// LAG: how much later than the latest tuple one may come, in milliseconds.
    pub lag_ms: Option<u64>,
    /// WATERMARK: between two watermarks, in milliseconds, from 1.
    pub watermark_interval_ms: Option<u64>,
    /// LATE STREAM: where late tuples go.
    pub late_stream: Option<Ident>,
    /// ALLOWED LATENESS, in milliseconds.
    pub allowed_lateness_ms: Option<u64>,
    /// IDLE TIMEOUT: an input that is silent for so long no longer holds event time back, in milliseconds.
    pub idle_timeout_ms: Option<u64>,
}

/// The forms of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowForm {
    /// LENGTH, with or without SLIDE.
    Sliding {
        /// What a window covers.
        length: WindowExtent,
        /// How far the next is from it; `None`: a window for every tuple.
        slide: Option<WindowExtent>,
    },
    /// LENGTH and TUMBLING.
    Tumbling(WindowExtent),
    /// SESSION GAP, in milliseconds, from 1.
    Session {
        /// Silence that ends a session.
        gap_ms: u64,
    },
}

/// How long a window or its slide is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowExtent {
    /// INTERVAL '...', in milliseconds, from 1.
    TimeMs(u64),
    /// n ROWS, from 1.
    Rows(u32),
}
