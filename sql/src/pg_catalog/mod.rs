//! The schemas `pg_catalog` and `information_schema`: what psql, drivers, ORMs and BI tools read.
//!
//! Tables of our objects are made from a [`CatalogSnapshot`] when they are read; tables that are the same in every
//! Postgres (types, operators, collations, ...) are the recorded ones of `datafusion-pg-catalog`. What DataFusion can't
//! plan of the queries those clients send is rewritten by [`rewrite_catalog_query`].
//!
//! Streams and tables are tables to Postgres (`r`), views `v`, materialized views `m`; sinks are in no table here.

mod always_empty;
mod catalog_table;
mod information_schema;
mod primary_keys;
mod relation_tables;
mod rewrite;
mod schema_provider;
mod server_tables;
mod snapshot;
mod static_tables;
mod system_relation;
mod table_spec;

#[cfg(test)]
mod tests;

pub use rewrite::rewrite_catalog_query;
pub use schema_provider::{information_schema_provider, schema_provider};
pub use snapshot::{
    CatalogSnapshot, DATABASE_OID, NAMESPACE_INFORMATION_SCHEMA, NAMESPACE_PG_CATALOG, NAMESPACE_PUBLIC, OID_MIN,
    OWNER, OWNER_OID, RelationInfo, RelationKind,
};
pub(crate) use system_relation::{oid_of_type_name, system_relation_name, system_relation_oid};
