//! Values to the columns they are stored in: casts as Postgres's assignment does them, defaults, NOT NULL.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::common::DataFusionError;

use crate::catalog::Relation;
use crate::database::{Planner, Text};
use crate::diagnostic::from_datafusion;
use crate::error::{Result, SqlError};
use crate::parser::parse_expression;
use crate::pg_text::{TextColumn, read_column, value_text};
use crate::pg_type::{TYPE_KEY, sql_name};

/// Longest value shown of a row that is refused.
const SHOWN_CHARS_MAX: usize = 64;

/// Casts a column to the type of the column it is stored in.
pub(crate) fn assign(array: &ArrayRef, source: &Field, target: &Field) -> Result<ArrayRef> {
    let to = target.data_type();
    let is_plain = !target.metadata().contains_key(TYPE_KEY);
    match array.data_type() {
        DataType::Null => Ok(new_null_array(to, array.len())),
        from if is_text(from) && is_plain && to == &DataType::Utf8 => arrow_cast(array, to),
        from if is_text(from) => {
            let texts = arrow_cast(array, &DataType::Utf8)?;
            read_column(texts.as_string::<i32>(), target).map_err(|bad| bad.error)
        }
        from if to == &DataType::Utf8 && from != to => {
            let texts = texts(array, source)?;
            if is_plain { Ok(Arc::new(texts)) } else { read_column(&texts, target).map_err(|bad| bad.error) }
        }
        from if from == to => Ok(Arc::clone(array)),
        from if is_assignable(from, to) => arrow_cast(&rounded(array, to)?, to),
        _ => {
            let (column, wanted, given) = (target.name(), sql_name(target), sql_name(source));
            let message = format!("column \"{column}\" is of type {wanted} but expression is of type {given}");
            Err(SqlError::new("42804", message).with_hint("you will need to rewrite or cast the expression"))
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_assignable(from: &DataType, to: &DataType) -> bool {
    let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..));
    let is_number = |data_type: &DataType| data_type.is_numeric() || is_decimal(data_type);
    let is_time = |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(..));
    let is_clock = |data_type: &DataType| matches!(data_type, DataType::Time64(_) | DataType::Time32(_));
    let is_span = |data_type: &DataType| matches!(data_type, DataType::Interval(_) | DataType::Duration(_));
    let is_bytes =
        |data_type: &DataType| matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView);
    let is_list = |data_type: &DataType| {
        matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
    };
    (is_number(from) && is_number(to))
        || (is_time(from) && is_time(to))
        || (is_time(from) && is_clock(to))
        || (is_clock(from) && is_clock(to))
        || (is_span(from) && is_span(to))
        || (is_bytes(from) && is_bytes(to))
        || (is_list(from) && is_list(to))
}

/// Postgres rounds where Arrow cuts off.
fn rounded(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if !to.is_integer() {
        return Ok(Arc::clone(array));
    }
    match array.data_type() {
        DataType::Float64 | DataType::Float32 => {
            let floats = arrow_cast(array, &DataType::Float64)?;
            let rounded: Float64Array = floats.as_primitive::<Float64Type>().unary(f64::round_ties_even);
            Ok(Arc::new(rounded))
        }
        DataType::Decimal128(precision, _) => arrow_cast(array, &DataType::Decimal128(*precision, 0)),
        DataType::Decimal256(precision, _) => arrow_cast(array, &DataType::Decimal256(*precision, 0)),
        _ => Ok(Arc::clone(array)),
    }
}

fn arrow_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options)
        .map_err(|error| from_datafusion(DataFusionError::ArrowError(Box::new(error), None), "", 0))
}

/// A column as Postgres shows it.
fn texts(array: &ArrayRef, field: &Field) -> Result<StringArray> {
    let column = TextColumn::new(array, field).map_err(|error| SqlError::internal(error.to_string()))?;
    let text = |row: usize| {
        (!column.is_null(row)).then(|| {
            let mut out = Vec::new();
            column.write(row, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        })
    };
    Ok((0..array.len()).map(text).collect())
}

/// Rows of a relation from the columns at `places`; the others get their defaults.
pub(super) fn assemble(
    relation: &Relation,
    places: &[usize],
    given: Vec<ArrayRef>,
    rows: usize,
    planner: impl FnOnce() -> Result<Planner>,
) -> Result<RecordBatch> {
    let mut columns: Vec<Option<ArrayRef>> = vec![None; relation.schema.fields().len()];
    for (place, array) in places.iter().zip(given) {
        columns[*place] = Some(array);
    }
    let needs_default =
        |(place, column): (usize, &Option<ArrayRef>)| column.is_none() && relation.defaults[place].is_some();
    if columns.iter().enumerate().any(needs_default) {
        let planner = planner()?;
        for (place, column) in columns.iter_mut().enumerate().filter(|(_, column)| column.is_none()) {
            if let Some(sql) = &relation.defaults[place] {
                *column = Some(default_value(&planner, relation.schema.field(place), sql, rows)?);
            }
        }
    }
    let whole = columns.into_iter().zip(relation.schema.fields());
    let whole =
        whole.map(|(column, field)| column.unwrap_or_else(|| new_null_array(field.data_type(), rows))).collect();
    checked_batch(relation, whole, rows)
}

fn default_value(planner: &Planner, field: &Field, sql: &str, rows: usize) -> Result<ArrayRef> {
    let text = Text { sql, offset: 0 };
    let value = planner.constant(&parse_expression(sql)?, text)?;
    let array = value.to_array_of_size(rows).map_err(|error| text.error(error))?;
    assign(&array, &Field::new(field.name(), array.data_type().clone(), true), field)
}

/// The columns as rows of a relation; 23502 where a NULL stands in a column that has none.
pub(super) fn checked_batch(relation: &Relation, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    for (array, field) in columns.iter().zip(relation.schema.fields()) {
        if !field.is_nullable() && array.null_count() > 0 {
            let row = (0..array.len()).find(|row| array.is_null(*row)).unwrap_or(0);
            let (column, table) = (field.name(), &relation.name);
            let message =
                format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
            let detail = format!("failing row contains ({})", shown_row(&columns, &relation.schema, row));
            return Err(SqlError::new("23502", message).with_detail(detail));
        }
    }
    // A literal's list or struct may differ from the declared type in its fields' names only.
    let fitted =
        columns.into_iter().zip(relation.schema.fields()).map(|(array, field)| cast(&array, field.data_type()));
    let fitted =
        fitted.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| SqlError::internal(error.to_string()))?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&relation.schema), fitted, &options)
        .map_err(|error| SqlError::internal(error.to_string()))
}

fn shown_row(columns: &[ArrayRef], schema: &Schema, row: usize) -> String {
    let value = |(array, field): (&ArrayRef, &Arc<Field>)| match value_text(array, field, row) {
        Ok(Some(text)) => text.chars().take(SHOWN_CHARS_MAX).collect(),
        _ => "null".to_owned(),
    };
    columns.iter().zip(schema.fields()).map(value).collect::<Vec<String>>().join(", ")
}
