//! Rows to CSV as Postgres writes it: NULL is an unquoted text, the same text as a value is quoted.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::CsvStyle;

const FORMATS: FormatOptions<'static> = FormatOptions::new()
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"));

pub(super) struct CsvWriter<W: Write> {
    style: CsvStyle,
    out: W,
    /// The records of one batch, written in one go.
    buffer: Vec<u8>,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(style: CsvStyle, schema: &Schema, out: W) -> Result<CsvWriter<W>, ArrowError> {
        let mut writer = CsvWriter { style, out, buffer: Vec::new() };
        if writer.style.header {
            for (index, field) in schema.fields().iter().enumerate() {
                writer.push_delimiter(index);
                writer.push_text(field.name());
            }
            writer.buffer.push(b'\n');
            writer.flush_buffer()?;
        }
        Ok(writer)
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        let schema = rows.schema();
        let columns: Vec<CellTexts> = rows
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| CellTexts::new(column, field))
            .collect::<Result<_, _>>()?;
        let mut text = String::new();
        for row in 0..rows.num_rows() {
            for (index, (texts, column)) in columns.iter().zip(rows.columns()).enumerate() {
                self.push_delimiter(index);
                if column.is_null(row) {
                    self.buffer.extend_from_slice(self.style.null.as_bytes());
                    continue;
                }
                text.clear();
                texts.write(row, &mut text)?;
                self.push_text(&text);
            }
            self.buffer.push(b'\n');
        }
        self.flush_buffer()
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }

    fn push_delimiter(&mut self, index: usize) {
        if index > 0 {
            self.buffer.push(self.style.delimiter);
        }
    }

    fn push_text(&mut self, text: &str) {
        let special = |byte: u8| byte == self.style.delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if text != self.style.null && !text.bytes().any(special) {
            self.buffer.extend_from_slice(text.as_bytes());
            return;
        }
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        self.buffer.push(b'"');
    }

    fn flush_buffer(&mut self) -> Result<(), ArrowError> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// The texts of one column.
enum CellTexts<'a> {
    Plain(ArrayFormatter<'a>),
    /// Bytes, with the prefix by which Postgres knows hexadecimal.
    Hex(ArrayFormatter<'a>),
    /// Lists, as JSON.
    Json(&'a ArrayRef, &'a FieldRef),
}

impl<'a> CellTexts<'a> {
    fn new(column: &'a ArrayRef, field: &'a FieldRef) -> Result<CellTexts<'a>, ArrowError> {
        Ok(match field.data_type() {
            DataType::List(_) => CellTexts::Json(column, field),
            DataType::Binary => CellTexts::Hex(ArrayFormatter::try_new(column, &FORMATS)?),
            _ => CellTexts::Plain(ArrayFormatter::try_new(column, &FORMATS)?),
        })
    }

    fn write(&self, row: usize, text: &mut String) -> Result<(), ArrowError> {
        match self {
            CellTexts::Plain(formatter) => formatter.value(row).write(text),
            CellTexts::Hex(formatter) => {
                text.push_str("\\x");
                formatter.value(row).write(text)
            }
            CellTexts::Json(column, field) => write_json(column, field, row, text),
        }
    }
}

fn write_json(column: &ArrayRef, field: &FieldRef, row: usize, text: &mut String) -> Result<(), ArrowError> {
    let one = column.slice(row, 1);
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut bytes = Vec::new();
    make_encoder(field, &one, &options)?.encode(0, &mut bytes);
    write!(text, "{}", String::from_utf8_lossy(&bytes)).map_err(|error| ArrowError::CsvError(error.to_string()))
}
