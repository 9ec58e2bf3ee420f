//! Writers of the binary format. What a client expects is decided by the announced oid; how to read it, by the Arrow type.

use arrow::array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use bytes::{BufMut, BytesMut};
use monsoon_sql::SqlError;

use super::super::backend::WireType;
use super::super::oid;
use super::text::{byte_strings, infallible, intervals, micros, primitive, strings};
use super::{CellWriter, Result, array, datetime, number, plain, text, unsupported, write_sized};

/// A writer of the binary format.
pub(super) fn writer(array: &ArrayRef, wire_type: &WireType) -> Result<CellWriter> {
    let array = &plain(array)?;
    if matches!(wire_type.oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::JSON) {
        // The binary format of these types is their text.
        return text::writer(array, wire_type);
    }
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, _| Ok(())),
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            infallible(move |row, out| out.put_u8(u8::from(array.value(row))))
        }
        DataType::Int8 => integer::<Int8Type>(array, wire_type),
        DataType::Int16 => integer::<Int16Type>(array, wire_type),
        DataType::Int32 if wire_type.oid == oid::INT4 => primitive::<Int32Type>(array, |value, out| out.put_i32(value)),
        DataType::Int32 => integer::<Int32Type>(array, wire_type),
        DataType::Int64 if wire_type.oid == oid::INT8 => primitive::<Int64Type>(array, |value, out| out.put_i64(value)),
        DataType::Int64 => integer::<Int64Type>(array, wire_type),
        DataType::UInt8 => integer::<UInt8Type>(array, wire_type),
        DataType::UInt16 => integer::<UInt16Type>(array, wire_type),
        DataType::UInt32 => integer::<UInt32Type>(array, wire_type),
        DataType::UInt64 => integer::<UInt64Type>(array, wire_type),
        DataType::Float16 => float::<Float16Type>(array, wire_type, |value| value.to_f64()),
        DataType::Float32 => float::<Float32Type>(array, wire_type, f64::from),
        DataType::Float64 => float::<Float64Type>(array, wire_type, |value| value),
        DataType::Decimal32(_, scale) => numeric::<Decimal32Type>(array, *scale),
        DataType::Decimal64(_, scale) => numeric::<Decimal64Type>(array, *scale),
        DataType::Decimal128(_, scale) => numeric::<Decimal128Type>(array, *scale),
        DataType::Decimal256(_, scale) => numeric::<Decimal256Type>(array, *scale),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => string(array, wire_type),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            let read = byte_strings(array);
            infallible(move |row, out| read(row, &mut |value| out.put_slice(value)))
        }
        DataType::Date32 => primitive::<Date32Type>(array, |days, out| {
            out.put_i32(days.saturating_sub(datetime::POSTGRES_EPOCH_DAYS as i32));
        }),
        DataType::Date64 => primitive::<Date64Type>(array, |millis, out| {
            let days = millis.div_euclid(86_400_000) - datetime::POSTGRES_EPOCH_DAYS;
            out.put_i32(i32::try_from(days).unwrap_or(i32::MAX));
        }),
        DataType::Time32(_) | DataType::Time64(_) => {
            let micros = micros(array)?;
            Box::new(move |row, out| {
                out.put_i64(micros(row)?);
                Ok(())
            })
        }
        DataType::Timestamp(_, _) => timestamp(array)?,
        DataType::Interval(_) | DataType::Duration(_) => {
            let interval = intervals(array)?;
            Box::new(move |row, out| {
                datetime::write_interval_binary(interval(row)?, out);
                Ok(())
            })
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
            array::binary_writer(array, wire_type)?
        }
        other => return Err(unsupported(other)),
    })
}

fn integer<T: ArrowPrimitiveType>(array: &ArrayRef, wire_type: &WireType) -> CellWriter
where
    T::Native: Into<i128>,
{
    let array = array.as_primitive::<T>().clone();
    let oid = wire_type.oid;
    Box::new(move |row, out| write_integer(array.value(row).into(), oid, out))
}

