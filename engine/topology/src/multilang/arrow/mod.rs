//! The Arrow dialect: tuples go in batches of typed columns. `docs/multilang-arrow.md` is its specification.
//!
//! | file | what |
//! |---|---|
//! | `frame` | a header and a body, each with its length in front |
//! | `ids` | lists of tuples' ids, runs of which are written as ranges |
//! | `exact` | values as JSON text that loses nothing, for columns without a type of their own |
//! | `write` | rows as the columns of a batch |
//! | `read` | a batch as rows |
//! | `command` | what is said: headers, and what they say of the body |
//!
//! Invariants:
//! - Nothing here does IO but `frame::read`, from the reader it is given.
//! - What a child sends can't make anything here panic or ask for much more memory than the frame holds: bodies are read without Arrow's own
//!   reader, of which that isn't known.
//! - Every value makes the way to a child and back unchanged.

mod command;
mod exact;
pub mod frame;
mod ids;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use command::{append_batches, append_command, parse};
pub(crate) use write::Row;

/// Rows of one frame, at most.
const ROWS_MAX: usize = 1 << 20;

/// Values of one frame, at most: a column of nulls takes no bytes.
const VALUES_MAX: usize = 1 << 24;

/// The key of a field's metadata that says how its texts are to be read, and its only value: as `exact` says.
const ENCODING: (&str, &str) = ("monsoon.encoding", "json");
