//! Sources, sinks and formats, each behind one of two traits.
//!
//! Knows files, formats and generators. Doesn't know SQL, circuits, state or txids beyond a number.

mod blackhole;
mod clock;
mod datagen;
mod error;
mod file;
mod format;
pub mod nexmark;
mod options;
mod pace;
mod random;
mod registry;
mod sink;
mod source;

pub use blackhole::BlackholeSink;
pub use clock::{Clock, SystemClock};
pub use datagen::DatagenSource;
pub use error::{Error, Result};
pub use file::{FileSink, FileSource, infer_schema};
pub use format::{CsvStyle, DecodedRows, Encoder, Format, RejectedRecord, Split, TextDecoder, TextSplitter};
pub use options::Options;
pub use registry::{SINKS, SOURCES, is_bounded, open_sink, open_source, settled_options, source_schema};
pub use sink::{Change, Guarantee, Sink};
pub use source::{BadRecord, Position, Read, Source};
