//! The columns of files that nobody declared.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde_json::Value;

use super::columnar_reader::file_schema;
use super::source::FileOptions;
use super::text_file::open_failed;
use crate::format::{
    CsvField, CsvStyle, Format, Split, TextSplitter, guess_kind, object_entries, object_key, record_fields,
};
use crate::{Error, Options, Result};

/// How much of a text file is looked at.
const SAMPLE_BYTES: u64 = 1 << 20;
const SAMPLE_RECORDS: usize = 1_000;

/// The columns of a file source, learnt from its first file: from the file's own schema, or from its first 1000
/// records. All columns are nullable. Types a record has no word for (nested ones, mixtures) come as text.
pub fn infer_schema(options: &Options) -> Result<SchemaRef> {
    let FileOptions { mut listing, format, .. } = FileOptions::new(options)?;
    let Some(name) = listing.after(None)? else {
        return Err(Error::option("path", "there is no file to learn the columns from: declare them"));
    };
    let path = listing.path(&name);
    let columns = match &format {
        Format::Json => json_columns(&sample(&path, &format)?),
        Format::Csv(style) => csv_columns(&sample(&path, &format)?, style)?,
        Format::Parquet | Format::Arrow => columnar_columns(file_schema(&path, &format)?.as_ref()),
    };
    if columns.is_empty() {
        return Err(Error::option(
            "path",
            format!("file {name} has no record to learn the columns from: declare them"),
        ));
    }
    let fields: Vec<Field> = columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// The first records of a text file.
fn sample(path: &Path, format: &Format) -> Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| open_failed(path, &error))?;
    let length = file.take(SAMPLE_BYTES).read_to_end(&mut bytes).map_err(|error| open_failed(path, &error))?;
    let at_end = (length as u64) < SAMPLE_BYTES;
    let splitter = TextSplitter::new(format);
    let mut records = Vec::new();
    let mut at = 0;
    while records.len() < SAMPLE_RECORDS {
        match splitter.next(&bytes[at..], at_end) {
            Split::Record { text_end, next } => {
                records.push(bytes[at..at + text_end].to_vec());
                at += next;
            }
            Split::Bad { next, .. } => at += next,
            Split::Endless | Split::Incomplete => break,
        }
    }
    Ok(records)
}

/// What the values of a JSON key have in common.
#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Unknown,
    Boolean,
    Integer,
    Float,
    Text,
    List(Box<Shape>),
    /// Objects, lists of lists, and mixtures: kept as text.
    Other,
}

impl Shape {
    fn of(value: &Value) -> Shape {
        match value {
            Value::Null => Shape::Unknown,
            Value::Bool(_) => Shape::Boolean,
            Value::Number(number) if number.is_i64() => Shape::Integer,
            Value::Number(_) => Shape::Float,
            Value::String(_) => Shape::Text,
            Value::Array(items) => {
                let item = items.iter().map(Shape::of).fold(Shape::Unknown, Shape::with);
                match item {
                    Shape::List(_) | Shape::Other => Shape::Other,
                    item => Shape::List(Box::new(item)),
                }
            }
            Value::Object(_) => Shape::Other,
        }
    }

    fn with(self, other: Shape) -> Shape {
        match (self, other) {
            (Shape::Unknown, shape) | (shape, Shape::Unknown) => shape,
            (Shape::Integer, Shape::Float) | (Shape::Float, Shape::Integer) => Shape::Float,
            (Shape::List(left), Shape::List(right)) => match left.with(*right) {
                Shape::Other => Shape::Other,
                item => Shape::List(Box::new(item)),
            },
            (left, right) if left == right => left,
            _ => Shape::Other,
        }
    }

    fn kind(&self) -> DataType {
        match self {
            Shape::Boolean => DataType::Boolean,
            Shape::Integer => DataType::Int64,
            Shape::Float => DataType::Float64,
            Shape::List(item) => DataType::new_list(item.kind(), true),
            Shape::Unknown | Shape::Text | Shape::Other => DataType::Utf8,
        }
    }
}

/// The keys in the order in which they first appear.
fn json_columns(records: &[Vec<u8>]) -> Vec<(String, DataType)> {
    let mut order: Vec<String> = Vec::new();
    let mut shapes: HashMap<String, (Shape, Vec<String>)> = HashMap::new();
    for record in records {
        for entry in object_entries(record).unwrap_or_default() {
            let (Some(key), Ok(value)) =
                (object_key(record, &entry), serde_json::from_slice::<Value>(&record[entry.value.clone()]))
            else {
                continue;
            };
            let (shape, texts) = shapes.entry(key.to_string()).or_insert_with(|| {
                order.push(key.to_string());
                (Shape::Unknown, Vec::new())
            });
            *shape = std::mem::replace(shape, Shape::Unknown).with(Shape::of(&value));
            if let Value::String(text) = value {
                texts.push(text);
            }
        }
    }
    let kind = |name: &String| match &shapes[name] {
        (Shape::Text, texts) => text_kind(texts),
        (shape, _) => shape.kind(),
    };
    order.iter().map(|name| (name.clone(), kind(name))).collect()
}

/// JSON has no type for times; a number within quotes is meant to be a text.
fn text_kind(texts: &[String]) -> DataType {
    match guess_kind(&StringArray::from_iter_values(texts)) {
        kind @ (DataType::Date32 | DataType::Timestamp(..)) => kind,
        _ => DataType::Utf8,
    }
}

fn csv_columns(records: &[Vec<u8>], style: &CsvStyle) -> Result<Vec<(String, DataType)>> {
    let mut rows: Vec<Vec<CsvField>> = Vec::new();
    for record in records {
        let mut fields = Vec::new();
        let record = record.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(record);
        if record_fields(record, style.delimiter, &mut fields).is_ok() && !record.is_empty() {
            rows.push(fields);
        }
    }
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let names: Vec<String> = match style.header {
        true => first.iter().map(|field| field.text.trim().to_string()).collect(),
        false => (1..=first.len()).map(|number| format!("column_{number}")).collect(),
    };
    if let Some(index) = names.iter().position(String::is_empty) {
        return Err(Error::option("header", format!("column {} has no name in the header", index + 1)));
    }
    let values = &rows[usize::from(style.header)..];
    let kind = |column: usize| {
        let texts = values.iter().filter(|fields| fields.len() == names.len()).map(|fields| {
            let field = &fields[column];
            (field.quoted || field.text != style.null.as_str()).then(|| field.text.trim())
        });
        guess_kind(&StringArray::from_iter(texts))
    };
    Ok(names.iter().enumerate().map(|(column, name)| (name.clone(), kind(column))).collect())
}

/// The file's own columns, with the nearest types that SQL has.
fn columnar_columns(schema: &Schema) -> Vec<(String, DataType)> {
    schema.fields().iter().map(|field| (field.name().clone(), sql_kind(field.data_type()))).collect()
}

fn sql_kind(kind: &DataType) -> DataType {
    match kind {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Dictionary(_, value) => sql_kind(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::new_list(sql_kind(item.data_type()), true)
        }
        other => other.clone(),
    }
}
