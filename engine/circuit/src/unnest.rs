//! `unnest`: one row per element of a list column.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::{Array, ArrayRef, GenericListArray, Int64Array, OffsetSizeTrait, RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};

use crate::operator::{Operate, Step};
use crate::{Delta, Error, Result, WeightedBatch};

/// Repeats rows, one per list element.
pub(crate) struct UnnestOperator {
    pub column: usize,
    pub preserve_nulls: bool,
    pub output: SchemaRef,
}

impl UnnestOperator {
    fn unnest(&self, batch: &WeightedBatch) -> Result<WeightedBatch> {
        let list = batch.rows.column(self.column);
        let (rows, elements, values) = match list.data_type() {
            DataType::List(_) => self.places(list.as_list::<i32>()),
            DataType::LargeList(_) => self.places(list.as_list::<i64>()),
            other => return Err(Error::Unsupported(format!("unnest of {other} can't be kept incrementally"))),
        };
        let mut columns = Vec::with_capacity(batch.rows.num_columns());
        for (place, column) in batch.rows.columns().iter().enumerate() {
            let taken = if place == self.column { take(&values, &elements, None)? } else { take(column, &rows, None)? };
            columns.push(taken);
        }
        let weights = batch
            .weights
            .as_ref()
            .map(|weights| Int64Array::from_iter_values(rows.values().iter().map(|&row| weights.value(row as usize))));
        Ok(WeightedBatch { rows: RecordBatch::try_new(self.output.clone(), columns)?, weights })
    }

    /// For each output row, its input row and its element.
    fn places<O: OffsetSizeTrait>(&self, list: &GenericListArray<O>) -> (UInt64Array, UInt64Array, ArrayRef) {
        let mut rows = Vec::new();
        let mut elements = Vec::new();
        for row in 0..list.len() {
            if list.is_null(row) {
                if self.preserve_nulls {
                    rows.push(row as u64);
                    elements.push(None);
                }
                continue;
            }
            let (start, end) = (list.value_offsets()[row].as_usize(), list.value_offsets()[row + 1].as_usize());
            for element in start..end {
                rows.push(row as u64);
                elements.push(Some(element as u64));
            }
        }
        (UInt64Array::from(rows), UInt64Array::from(elements), Arc::clone(list.values()))
    }
}

impl Operate for UnnestOperator {
    fn step(&mut self, inputs: Vec<Delta>, _step: &mut Step<'_>) -> Result<Delta> {
        let mut delta = Delta::empty();
        for batch in inputs.into_iter().flat_map(|input| input.batches) {
            delta.push(self.unnest(&batch)?);
        }
        Ok(delta)
    }
}
