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
//! - A body is checked before Arrow's own code sees it: types, lengths, places of buffers. What a child sends can't make that code panic or
//!   ask for memory that the frame doesn't hold.
//! - Every value makes the way to a child and back unchanged.

mod command;
mod exact;
pub mod frame;
mod ids;
mod read;
mod write;

pub(crate) use command::{append_batches, append_command, parse};
pub(crate) use write::Row;

/// Rows of one frame, at most.
const ROWS_MAX: usize = 1 << 20;

/// The key of a field's metadata that says how its texts are to be read, and its only value: as `exact` says.
const ENCODING: (&str, &str) = ("monsoon.encoding", "json");
