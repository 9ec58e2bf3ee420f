//! Answers that are made here, not by a query.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;

use crate::error::{Result, SqlError};
use crate::response::{Response, RowStream};

/// A command tag.
pub(super) fn complete(tag: impl Into<String>) -> Result<Response> {
    Ok(Response::Complete { tag: tag.into() })
}

/// Columns of text.
pub(super) fn text_schema(columns: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}

/// Rows of text; each has one value per column.
pub(super) fn text_rows(tag: &'static str, columns: &[&str], rows: &[Vec<Option<String>>]) -> Result<RowStream> {
    let column =
        |n: usize| Arc::new(rows.iter().map(|row| row.get(n).cloned().flatten()).collect::<StringArray>()) as ArrayRef;
    let arrays = (0..columns.len()).map(column).collect();
    let batch =
        RecordBatch::try_new(text_schema(columns), arrays).map_err(|error| SqlError::internal(error.to_string()))?;
    Ok(batch_rows(tag, batch))
}

/// The rows of a batch.
pub(super) fn batch_rows(tag: &'static str, batch: RecordBatch) -> RowStream {
    batches_rows(tag, batch.schema(), vec![batch])
}

/// The rows of some batches.
pub(super) fn batches_rows(tag: &'static str, schema: SchemaRef, batches: Vec<RecordBatch>) -> RowStream {
    let batches = futures::stream::iter(batches.into_iter().map(Ok)).boxed();
    RowStream { schema, batches, tag, live: false }
}
