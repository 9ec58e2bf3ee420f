//! `FileSource`: files as a source, whatever their format.

use arrow::datatypes::SchemaRef;

use super::columnar_reader::ColumnarReader;
use super::listing::Listing;
use super::text_reader::TextReader;
use crate::format::Format;
use crate::options::wrong_value;
use crate::{Error, Options, Position, Read, Result, Source};

const OPTIONS: [&str; 7] = ["connector", "path", "follow", "format", "header", "delimiter", "null"];

/// Reads `path` (a file, a directory, or a pattern with `*` and `?` in its last part) as `format`. With `follow` it
/// never ends: it waits for text files to grow, and for new files in a directory.
pub struct FileSource {
    schema: SchemaRef,
    reader: Reader,
}

enum Reader {
    Text(Box<TextReader>),
    Columnar(Box<ColumnarReader>),
}

/// The WITH list of a file source.
pub(super) struct FileOptions {
    pub(super) listing: Listing,
    pub(super) format: Format,
    pub(super) follow: bool,
}

impl FileOptions {
    pub(super) fn new(options: &Options) -> Result<FileOptions> {
        options.reject_unknown("a file source", &OPTIONS)?;
        let path = options.require("path", "a file, a directory or a pattern such as 'data/*.json'")?;
        let mut listing = Listing::new(path)?;
        if !listing.has_directory() {
            return Err(wrong_value("path", path, "a place in a directory that exists"));
        }
        let format = Format::from_options(options)?;
        let follow = options.boolean("follow", false)?;
        if follow && listing.is_single_file() && !format.is_text() {
            return Err(wrong_value(
                "follow",
                "true",
                &format!(
                    "false: a {} file is complete when it appears; follow a directory instead",
                    format.extension()
                ),
            ));
        }
        if !follow && listing.is_single_file() && listing.after(None)?.is_none() {
            return Err(wrong_value("path", path, "a file that exists (or follow = 'true', to wait for it)"));
        }
        Ok(FileOptions { listing, format, follow })
    }
}

impl FileSource {
    /// A source of these columns, found in the files by name (by order in a csv without header).
    pub fn new(options: &Options, schema: SchemaRef) -> Result<FileSource> {
        let FileOptions { listing, format, follow } = FileOptions::new(options)?;
        if schema.fields().is_empty() {
            return Err(Error::option("connector", "a file source needs at least one column"));
        }
        let reader = if format.is_text() {
            let mut reader = TextReader::new(listing, &format, follow, schema.clone())?;
            reader.check_first_header()?;
            Reader::Text(Box::new(reader))
        } else {
            let mut reader = ColumnarReader::new(listing, format, follow, schema.clone());
            reader.check_first_file()?;
            Reader::Columnar(Box::new(reader))
        };
        Ok(FileSource { schema, reader })
    }

    #[cfg(test)]
    pub(super) fn with_limits(self, chunk_bytes: usize, record_bytes_max: usize) -> FileSource {
        let reader = match self.reader {
            Reader::Text(reader) => Reader::Text(Box::new(reader.with_limits(chunk_bytes, record_bytes_max))),
            columnar => columnar,
        };
        FileSource { reader, ..self }
    }
}

impl Source for FileSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn position(&self) -> Position {
        match &self.reader {
            Reader::Text(reader) => reader.position(),
            Reader::Columnar(reader) => reader.position(),
        }
    }

    fn seek(&mut self, position: &Position) -> Result<()> {
        match &mut self.reader {
            Reader::Text(reader) => reader.seek(position),
            Reader::Columnar(reader) => reader.seek(position),
        }
    }

    fn read(&mut self, rows_max: usize) -> Result<Read> {
        match &mut self.reader {
            Reader::Text(reader) => reader.read(rows_max),
            Reader::Columnar(reader) => reader.read(rows_max),
        }
    }
}

/// Whether a file source ends. A wrong value of `follow` is reported when the source is opened.
pub(crate) fn is_bounded(options: &Options) -> bool {
    !options.boolean("follow", false).unwrap_or(false)
}
