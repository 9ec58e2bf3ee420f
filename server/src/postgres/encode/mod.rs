//! Values to clients: Postgres's text and binary formats for every Arrow type.
//!
//! A batch is prepared once per column (downcast, dictionary and nesting resolved) into a writer per column; then each
//! row is one pass over the writers. Text follows Postgres's own output functions to the letter, as drivers parse it.
//!
//! The published Arrow-to-Postgres encoder was looked at and not used: it formats through a row object per row, prints
//! floats and timestamps differently from Postgres, and ties the version of the message library.

mod array;
mod binary;
mod datetime;
mod json;
mod number;
mod text;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use bytes::{BufMut, BytesMut};
use monsoon_sql::SqlError;

use super::backend::WireType;
use super::reply::{Column, patch_length};

/// Result of encoding.
pub(super) type Result<T> = std::result::Result<T, SqlError>;

/// Appends the value of a row, which is not NULL.
type CellWriter = Box<dyn Fn(usize, &mut BytesMut) -> Result<()> + Send + Sync>;

/// A row may not be larger: clients read its length as a signed 32-bit number.
const ROW_BYTES_MAX: usize = 1 << 30;

/// A batch, ready to be written row by row.
pub struct BatchEncoder {
    columns: Vec<ColumnEncoder>,
    rows: usize,
}

struct ColumnEncoder {
    nulls: Option<NullBuffer>,
    write: CellWriter,
}

impl BatchEncoder {
    /// Prepares a batch that has these columns.
    pub fn new(batch: &RecordBatch, columns: &[Column]) -> Result<BatchEncoder> {
        if batch.num_columns() != columns.len() {
            let message = format!("a batch has {} columns, {} were announced", batch.num_columns(), columns.len());
            return Err(SqlError::internal(message));
        }
        let encoders = batch.columns().iter().zip(columns);
        let encoders = encoders.map(|(array, column)| column_encoder(array, &column.wire_type, column.format));
        Ok(BatchEncoder { columns: encoders.collect::<Result<_>>()?, rows: batch.num_rows() })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends a DataRow; on an error nothing is appended.
    pub fn write_row(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        let result = self.write_row_body(row, out);
        if result.is_err() {
            out.truncate(start);
            return result;
        }
        if out.len() - start > ROW_BYTES_MAX {
            out.truncate(start);
            return Err(SqlError::new("54000", format!("a row is larger than {ROW_BYTES_MAX} bytes")));
        }
        patch_length(out, start + 1);
        Ok(())
    }

    fn write_row_body(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'D');
        out.put_i32(0);
        out.put_u16(u16::try_from(self.columns.len()).unwrap_or(u16::MAX));
        self.columns.iter().try_for_each(|column| column.write_field(row, out))
    }
}

impl ColumnEncoder {
    /// Length and value, or the length -1 for NULL.
    fn write_field(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.put_i32(-1);
            return Ok(());
        }
        write_sized(out, |out| (self.write)(row, out))
    }
}

/// Writes a value after its length.
fn write_sized(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
    let start = out.len();
    out.put_i32(0);
    write(out)?;
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn column_encoder(array: &ArrayRef, wire_type: &WireType, format: i16) -> Result<ColumnEncoder> {
    let array = plain(array)?;
    let write = match format {
        0 => text::writer(&array, wire_type)?,
        _ => binary::writer(&array, wire_type)?,
    };
    Ok(ColumnEncoder { nulls: array.logical_nulls(), write })
}

/// Resolves encodings that are about storage only.
fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    let target = match array.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::RunEndEncoded(_, value) => value.data_type().clone(),
        DataType::ListView(element) => DataType::List(element.clone()),
        DataType::LargeListView(element) => DataType::LargeList(element.clone()),
        _ => return Ok(array.clone()),
    };
    let cast = arrow::compute::cast(array, &target);
    cast.map_err(|error| SqlError::internal(format!("resolving {}: {error}", array.data_type())))
}

/// A type that can't be sent.
fn unsupported(data_type: &DataType) -> SqlError {
    SqlError::unsupported(format!("values of type {data_type} can't be sent to a client; cast them to text"))
}

#[cfg(test)]
mod tests;
