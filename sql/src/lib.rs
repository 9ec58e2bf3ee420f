//! SQL: parser, catalog, lowering, functions, types, sessions.
//!
//! The only crate that knows both SQL and circuits. Doesn't know the wire, RocksDB or threads.

pub mod catalog;
pub mod column_name;
pub mod copy;
pub mod data_type;
pub mod database;
pub mod diagnostic;
pub mod error;
pub mod function;
pub mod interval_text;
pub mod lowering;
pub mod parser;
pub mod pg_catalog;
pub mod pg_text;
pub mod pg_type;
pub mod response;
pub mod session;
pub mod sql_text;
pub mod statement;
mod table_factor;
pub mod topology;
pub mod window_function;

pub use database::{Database, DatabaseConfig, OpenError};
pub use error::SqlError;
pub use session::{Prepared, Session, SessionStart};
