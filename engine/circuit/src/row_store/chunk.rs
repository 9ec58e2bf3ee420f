//! Rows with a weight as rows of a state table: the columns, then `weight`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::block::batch_of;
use crate::{Error, Result, WeightedBatch};

/// Columns of the state table of rows with these columns.
pub(crate) fn weighted_schema(columns: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = columns.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("weight", DataType::Int64, false)));
    Arc::new(Schema::new(fields))
}

/// The rows of a batch as rows of a state table of this schema.
pub(crate) fn weighted_rows(schema: &SchemaRef, batch: &WeightedBatch) -> Result<RecordBatch> {
    let weights = batch.weights.clone().unwrap_or_else(|| Int64Array::from_value(1, batch.len()));
    let mut columns: Vec<ArrayRef> = batch.rows.columns().to_vec();
    columns.push(Arc::new(weights));
    batch_of(schema, columns, batch.len())
}

/// The other way: `columns` are the table's without the weight.
pub(crate) fn split_weights(operator: &str, columns: &SchemaRef, chunk: &RecordBatch) -> Result<WeightedBatch> {
    let corrupt = |reason: String| Error::Corrupt { operator: operator.into(), reason };
    let width = columns.fields().len();
    if chunk.num_columns() != width + 1 {
        return Err(corrupt(format!("{} columns instead of {}", chunk.num_columns(), width + 1)));
    }
    let weights = chunk.column(width).as_primitive_opt::<Int64Type>();
    let weights = weights.filter(|weights| weights.null_count() == 0).cloned();
    let weights = weights.ok_or_else(|| corrupt("the weight column is not Int64 without nulls".into()))?;
    let rows = batch_of(columns, chunk.columns()[..width].to_vec(), chunk.num_rows());
    let rows = rows.map_err(|error| corrupt(error.to_string()))?;
    Ok(WeightedBatch { rows, weights: super::some_if_not_ones(weights) })
}
