//! `RelationSpec`: what the engine has to know of a relation to run it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use monsoon_circuit::{CircuitPlan, RelationId};
use monsoon_connectors::{Sink, Source};

/// A relation to be run.
pub struct RelationSpec {
    /// Stable number, never reused.
    pub id: RelationId,
    /// Name for messages and metrics.
    pub name: String,
    /// Columns.
    pub schema: SchemaRef,
    /// How its rows come about.
    pub kind: RelationKind,
}

/// How a relation's rows come about.
pub enum RelationKind {
    /// Append-only, written by [`crate::Engine::write`], kept in a durable log.
    Stream {
        /// Event time, if declared.
        watermark: Option<Watermark>,
    },
    /// Append-only, read from a connector. Rows are not kept: a reader replays the source up to the committed position.
    Source {
        /// Opens the source at its first position; called again for back-fills and ad-hoc reads.
        open: Arc<dyn Fn() -> monsoon_connectors::Result<Box<dyn Source>> + Send + Sync>,
        /// Event time, if declared.
        watermark: Option<Watermark>,
    },
    /// Rows written, deleted and, with a key, overwritten.
    Table {
        /// Places of the primary key columns; empty for a table without one.
        key: Vec<usize>,
    },
    /// Kept by a circuit and materialized.
    View {
        /// The circuit. Its inputs are relations that exist.
        plan: CircuitPlan,
        /// Gone when the engine stops; nothing of it is written to the store (SUBSCRIBE to a query).
        ephemeral: bool,
    },
    /// The changes of a query published outside; nothing is materialized.
    Sink {
        /// The circuit whose output is published (for `FROM relation`: a single input node).
        plan: CircuitPlan,
        /// Opens the outside system.
        open: Arc<dyn Fn() -> monsoon_connectors::Result<Box<dyn Sink>> + Send + Sync>,
    },
}

/// Event time of a stream: rows whose `column` is below the watermark committed before their batch are late, counted and dropped.
#[derive(Clone)]
pub struct Watermark {
    /// Place of the timestamp column.
    pub column: usize,
    /// Over the stream's rows: the watermark a row implies (`ts - INTERVAL '5 seconds'`). The stream's watermark is the maximum seen.
    pub expression: Arc<dyn PhysicalExpr>,
}
