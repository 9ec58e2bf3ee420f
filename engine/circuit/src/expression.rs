//! Evaluating DataFusion's physical expressions over deltas, row errors included.
//!
//! An expression that fails on a row (division by zero, a bad cast) gives NULL there and a [`RowError`]; the batch goes on.
//! Failing rows are found by halving, so that a batch without errors pays nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, FieldRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::cast::as_boolean_array;
use datafusion::physical_expr::PhysicalExpr;

use crate::exchange::with_one_zero;
use crate::guard::guard;
use crate::{Result, RowError};

/// Row errors kept per step; more are counted by their absence from the output, not described.
const ROW_ERRORS_MAX: usize = 100;
/// Bytes of a rendered row kept in a row error.
const ROW_TEXT_MAX: usize = 1024;

/// The expression's value on each row, as an array of the batch's length.
pub fn evaluate(
    expression: &Arc<dyn PhysicalExpr>,
    rows: &RecordBatch,
    errors: &mut Vec<RowError>,
) -> Result<ArrayRef> {
    match evaluate_whole(expression, rows) {
        Ok(array) => Ok(array),
        Err(error) if rows.num_rows() <= 1 => {
            note(expression, rows, &error, errors);
            let data_type = expression.data_type(&rows.schema())?;
            Ok(new_null_array(&data_type, rows.num_rows()))
        }
        Err(_) => {
            let half = rows.num_rows() / 2;
            let first = evaluate(expression, &rows.slice(0, half), errors)?;
            let second = evaluate(expression, &rows.slice(half, rows.num_rows() - half), errors)?;
            Ok(concat(&[first.as_ref(), second.as_ref()])?)
        }
    }
}

/// Each expression's value on each row.
pub fn evaluate_all(
    expressions: &[Arc<dyn PhysicalExpr>],
    rows: &RecordBatch,
    errors: &mut Vec<RowError>,
) -> Result<Vec<ArrayRef>> {
    expressions.iter().map(|expression| evaluate(expression, rows, errors)).collect()
}

/// Each expression's value on each row, as what is hashed or compared: equal values are the same bits.
pub(crate) fn evaluate_keys(
    expressions: &[Arc<dyn PhysicalExpr>],
    rows: &RecordBatch,
    errors: &mut Vec<RowError>,
) -> Result<Vec<ArrayRef>> {
    Ok(evaluate_all(expressions, rows, errors)?.into_iter().map(with_one_zero).collect())
}

/// A predicate's value on each row; NULL where it failed.
pub fn evaluate_predicate(
    predicate: &Arc<dyn PhysicalExpr>,
    rows: &RecordBatch,
    errors: &mut Vec<RowError>,
) -> Result<BooleanArray> {
    let array = evaluate(predicate, rows, errors)?;
    if array.data_type() == &DataType::Null {
        return Ok(BooleanArray::new_null(rows.num_rows()));
    }
    Ok(as_boolean_array(&array)?.clone())
}

/// In the type that the expression says it has: some of DataFusion's functions answer in another one (`to_timestamp` without the
/// session's time zone).
fn evaluate_whole(expression: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> datafusion::error::Result<ArrayRef> {
    guard(|| {
        let array = expression.evaluate(rows)?.into_array(rows.num_rows())?;
        let declared = expression.data_type(rows.schema_ref())?;
        if array.data_type() == &declared { Ok(array) } else { Ok(cast(&array, &declared)?) }
    })
}

/// The first row, as `id = 4, name = cow`.
fn shown(rows: &RecordBatch) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let column = |(array, field): (&ArrayRef, &FieldRef)| {
        let value = ArrayFormatter::try_new(array.as_ref(), &options).map(|values| values.value(0).to_string());
        format!("{} = {}", field.name(), value.unwrap_or_default())
    };
    rows.columns().iter().zip(rows.schema_ref().fields()).map(column).collect::<Vec<_>>().join(", ")
}

fn note(
    expression: &Arc<dyn PhysicalExpr>,
    rows: &RecordBatch,
    error: &datafusion::error::DataFusionError,
    errors: &mut Vec<RowError>,
) {
    if errors.len() >= ROW_ERRORS_MAX || rows.num_rows() == 0 {
        return;
    }
    let mut row = shown(rows);
    let mut end = ROW_TEXT_MAX.min(row.len());
    while !row.is_char_boundary(end) {
        end -= 1;
    }
    row.truncate(end);
    errors.push(RowError { expression: expression.to_string(), reason: error.strip_backtrace(), row });
}
