//! A batch as rows: of the bytes of an Arrow IPC stream that holds a schema and one record batch.
//!
//! The messages are taken apart here and checked before Arrow's decoder gets them, because the decoder trusts the numbers in them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, PrimitiveArray, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::{Endianness, Message, MessageHeader, Precision, TimeUnit as WireUnit, Type};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::{ENCODING, exact};
use crate::Value;

/// Why a batch can't be taken.
type Result<T> = std::result::Result<T, String>;

/// The rows of a body, of which there must be so many. An empty body is rows without columns.
pub fn rows(body: Vec<u8>, count: usize) -> Result<Vec<Vec<Value>>> {
    if body.is_empty() {
        return Ok(vec![Vec::new(); count]);
    }
    let batch = decode(&Buffer::from_vec(body))?;
    if batch.num_rows() != count {
        return Err(format!("a batch of {} rows where the header says {count}", batch.num_rows()));
    }
    let mut rows: Vec<Vec<Value>> = (0..count).map(|_| Vec::with_capacity(batch.num_columns())).collect();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        push_column(field, column, &mut rows).map_err(|reason| format!("column {:?}: {reason}", field.name()))?;
    }
    Ok(rows)
}

/// A message of a stream, and where its body is.
struct Encapsulated<'a> {
    message: Message<'a>,
    body: Buffer,
}

/// Takes the next message off the stream.
fn next_message<'a>(stream: &'a Buffer, at: &mut usize) -> Result<Encapsulated<'a>> {
    const CONTINUATION: [u8; 4] = [0xff; 4];
    let cut = || format!("the Arrow stream of {} bytes is cut off", stream.len());
    let rest = stream.get(*at..).ok_or_else(cut)?;
    let (marker, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    if *marker != CONTINUATION {
        return Err("the body is no Arrow IPC stream".into());
    }
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 {
        return Err("the Arrow stream ends without a record batch".into());
    }
    let metadata = rest.get(..length).ok_or_else(cut)?;
    let message = arrow_ipc::root_as_message(metadata).map_err(|error| format!("not Arrow metadata: {error}"))?;
    let body_at = *at + 8 + length;
    let body_length = usize::try_from(message.bodyLength()).ok().filter(|length| *length <= stream.len() - body_at);
    let body_length = body_length.ok_or_else(cut)?;
    *at = body_at + body_length;
    Ok(Encapsulated { message, body: stream.slice_with_length(body_at, body_length) })
}

fn decode(stream: &Buffer) -> Result<RecordBatch> {
    let mut at = 0;
    let first = next_message(stream, &mut at)?;
    let schema = first.message.header_as_schema().ok_or("the Arrow stream does not begin with a schema")?;
    if schema.endianness() != Endianness::Little {
        return Err("the batch is not little endian".into());
    }
    let fields: Result<Vec<Field>> = schema.fields().into_iter().flatten().map(field).collect();
    let schema = Arc::new(Schema::new(fields?));
    let second = next_message(stream, &mut at)?;
    if second.message.header_type() == MessageHeader::DictionaryBatch {
        return Err("the batch has a dictionary: cast its column to plain values".into());
    }
    let batch = second.message.header_as_record_batch().ok_or("there is no record batch behind the schema")?;
    check(&batch, second.body.len())?;
    let version = second.message.version();
    arrow_ipc::reader::read_record_batch(&second.body, batch, schema, &HashMap::new(), None, &version)
        .map_err(|error| format!("not a batch of its schema: {error}"))
}

/// The numbers that Arrow's decoder takes as they are.
fn check(batch: &arrow_ipc::RecordBatch<'_>, body_bytes: usize) -> Result<()> {
    let rows = |length: i64| usize::try_from(length).is_ok_and(|length| length <= super::ROWS_MAX);
    if batch.compression().is_some() {
        return Err("the batch is compressed".into());
    }
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err("the batch has views".into());
    }
    if !rows(batch.length()) || batch.nodes().into_iter().flatten().any(|node| node.length() != batch.length()) {
        return Err(format!(
            "a batch of {} rows, of at most {}, or columns of other lengths",
            batch.length(),
            super::ROWS_MAX
        ));
    }
    let lies_within = |offset: i64, length: i64| {
        let end = offset.checked_add(length).and_then(|end| usize::try_from(end).ok());
        offset >= 0 && length >= 0 && end.is_some_and(|end| end <= body_bytes)
    };
    if batch.buffers().into_iter().flatten().any(|buffer| !lies_within(buffer.offset(), buffer.length())) {
        return Err("a buffer of the batch lies outside its body".into());
    }
    Ok(())
}

/// A field of a type that is taken.
fn field(wire: arrow_ipc::Field<'_>) -> Result<Field> {
    let name = wire.name().unwrap_or_default();
    let refused = || {
        let name = wire.type_type().variant_name().unwrap_or("unknown");
        format!("its type, {name}, isn't one that is taken; cast it to another")
    };
    let data_type = match wire.dictionary() {
        None => data_type(&wire).ok_or_else(refused),
        Some(_) => Err("it has a dictionary: cast it to plain values".into()),
    };
    let data_type = data_type.map_err(|reason| format!("column {name:?}: {reason}"))?;
    let metadata = wire.custom_metadata().into_iter().flatten();
    let metadata = metadata.filter_map(|entry| Some((entry.key()?.to_owned(), entry.value()?.to_owned()))).collect();
    Ok(Field::new(name, data_type, true).with_metadata(metadata))
}

