//! `View`: a query to be kept, with what must come of it.

use arrow::datatypes::SchemaRef;
use monsoon_circuit::{CircuitPlan, RelationId};

use super::column::Column;

/// The text of a view, before it is planned.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its number.
    pub id: RelationId,
    /// Its name.
    pub name: String,
    /// What Monsoon is given.
    pub sql: String,
    /// Whether EMIT ON WINDOW CLOSE is said.
    pub emit_on_window_close: bool,
    /// The same for DataFusion, without our window functions. `@WATERMARK` stands for the timed stream's watermark.
    pub reference: String,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// A view that Monsoon keeps.
#[derive(Debug, Clone)]
pub struct View {
    /// Its text.
    pub definition: Definition,
    /// Its circuit.
    pub plan: CircuitPlan,
    /// What it holds.
    pub schema: SchemaRef,
    /// Whether rows are only ever inserted.
    pub append_only: bool,
}
