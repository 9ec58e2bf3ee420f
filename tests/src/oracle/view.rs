//! `View`: a query to be kept, with what must come of it.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use monsoon_circuit::{CircuitPlan, RelationId};

use super::column::{Column, Kind};

/// The text of a view, before it is planned.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its number; given when it is created.
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
    /// Names of the forms of queries in it.
    pub forms: BTreeSet<&'static str>,
    /// A query for the rows on which one of its expressions fails, if one may.
    pub failing: Option<String>,
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

impl View {
    /// The places of columns of doubles whose last digits depend on how they were computed.
    pub fn rounded(&self) -> Vec<usize> {
        let places = self.definition.columns.iter().zip(self.schema.fields()).enumerate();
        let rounded = |(place, (column, field)): (usize, (&Column, &FieldRef))| {
            let is_float = matches!(field.data_type(), DataType::Float32 | DataType::Float64);
            (is_float && column.kind == Kind::Opaque).then_some(place)
        };
        places.filter_map(rounded).collect()
    }
}
