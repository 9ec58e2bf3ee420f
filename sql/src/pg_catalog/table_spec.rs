//! `TableSpec`: a catalog table's columns as text, `"oid:oid relname:name relpages:int4=0"`, and rows by column name.
//!
//! Catalog tables have dozens of columns of which a few mean something to us; the rest are defaults, kept beside their
//! names. A column without a default is NULL where a row doesn't give it.

use std::sync::Arc;

use arrow::array::Int16Builder;
use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int32Array, Int32Builder, Int64Array, ListBuilder, RecordBatch,
    RecordBatchOptions, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Result, internal_err};

use crate::pg_type::named_field;

/// A value of a catalog table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Ints(Vec<i64>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Int(i64::from(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(i64::from(value))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// One row: values by column name.
pub(super) type Row = Vec<(&'static str, Value)>;

/// The columns of a table.
#[derive(Debug, Clone)]
pub(super) struct TableSpec {
    schema: SchemaRef,
    defaults: Vec<Value>,
}

impl TableSpec {
    /// Reads the columns.
    pub(super) fn parse(columns: &str) -> TableSpec {
        let mut fields = Vec::new();
        let mut defaults = Vec::new();
        for column in columns.split_whitespace() {
            let (column, default) = match column.split_once('=') {
                Some((column, default)) => (column, Some(default)),
                None => (column, None),
            };
            let (name, type_name) = column.split_once(':').unwrap_or((column, "text"));
            let field = field_of(name, type_name);
            defaults.push(default.map_or(Value::Null, |default| default_value(default, field.data_type())));
            fields.push(field);
        }
        TableSpec { schema: Arc::new(Schema::new(fields)), defaults }
    }

    /// The columns as Arrow has them.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The rows as a batch.
    pub(super) fn batch(&self, rows: &[Row]) -> Result<RecordBatch> {
        let fields = self.schema.fields();
        let mut columns: Vec<Vec<Value>> =
            self.defaults.iter().map(|default| vec![default.clone(); rows.len()]).collect();
        for (n, row) in rows.iter().enumerate() {
            for (name, value) in row {
                match fields.iter().position(|field| field.name() == name) {
                    Some(column) => columns[column][n] = value.clone(),
                    None => return internal_err!("a catalog table has no column {name}"),
                }
            }
        }
        let arrays: Vec<ArrayRef> = columns
            .iter()
            .zip(fields)
            .map(|(values, field)| array_of(values, field.data_type()))
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.schema(), arrays, &options)?)
    }
}

/// Names ending in `[]` are arrays.
fn field_of(name: &str, type_name: &str) -> Field {
    match type_name.strip_suffix("[]") {
        Some(element) => {
            let element = named_field("item", element);
            Field::new(name, DataType::List(Arc::new(element)), true)
        }
        None => named_field(name, type_name),
    }
}

fn default_value(text: &str, data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => Value::Bool(text == "t"),
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Float32 => {
            text.parse().map_or(Value::Null, Value::Int)
        }
        DataType::List(_) => Value::Ints(Vec::new()),
        _ => Value::Text(text.trim_matches('\'').to_owned()),
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) => Some(*value),
        _ => None,
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn array_of(values: &[Value], data_type: &DataType) -> Result<ArrayRef> {
    let array: ArrayRef = match data_type {
        DataType::Boolean => {
            let bools = values.iter().map(|value| if let Value::Bool(value) = value { Some(*value) } else { None });
            Arc::new(bools.collect::<BooleanArray>())
        }
        DataType::Int16 => Arc::new(
            values.iter().map(|value| int(value).and_then(|value| i16::try_from(value).ok())).collect::<Int16Array>(),
        ),
        DataType::Int32 => Arc::new(
            values.iter().map(|value| int(value).and_then(|value| i32::try_from(value).ok())).collect::<Int32Array>(),
        ),
        DataType::Int64 => Arc::new(values.iter().map(int).collect::<Int64Array>()),
        DataType::Float32 => {
            Arc::new(values.iter().map(|value| int(value).map(|value| value as f32)).collect::<Float32Array>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let times: TimestampMicrosecondArray = values.iter().map(int).collect();
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::Utf8 => Arc::new(values.iter().map(text).collect::<StringArray>()),
        DataType::List(element) => list_of(values, element)?,
        other => return internal_err!("a catalog table can't have a column of type {other}"),
    };
    Ok(array)
}

fn list_of(values: &[Value], element: &Arc<Field>) -> Result<ArrayRef> {
    let array: ArrayRef = match element.data_type() {
        DataType::Int16 => {
            let mut builder = ListBuilder::new(Int16Builder::new()).with_field(Arc::clone(element));
            for value in values {
                if let Value::Ints(ints) = value {
                    ints.iter().for_each(|value| builder.values().append_value(*value as i16));
                }
                builder.append(matches!(value, Value::Ints(_)));
            }
            Arc::new(builder.finish())
        }
        DataType::Int32 => {
            let mut builder = ListBuilder::new(Int32Builder::new()).with_field(Arc::clone(element));
            for value in values {
                if let Value::Ints(ints) = value {
                    ints.iter().for_each(|value| builder.values().append_value(*value as i32));
                }
                builder.append(matches!(value, Value::Ints(_)));
            }
            Arc::new(builder.finish())
        }
        DataType::Utf8 => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(element));
            for value in values {
                // No catalog table of ours has an array of texts that isn't empty or NULL.
                builder.append(matches!(value, Value::Ints(_)));
            }
            Arc::new(builder.finish())
        }
        other => return internal_err!("a catalog table can't have a column of {other}[]"),
    };
    Ok(array)
}
