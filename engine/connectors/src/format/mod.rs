//! `Format`: how records look as bytes. Shared by file sources, file sinks and COPY.
//!
//! Text formats (json lines, csv) are read in three steps: a [`TextSplitter`] finds the records in a run of bytes, a
//! [`TextDecoder`] turns records into rows and says which records are bad, an [`Encoder`] writes rows. Whether a record
//! is good depends on that record alone, never on its neighbours: otherwise a replay that is cut differently would
//! yield other rows.

mod cell;
mod csv;
mod csv_writer;
mod decode;
mod encode;
mod json;
mod json_object;
mod split;
#[cfg(test)]
mod tests;

use arrow::datatypes::{DataType, Schema};

use crate::options::wrong_value;
use crate::{Error, Options, Result};

pub use decode::{DecodedRows, RejectedRecord, TextDecoder};
pub use encode::Encoder;
pub use split::{Split, TextSplitter};

pub(crate) use cell::{convert_column, guess_kind, sql_name};
pub(crate) use csv::{CsvField, record_fields};
pub(crate) use decode::assemble;
pub(crate) use json_object::{object_entries, object_key};
pub(crate) use split::TOO_LONG;

/// How records look as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// Comma separated values.
    Csv(CsvStyle),
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, the file format (its stream format is read too).
    Arrow,
}

/// The dialect of a CSV file. Fields may be quoted with `"`, doubled inside; a quoted field may span lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvStyle {
    /// The first record names the columns.
    pub header: bool,
    /// What separates fields.
    pub delimiter: u8,
    /// An unquoted field that is this text is NULL.
    pub null: String,
}

impl Default for CsvStyle {
    fn default() -> CsvStyle {
        CsvStyle { header: true, delimiter: b',', null: String::new() }
    }
}

impl Format {
    /// The options that [`Format::from_options`] reads.
    pub const OPTIONS: [&'static str; 4] = ["format", "header", "delimiter", "null"];

    /// Reads `format`, and for csv `header` (default true), `delimiter` (`,`) and `null` (an empty field).
    pub fn from_options(options: &Options) -> Result<Format> {
        options.require("format", "one of json, csv, parquet, arrow")?;
        let format = match options.choice("format", &["json", "csv", "parquet", "arrow"])? {
            Some("csv") => return csv_style(options).map(Format::Csv),
            Some("parquet") => Format::Parquet,
            Some("arrow") => Format::Arrow,
            _ => Format::Json,
        };
        match ["header", "delimiter", "null"].into_iter().find(|name| options.get(name).is_some()) {
            Some(name) => Err(Error::option(
                name,
                format!("option \"{name}\" belongs to format csv; the format is {}", format.extension()),
            )),
            None => Ok(format),
        }
    }

    /// Its name, and the extension of its files.
    pub fn extension(&self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv(_) => "csv",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    /// Whether it is lines of text, so that a file can be read while it grows.
    pub fn is_text(&self) -> bool {
        matches!(self, Format::Json | Format::Csv(_))
    }

    /// Refuses columns whose type the format can't hold.
    pub fn check_schema(&self, schema: &Schema) -> Result<()> {
        if !self.is_text() {
            return Ok(());
        }
        match schema.fields().iter().find(|field| !is_text_kind(field.data_type())) {
            None => Ok(()),
            Some(field) => Err(Error::option(
                "format",
                format!(
                    "column \"{}\" is {}, which format {} can't hold",
                    field.name(),
                    sql_name(field.data_type()),
                    self.extension()
                ),
            )),
        }
    }
}

fn csv_style(options: &Options) -> Result<CsvStyle> {
    let default = CsvStyle::default();
    let delimiter = options.character("delimiter", default.delimiter)?;
    if matches!(delimiter, b'"' | b'\n' | b'\r') {
        let value = options.get("delimiter").unwrap_or_default().escape_debug();
        return Err(wrong_value("delimiter", value, "a character that is neither a quote nor a line end"));
    }
    let null = options.get("null").unwrap_or(&default.null).to_string();
    if null.bytes().any(|byte| byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r')) {
        return Err(wrong_value("null", null.escape_debug(), "a text without delimiters, quotes and line ends"));
    }
    Ok(CsvStyle { header: options.boolean("header", default.header)?, delimiter, null })
}

/// The types that texts can be turned into.
fn is_text_kind(kind: &DataType) -> bool {
    match kind {
        DataType::List(item) => !matches!(item.data_type(), DataType::List(_)) && is_text_kind(item.data_type()),
        DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..) => true,
        _ => kind.is_integer() || kind.is_floating(),
    }
}
