//! `Relation`: what the catalog knows of a stream, table, view or sink.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use monsoon_circuit::RelationId;
use monsoon_connectors::Options;
use serde::{Deserialize, Serialize};

use crate::statement::ObjectKind;

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// CREATE STREAM.
    Stream,
    /// CREATE TABLE.
    Table,
    /// CREATE VIEW: only text.
    View,
    /// CREATE MATERIALIZED VIEW.
    MaterializedView,
    /// CREATE SINK.
    Sink,
}

impl Kind {
    /// As messages name it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Stream => "stream",
            Kind::Table => "table",
            Kind::View => "view",
            Kind::MaterializedView => "materialized view",
            Kind::Sink => "sink",
        }
    }

    /// What a statement that names this kind says.
    pub fn of_object(kind: ObjectKind) -> Option<Kind> {
        match kind {
            ObjectKind::Stream => Some(Kind::Stream),
            ObjectKind::Table => Some(Kind::Table),
            ObjectKind::View => Some(Kind::View),
            ObjectKind::MaterializedView => Some(Kind::MaterializedView),
            ObjectKind::Sink => Some(Kind::Sink),
            ObjectKind::Column => None,
        }
    }
}

/// A relation. Expressions and queries are kept as text, and planned again at every start.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Its number, never reused.
    pub id: RelationId,
    /// Its name, in schema `public`.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its columns, with what Arrow can't say of their types in the fields' metadata.
    pub schema: SchemaRef,
    /// Places of the columns that identify a row.
    pub key: Vec<usize>,
    /// The statement that created it.
    pub sql: String,
    /// The query of a view or sink.
    pub query: Option<String>,
    /// Names given to the query's columns.
    pub column_names: Vec<String>,
    /// WITH (...).
    pub options: Vec<(String, String)>,
    /// WATERMARK FOR: column and expression.
    pub watermark: Option<(usize, String)>,
    /// EMIT ON WINDOW CLOSE.
    pub emit_on_window_close: bool,
    /// Rows are only ever inserted.
    pub append_only: bool,
    /// What its state was built by; see [`crate::lowering::fingerprint`].
    pub fingerprint: Option<String>,
    /// COMMENT ON.
    pub comment: Option<String>,
    /// COMMENT ON COLUMN, by place.
    pub column_comments: BTreeMap<usize, String>,
    /// DEFAULT of each column.
    pub defaults: Vec<Option<String>>,
    /// What its query reads, through plain views too.
    pub depends_on: Vec<RelationId>,
}

impl Relation {
    /// A relation without anything optional.
    pub fn new(name: &str, kind: Kind, schema: SchemaRef, sql: &str) -> Relation {
        let columns = schema.fields().len();
        Relation {
            id: RelationId(0),
            name: name.to_owned(),
            kind,
            schema,
            key: Vec::new(),
            sql: sql.to_owned(),
            query: None,
            column_names: Vec::new(),
            options: Vec::new(),
            watermark: None,
            emit_on_window_close: false,
            append_only: kind == Kind::Stream,
            fingerprint: None,
            comment: None,
            column_comments: BTreeMap::new(),
            defaults: vec![None; columns],
            depends_on: Vec::new(),
        }
    }

    /// Whether its rows come from a connector.
    pub fn is_source(&self) -> bool {
        self.kind == Kind::Stream && self.options.iter().any(|(name, _)| name == "connector")
    }

    /// Whether the engine runs it (a plain view is only text).
    pub fn is_run(&self) -> bool {
        self.kind != Kind::View
    }

    /// The WITH list as a connector takes it.
    pub fn connector_options(&self) -> Options {
        self.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.schema.fields().iter().position(|field| field.name() == name)
    }
}
