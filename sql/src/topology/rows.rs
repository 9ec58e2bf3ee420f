//! Rows of relations as values of tuples, and values of tuples as columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType};
use monsoon_topology::{SmolStr, Value, multilang};

use super::from_json;
use crate::error::{Result, SqlError};
use crate::pg_text::TextColumn;
use crate::pg_type::TYPE_KEY;

/// The values of some rows, row by row: integers, doubles, booleans, timestamps and bytes as they are, and everything else as Postgres's text.
pub(crate) fn values(rows: &RecordBatch) -> Result<Vec<Value>> {
    let (width, height) = (rows.num_columns(), rows.num_rows());
    let mut values = vec![Value::Null; width * height];
    for (place, (array, field)) in rows.columns().iter().zip(rows.schema().fields()).enumerate() {
        let into = values[place.min(width * height)..].iter_mut().step_by(width.max(1));
        fill(array, field, into).map_err(|error| SqlError::internal(error.to_string()))?;
    }
    Ok(values)
}

fn fill<'a>(
    array: &ArrayRef,
    field: &Field,
    into: impl Iterator<Item = &'a mut Value>,
) -> std::result::Result<(), arrow::error::ArrowError> {
    let present = |row: usize| array.is_valid(row);
    let plain = !field.metadata().contains_key(TYPE_KEY);
    let into = into.enumerate().filter(|(row, _)| present(*row));
    match array.data_type() {
        DataType::Null => {}
        DataType::Boolean => {
            let array = array.as_boolean();
            into.for_each(|(row, value)| *value = Value::Bool(array.value(row)));
        }
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
            if plain =>
        {
            let array = cast(array, &DataType::Int64)?;
            let array = array.as_primitive::<Int64Type>();
            into.for_each(|(row, value)| *value = Value::Int(array.value(row)));
        }
        DataType::Float32 | DataType::Float64 => {
            let array = cast(array, &DataType::Float64)?;
            let array = array.as_primitive::<Float64Type>();
            into.for_each(|(row, value)| *value = Value::Float(array.value(row)));
        }
        DataType::Timestamp(..) => {
            let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let array = array.as_primitive::<TimestampMicrosecondType>();
            into.for_each(|(row, value)| *value = Value::Timestamp(array.value(row)));
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            into.for_each(|(row, value)| *value = Value::Text(SmolStr::new(array.value(row))));
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            into.for_each(|(row, value)| *value = Value::from(array.value(row)));
        }
        _ => {
            let texts = TextColumn::new(array, field)?;
            let mut text = Vec::new();
            into.for_each(|(row, value)| {
                text.clear();
                texts.write(row, &mut text);
                *value = Value::Text(SmolStr::new(String::from_utf8_lossy(&text)));
            });
        }
    }
    Ok(())
}

/// A column of values and its type: that of the values if they have one in common, and text otherwise.
pub(crate) fn column<'a>(values: impl Iterator<Item = &'a Value> + Clone) -> (ArrayRef, Field) {
    let array: ArrayRef = match common_kind(values.clone()) {
        None => Arc::new(NullArray::new(values.count())),
        Some("boolean") => Arc::new(values.map(Value::as_bool).collect::<BooleanArray>()),
        Some("integer") => Arc::new(values.map(Value::as_int).collect::<Int64Array>()),
        Some("float") => Arc::new(values.map(Value::as_float).collect::<Float64Array>()),
        Some("timestamp") => Arc::new(values.map(as_timestamp).collect::<TimestampMicrosecondArray>()),
        Some("bytes") => Arc::new(values.map(Value::as_bytes).collect::<BinaryArray>()),
        Some("text") => Arc::new(values.map(Value::as_str).collect::<StringArray>()),
        Some(_) => Arc::new(values.map(as_text).collect::<StringArray>()),
    };
    let field = Field::new("value", array.data_type().clone(), true);
    (array, field)
}

/// The kind that all values but nulls have; integers among floats are floats. `None` if all are null.
fn common_kind<'a>(values: impl Iterator<Item = &'a Value>) -> Option<&'static str> {
    let mut common = None;
    for value in values.filter(|value| !value.is_null()) {
        common = Some(match (common, value.kind()) {
            (None, kind) => kind,
            (Some(before), kind) if before == kind => kind,
            (Some("integer" | "float"), "integer" | "float") => "float",
            _ => return Some("mixed"),
        });
    }
    common
}

fn as_timestamp(value: &Value) -> Option<i64> {
    match value {
        Value::Timestamp(micros) => Some(*micros),
        _ => None,
    }
}

/// A value as text; lists and maps as JSON.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::List(_) | Value::Map(_) => {
            let mut json = Vec::new();
            multilang::json::write(value, &mut json);
            Some(String::from_utf8_lossy(&json).into_owned())
        }
        Value::Bytes(bytes) => Some(bytes.iter().fold(String::from("\\x"), |text, byte| text + &format!("{byte:02x}"))),
        other => Some(other.to_string()),
    }
}

/// Tuples as rows of a schema: each value is cast as an assignment to a column casts it. `Err`: a column holds what can't be cast.
pub(crate) fn batch(schema: &Arc<Schema>, tuples: &[&[Value]]) -> Result<RecordBatch> {
    let column = |(place, field): (usize, &Arc<Field>)| {
        let values = tuples.iter().map(|values| values.get(place).unwrap_or(&Value::Null));
        let (array, source) = match from_json::reads(field) {
            Some(read) => column(
                values
                    .map(|value| read(value).unwrap_or(Cow::Borrowed(value)))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(Cow::as_ref),
            ),
            None => column(values),
        };
        crate::session::assign(&array, &source, field)
    };
    let columns: Vec<ArrayRef> = schema.fields().iter().enumerate().map(column).collect::<Result<_>>()?;
    of_columns(schema, columns, tuples.len())
}

/// Rows of one schema as rows of another with as many columns, each cast as an assignment casts it.
pub(crate) fn assigned(schema: &Arc<Schema>, rows: &RecordBatch) -> Result<RecordBatch> {
    let (sources, targets) = (rows.schema(), schema.fields());
    let columns = rows.columns().iter().zip(sources.fields()).zip(targets);
    let columns = columns.map(|((array, source), target)| crate::session::assign(array, source, target));
    of_columns(schema, columns.collect::<Result<_>>()?, rows.num_rows())
}

fn of_columns(schema: &Arc<Schema>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let lacking =
        columns.iter().zip(schema.fields()).find(|(array, field)| !field.is_nullable() && array.null_count() > 0);
    if let Some((_, field)) = lacking {
        let message = format!("null value in column \"{}\" violates not-null constraint", field.name());
        return Err(SqlError::new("23502", message));
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| SqlError::internal(error.to_string()))
}
