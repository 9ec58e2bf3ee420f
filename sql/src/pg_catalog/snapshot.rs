//! What the catalog tables and functions are told about relations.

use std::fmt::Debug;

use arrow::datatypes::SchemaRef;

/// The first number of our own relations; below are Postgres's own (`FirstNormalObjectId`).
pub const OID_MIN: u32 = 16_384;
/// `pg_catalog`.
pub const NAMESPACE_PG_CATALOG: u32 = 11;
/// `public`.
pub const NAMESPACE_PUBLIC: u32 = 2_200;
/// `information_schema`.
pub const NAMESPACE_INFORMATION_SCHEMA: u32 = 13_000;
/// The role that owns everything.
pub const OWNER_OID: u32 = 10;
/// The name of that role.
pub const OWNER: &str = "monsoon";
/// The database.
pub const DATABASE_OID: u32 = 5;
/// Added to a table's number: its primary key's index. Relations are numbered below it.
const INDEX_OFFSET: u32 = 1 << 29;
/// Added to a table's number: its primary key's constraint.
const CONSTRAINT_OFFSET: u32 = 1 << 30;

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// CREATE STREAM.
    Stream,
    /// CREATE TABLE.
    Table,
    /// CREATE VIEW.
    View,
    /// CREATE MATERIALIZED VIEW.
    MaterializedView,
    /// CREATE SINK: not a relation to Postgres.
    Sink,
}

impl RelationKind {
    /// `pg_class.relkind`; `None` if it isn't in `pg_class`.
    pub fn relkind(self) -> Option<&'static str> {
        match self {
            RelationKind::Stream | RelationKind::Table => Some("r"),
            RelationKind::View => Some("v"),
            RelationKind::MaterializedView => Some("m"),
            RelationKind::Sink => None,
        }
    }
}

/// A relation.
#[derive(Debug, Clone)]
pub struct RelationInfo {
    /// Its number: from [`OID_MIN`] up, below 2^29, the same for its life.
    pub oid: u32,
    /// Its name. All are in `public`.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns.
    pub columns: SchemaRef,
    /// The primary key's columns, by place from 0.
    pub key: Vec<usize>,
    /// A view's query.
    pub definition: Option<String>,
    /// COMMENT ON it.
    pub comment: Option<String>,
    /// COMMENT ON COLUMN: place from 0, and text.
    pub column_comments: Vec<(usize, String)>,
}

impl RelationInfo {
    /// The number of the primary key's index.
    pub fn index_oid(&self) -> u32 {
        self.oid.saturating_add(INDEX_OFFSET)
    }

    /// The number of the primary key's constraint.
    pub fn constraint_oid(&self) -> u32 {
        self.oid.saturating_add(CONSTRAINT_OFFSET)
    }

    /// The name of the primary key's index and constraint.
    pub fn key_name(&self) -> String {
        format!("{}_pkey", self.name)
    }

    /// Whether it has a primary key that Postgres would know of.
    pub fn has_key(&self) -> bool {
        self.kind == RelationKind::Table && !self.key.is_empty()
    }

    /// The key's columns by name.
    pub fn key_columns(&self) -> Vec<&str> {
        self.key
            .iter()
            .filter_map(|place| self.columns.fields().get(*place))
            .map(|field| field.name().as_str())
            .collect()
    }
}

/// The catalog at one moment.
pub trait CatalogSnapshot: Debug + Send + Sync {
    /// All relations, in any order.
    fn relations(&self) -> Vec<RelationInfo>;
}
