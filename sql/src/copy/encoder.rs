//! `CopyEncoder`: batches to COPY TO STDOUT's bytes.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;

use super::{csv, text};
use crate::error::{Result, SqlError};
use crate::pg_text::TextColumn;
use crate::statement::{CopyFormat, CopyKind};

/// Encodes batches as whole lines.
#[derive(Debug, Clone)]
pub struct CopyEncoder {
    format: CopyFormat,
}

impl CopyEncoder {
    /// An encoder. Format binary is 0A000.
    pub fn new(format: CopyFormat) -> Result<CopyEncoder> {
        if format.kind == CopyKind::Binary {
            return Err(
                SqlError::unsupported("COPY ... FORMAT binary is not supported").with_hint("FORMAT csv or text")
            );
        }
        Ok(CopyEncoder { format })
    }

    /// The header line, if one was asked for.
    pub fn header(&self, schema: &Schema) -> Option<Bytes> {
        if !self.format.header {
            return None;
        }
        let mut out = Vec::new();
        for (n, field) in schema.fields().iter().enumerate() {
            self.separate(n, &mut out);
            self.write_value(field.name().as_bytes(), false, &mut out);
        }
        out.push(b'\n');
        Some(Bytes::from(out))
    }

    /// One line per row.
    pub fn encode(&self, batch: &RecordBatch) -> Result<Bytes> {
        let schema = batch.schema();
        let columns: std::result::Result<Vec<TextColumn>, _> =
            batch.columns().iter().zip(schema.fields()).map(|(array, field)| TextColumn::new(array, field)).collect();
        let columns = columns.map_err(|error| SqlError::internal(error.to_string()))?;
        let mut out = Vec::with_capacity(batch.num_rows() * columns.len() * 8);
        let mut value = Vec::new();
        for row in 0..batch.num_rows() {
            for (n, column) in columns.iter().enumerate() {
                self.separate(n, &mut out);
                if column.is_null(row) {
                    out.extend_from_slice(self.format.null.as_bytes());
                } else {
                    value.clear();
                    column.write(row, &mut value);
                    self.write_value(&value, columns.len() == 1, &mut out);
                }
            }
            out.push(b'\n');
        }
        Ok(Bytes::from(out))
    }

    fn separate(&self, column: usize, out: &mut Vec<u8>) {
        if column > 0 {
            out.push(self.format.delimiter);
        }
    }

    fn write_value(&self, value: &[u8], is_only_column: bool, out: &mut Vec<u8>) {
        match self.format.kind {
            CopyKind::Csv => csv::write_value(value, &self.format, is_only_column, out),
            _ => text::write_escaped(value, self.format.delimiter, out),
        }
    }
}