/// Writes an integer with the width of its announced type.
fn write_integer(value: i128, oid: u32, out: &mut BytesMut) -> Result<()> {
    let too_large = |_| SqlError::new("22003", format!("{value} is out of range for the type with oid {oid}"));
    match oid {
        oid::BOOL => out.put_u8(u8::from(value != 0)),
        oid::INT2 => out.put_i16(i16::try_from(value).map_err(too_large)?),
        oid::INT4 => out.put_i32(i32::try_from(value).map_err(too_large)?),
        oid::NUMERIC => number::write_numeric_binary(&value.to_string(), 0, out),
        oid if oid::is_object_number(oid) => {
            // A signed column holds the same four bytes.
            let number = u32::try_from(value).or_else(|_| i32::try_from(value).map(i32::cast_unsigned));
            out.put_u32(number.map_err(too_large)?);
        }
        _ => out.put_i64(i64::try_from(value).map_err(too_large)?),
    }
    Ok(())
}

fn float<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    wire_type: &WireType,
    widen: impl Fn(T::Native) -> f64 + Send + Sync + 'static,
) -> CellWriter {
    let is_float4 = wire_type.oid == oid::FLOAT4;
    primitive::<T>(array, move |value, out| {
        let value = widen(value);
        if is_float4 { out.put_f32(value as f32) } else { out.put_f64(value) }
    })
}

fn numeric<T: ArrowPrimitiveType>(array: &ArrayRef, scale: i8) -> CellWriter
where
    T::Native: std::fmt::Display,
{
    primitive::<T>(array, move |value, out| number::write_numeric_binary(&value.to_string(), scale, out))
}

fn timestamp(array: &ArrayRef) -> Result<CellWriter> {
    let micros = micros(array)?;
    Ok(Box::new(move |row, out| {
        let value = micros(row)?.checked_sub(datetime::POSTGRES_EPOCH_MICROS);
        out.put_i64(value.ok_or_else(|| SqlError::new("22008", "timestamp out of range"))?);
        Ok(())
    }))
}

/// Types that are kept as strings and announced as something else.
fn string(array: &ArrayRef, wire_type: &WireType) -> CellWriter {
    let oid = wire_type.oid;
    let write: fn(&str, &mut BytesMut) -> Result<()> = match oid {
        oid::UUID => write_uuid,
        oid::JSONB => write_jsonb,
        oid::INT2VECTOR => |value, out| write_vector(value, oid::INT2, out),
        oid::OIDVECTOR => |value, out| write_vector(value, oid::OID, out),
        oid if oid::is_object_number(oid) => write_object_number,
        _ => return text::string(array),
    };
    let read = strings(array);
    Box::new(move |row, out| {
        let mut result = Ok(());
        read(row, &mut |value| result = write(value, out));
        result
    })
}

fn write_uuid(value: &str, out: &mut BytesMut) -> Result<()> {
    let uuid = uuid::Uuid::try_parse(value).map_err(|_| {
        SqlError::new("22P02", format!("invalid input syntax for type uuid: \"{}\"", value.escape_debug()))
    })?;
    out.put_slice(uuid.as_bytes());
    Ok(())
}

fn write_jsonb(value: &str, out: &mut BytesMut) -> Result<()> {
    out.put_u8(1); // the format's version
    out.put_slice(value.as_bytes());
    Ok(())
}

fn write_object_number(value: &str, out: &mut BytesMut) -> Result<()> {
    let number = value
        .parse::<u32>()
        .map_err(|_| SqlError::unsupported(format!("\"{}\" has no binary form; ask for text", value.escape_debug())))?;
    out.put_u32(number);
    Ok(())
}

/// `1 2 3` as a one-dimensional array that starts at 0.
fn write_vector(value: &str, element: u32, out: &mut BytesMut) -> Result<()> {
    let numbers: Vec<i128> = value
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| SqlError::internal(format!("\"{}\" is no vector of numbers", value.escape_debug())))?;
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(element);
    out.put_u32(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
    out.put_i32(0);
    numbers.into_iter().try_for_each(|number| write_sized(out, |out| write_integer(number, element, out)))
}
