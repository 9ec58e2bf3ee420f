//! Files as sources and sinks.
//!
//! A source reads one file, or the files of a directory in the order of their names. Text files (json lines, csv) may
//! be followed while they grow; only whole lines are consumed. A sink writes one file per txid under a name that follows
//! from the txid.

mod columnar_reader;
mod infer;
mod listing;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod text_file;
mod text_reader;

use std::time::Duration;

pub use infer::infer_schema;
pub use sink::FileSink;
pub use source::FileSource;

pub(crate) use source::is_bounded;

/// How long a source that found nothing asks to be left alone.
const IDLE: Duration = Duration::from_millis(50);

/// A bad record is shown up to this length.
const BAD_RAW_BYTES_MAX: usize = 1_024;