fn data_type(field: &arrow_ipc::Field<'_>) -> Option<DataType> {
    Some(match field.type_type() {
        Type::Null => DataType::Null,
        Type::Bool => DataType::Boolean,
        Type::Utf8 => DataType::Utf8,
        Type::LargeUtf8 => DataType::LargeUtf8,
        Type::Binary => DataType::Binary,
        Type::LargeBinary => DataType::LargeBinary,
        Type::Int => {
            let int = field.type_as_int()?;
            match (int.bitWidth(), int.is_signed()) {
                (8, true) => DataType::Int8,
                (16, true) => DataType::Int16,
                (32, true) => DataType::Int32,
                (64, true) => DataType::Int64,
                (8, false) => DataType::UInt8,
                (16, false) => DataType::UInt16,
                (32, false) => DataType::UInt32,
                (64, false) => DataType::UInt64,
                _ => return None,
            }
        }
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::SINGLE => DataType::Float32,
            Precision::DOUBLE => DataType::Float64,
            _ => return None,
        },
        Type::Timestamp => {
            let unit = match field.type_as_timestamp()?.unit() {
                WireUnit::SECOND => TimeUnit::Second,
                WireUnit::MILLISECOND => TimeUnit::Millisecond,
                WireUnit::MICROSECOND => TimeUnit::Microsecond,
                WireUnit::NANOSECOND => TimeUnit::Nanosecond,
                _ => return None,
            };
            // A point in time is the same in every zone.
            DataType::Timestamp(unit, None)
        }
        _ => return None,
    })
}

/// Appends a column's values to the rows.
fn push_column(field: &Field, column: &ArrayRef, rows: &mut [Vec<Value>]) -> Result<()> {
    let (key, encoding) = ENCODING;
    let is_exact = match field.metadata().get(key) {
        Some(given) if given == encoding => true,
        Some(given) => return Err(format!("its encoding {given:?} is unknown")),
        None => false,
    };
    match column.data_type() {
        DataType::Utf8 if is_exact => return push(column.as_string::<i32>(), rows, exact::parse),
        DataType::LargeUtf8 if is_exact => return push(column.as_string::<i64>(), rows, exact::parse),
        DataType::Null => rows.iter_mut().for_each(|row| row.push(Value::Null)),
        other if is_exact => return Err(format!("it is marked as {encoding}, but its type is {other}")),
        DataType::Boolean => push(column.as_boolean(), rows, |value| Ok(Value::Bool(value)))?,
        DataType::Int8 => push_integers(column.as_primitive::<Int8Type>(), rows)?,
        DataType::Int16 => push_integers(column.as_primitive::<Int16Type>(), rows)?,
        DataType::Int32 => push_integers(column.as_primitive::<Int32Type>(), rows)?,
        DataType::Int64 => push_integers(column.as_primitive::<Int64Type>(), rows)?,
        DataType::UInt8 => push_integers(column.as_primitive::<UInt8Type>(), rows)?,
        DataType::UInt16 => push_integers(column.as_primitive::<UInt16Type>(), rows)?,
        DataType::UInt32 => push_integers(column.as_primitive::<UInt32Type>(), rows)?,
        DataType::UInt64 => push_integers(column.as_primitive::<UInt64Type>(), rows)?,
        DataType::Float32 => push(column.as_primitive::<Float32Type>(), rows, |value| Ok(Value::Float(value.into())))?,
        DataType::Float64 => push(column.as_primitive::<Float64Type>(), rows, |value| Ok(Value::Float(value)))?,
        DataType::Utf8 => push(column.as_string::<i32>(), rows, |text| Ok(Value::from(text)))?,
        DataType::LargeUtf8 => push(column.as_string::<i64>(), rows, |text| Ok(Value::from(text)))?,
        DataType::Binary => push(column.as_binary::<i32>(), rows, |bytes| Ok(Value::from(bytes)))?,
        DataType::LargeBinary => push(column.as_binary::<i64>(), rows, |bytes| Ok(Value::from(bytes)))?,
        DataType::Timestamp(TimeUnit::Second, _) => {
            push(column.as_primitive::<TimestampSecondType>(), rows, |time| timestamp(time, 1_000_000))?;
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            push(column.as_primitive::<TimestampMillisecondType>(), rows, |time| timestamp(time, 1000))?;
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            push(column.as_primitive::<TimestampMicrosecondType>(), rows, |time| timestamp(time, 1))?;
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            push(column.as_primitive::<TimestampNanosecondType>(), rows, |time| {
                Ok(Value::Timestamp(time.div_euclid(1000)))
            })?;
        }
        other => return Err(format!("its type, {other}, isn't one that is taken")),
    }
    Ok(())
}

fn push<A: ArrayAccessor>(column: A, rows: &mut [Vec<Value>], of: impl Fn(A::Item) -> Result<Value>) -> Result<()> {
    for (place, row) in rows.iter_mut().enumerate() {
        row.push(if column.is_null(place) { Value::Null } else { of(column.value(place))? });
    }
    Ok(())
}

fn push_integers<T: ArrowPrimitiveType<Native: TryInto<i64> + Copy + std::fmt::Display>>(
    column: &PrimitiveArray<T>,
    rows: &mut [Vec<Value>],
) -> Result<()> {
    push(column, rows, |value| {
        value.try_into().map(Value::Int).map_err(|_| format!("{value} is more than 63 bits hold"))
    })
}

fn timestamp(time: i64, micros: i64) -> Result<Value> {
    let time = time.checked_mul(micros).ok_or_else(|| format!("the time {time} is outside the range of microseconds"));
    time.map(Value::Timestamp)
}
