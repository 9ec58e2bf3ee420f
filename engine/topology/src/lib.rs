//! The tuple path: spouts and bolts, one tuple at a time, with acking.
//!
//! Knows tuples, components, groupings, executors and ledgers. Doesn't know SQL, circuits, Arrow, RocksDB or clients.

mod error;
mod fields;
mod value;
pub mod window;

pub use error::{Error, Failure, Outcome, Result};
pub use fields::Fields;
pub use smol_str::SmolStr;
pub use value::Value;
