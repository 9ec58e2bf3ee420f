//! `CopyDecoder`: COPY FROM STDIN's bytes to batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, StringBuilder};
use arrow::datatypes::SchemaRef;

use super::{Fields, csv, text};
use crate::error::{Result, SqlError};
use crate::pg_text::read_column;
use crate::statement::{CopyFormat, CopyKind};

/// Longest line, in bytes: what a client sends is held until its line is whole.
const LINE_BYTES_MAX: usize = 64 << 20;
/// A batch is whole when its values have so many bytes, however few its rows are: what is gathered is counted by nobody yet.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Characters of a bad value that a message shows.
const SHOWN_CHARS_MAX: usize = 100;

/// Decodes lines into batches of a schema.
pub struct CopyDecoder {
    relation: String,
    schema: SchemaRef,
    format: CopyFormat,
    batch_rows: usize,
    /// Bytes that are not a whole line yet.
    pending: Vec<u8>,
    scan: csv::Scan,
    /// Lines taken, the header among them.
    lines: u64,
    /// The line of each gathered row.
    row_lines: Vec<u64>,
    columns: Vec<StringBuilder>,
    /// Bytes of the gathered rows' values.
    gathered_bytes: usize,
    fields: Fields,
    /// `\.` was read: what follows is ignored.
    is_over: bool,
}

impl CopyDecoder {
    /// A decoder for lines of `schema`'s columns; `relation` is for messages. Format binary is 0A000.
    pub fn new(
        relation: impl Into<String>,
        schema: SchemaRef,
        format: CopyFormat,
        batch_rows: usize,
    ) -> Result<CopyDecoder> {
        if format.kind == CopyKind::Binary {
            return Err(
                SqlError::unsupported("COPY ... FORMAT binary is not supported").with_hint("FORMAT csv or text")
            );
        }
        let columns = schema.fields().iter().map(|_| StringBuilder::new()).collect();
        Ok(CopyDecoder {
            relation: relation.into(),
            schema,
            format,
            batch_rows: batch_rows.max(1),
            pending: Vec::new(),
            scan: csv::Scan::default(),
            lines: 0,
            row_lines: Vec::new(),
            columns,
            gathered_bytes: 0,
            fields: Fields::default(),
            is_over: false,
        })
    }

    /// Takes bytes; returns the batches that became full.
    pub fn push(&mut self, data: &[u8]) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        if self.is_over {
            return Ok(batches);
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(data);
        let mut start = 0;
        while let Some((length, whole)) = self.find_line(&pending[start..]) {
            self.scan = csv::Scan::default();
            self.take_line(&pending[start..start + length])?;
            start += whole;
            if self.row_lines.len() >= self.batch_rows || self.gathered_bytes >= BATCH_BYTES_MAX {
                batches.extend(self.take_batch()?);
            }
            if self.is_over {
                return Ok(batches);
            }
        }
        pending.drain(..start);
        if pending.len() > LINE_BYTES_MAX {
            return Err(self.fault(
                "54000",
                format!("the line is longer than the limit of {LINE_BYTES_MAX} bytes"),
                self.lines + 1,
            ));
        }
        self.pending = pending;
        Ok(batches)
    }

    /// Takes the last line, if it didn't end, and returns what is left.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let line = std::mem::take(&mut self.pending);
        if !line.is_empty() && !self.is_over {
            self.take_line(line.strip_suffix(b"\r").unwrap_or(&line))?;
        }
        self.take_batch()
    }

    fn find_line(&mut self, data: &[u8]) -> Option<(usize, usize)> {
        match self.format.kind {
            CopyKind::Csv => csv::find_line(data, &self.format, &mut self.scan),
            _ => text::find_line(data, &mut self.scan.at),
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<()> {
        self.lines += 1;
        if self.lines == 1 && self.format.header {
            return Ok(());
        }
        if line == b"\\." {
            self.is_over = true;
            return Ok(());
        }
        let mut fields = std::mem::take(&mut self.fields);
        let is_whole = match self.format.kind {
            CopyKind::Csv => csv::split(line, &self.format, &mut fields),
            _ => {
                text::split(line, &self.format, &mut fields);
                true
            }
        };
        let result = if is_whole {
            self.append(&fields)
        } else {
            Err(self.fault("22P04", "unterminated CSV quoted field", self.lines))
        };
        self.fields = fields;
        result
    }

    fn append(&mut self, fields: &Fields) -> Result<()> {
        let expected = self.columns.len();
        if fields.len() > expected && !(expected == 0 && fields.bytes.is_empty()) {
            return Err(self.fault("22P04", "extra data after last expected column", self.lines));
        }
        if fields.len() < expected {
            let column = self.schema.field(fields.len()).name();
            return Err(self.fault("22P04", format!("missing data for column \"{column}\""), self.lines));
        }
        for (n, value) in fields.iter().take(expected).enumerate() {
            match value.map(std::str::from_utf8) {
                None if !self.schema.field(n).is_nullable() => return Err(self.null_value(n)),
                None => self.columns[n].append_null(),
                Some(Ok(text)) if !text.contains('\0') => self.columns[n].append_value(text),
                Some(_) => return Err(self.fault("22021", "invalid byte sequence for encoding \"UTF8\"", self.lines)),
            }
        }
        self.row_lines.push(self.lines);
        self.gathered_bytes += fields.bytes.len();
        Ok(())
    }

    fn take_batch(&mut self) -> Result<Option<RecordBatch>> {
        let rows = self.row_lines.len();
        if rows == 0 {
            return Ok(None);
        }
        let texts: Vec<StringArray> = self.columns.iter_mut().map(StringBuilder::finish).collect();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(texts.len());
        for (n, texts) in texts.iter().enumerate() {
            let array = read_column(texts, self.schema.field(n)).map_err(|bad| {
                let line = self.row_lines.get(bad.row).copied().unwrap_or(self.lines);
                self.bad_value(bad.error, line, n, texts.value(bad.row))
            })?;
            arrays.push(array);
        }
        self.row_lines.clear();
        self.gathered_bytes = 0;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map(Some)
            .map_err(|error| SqlError::internal(error.to_string()))
    }

    fn fault(&self, sqlstate: &'static str, message: impl Into<String>, line: u64) -> SqlError {
        SqlError::new(sqlstate, message).with_detail(format!("COPY {}, line {line}", self.relation))
    }

    fn null_value(&self, column: usize) -> SqlError {
        let name = self.schema.field(column).name();
        let message =
            format!("null value in column \"{name}\" of relation \"{}\" violates not-null constraint", self.relation);
        self.fault("23502", message, self.lines)
    }

    fn bad_value(&self, mut error: SqlError, line: u64, column: usize, value: &str) -> SqlError {
        let name = self.schema.field(column).name();
        let shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
        let place = format!("COPY {}, line {line}, column {name}: \"{shown}\"", self.relation);
        error.detail = Some(match error.detail {
            Some(detail) => format!("{detail}; {place}"),
            None => place,
        });
        error
    }
}
