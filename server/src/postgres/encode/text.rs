//! Writers of the text format, by Arrow type.

use arrow::array::types::{
    ArrowPrimitiveType, ArrowTimestampType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use bytes::{BufMut, BytesMut};
use monsoon_sql::SqlError;

use super::super::backend::WireType;
use super::super::oid;
use super::datetime::{self, Interval};
use super::{CellWriter, Result, array, json, number, plain, unsupported};

/// A writer of the text format.
pub(super) fn writer(array: &ArrayRef, wire_type: &WireType) -> Result<CellWriter> {
    let array = &plain(array)?;
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, _| Ok(())),
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            infallible(move |row, out| out.put_u8(if array.value(row) { b't' } else { b'f' }))
        }
        DataType::Int8 => integer::<Int8Type>(array),
        DataType::Int16 => integer::<Int16Type>(array),
        DataType::Int32 => integer::<Int32Type>(array),
        DataType::Int64 => integer::<Int64Type>(array),
        DataType::UInt8 => integer::<UInt8Type>(array),
        DataType::UInt16 => integer::<UInt16Type>(array),
        DataType::UInt32 => integer::<UInt32Type>(array),
        DataType::UInt64 => display::<UInt64Type>(array, 0),
        DataType::Float16 => primitive::<Float16Type>(array, |value, out| number::write_float4(value.to_f32(), out)),
        DataType::Float32 => primitive::<Float32Type>(array, number::write_float4),
        DataType::Float64 => primitive::<Float64Type>(array, number::write_float8),
        DataType::Decimal32(_, scale) => display::<Decimal32Type>(array, *scale),
        DataType::Decimal64(_, scale) => display::<Decimal64Type>(array, *scale),
        DataType::Decimal128(_, scale) => display::<Decimal128Type>(array, *scale),
        DataType::Decimal256(_, scale) => display::<Decimal256Type>(array, *scale),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => string(array),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            bytes_text(array, wire_type)
        }
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => moment(array)?,
        DataType::Timestamp(_, zone) => timestamp(array, zone.is_some())?,
        DataType::Interval(_) | DataType::Duration(_) => {
            let interval = intervals(array)?;
            Box::new(move |row, out| Ok(datetime::write_interval(interval(row)?, out)))
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
            array::text_writer(array, wire_type)?
        }
        DataType::Struct(_) | DataType::Map(_, _) => json::writer(array)?,
        other => return Err(unsupported(other)),
    })
}

/// A writer that can't fail.
pub(super) fn infallible(write: impl Fn(usize, &mut BytesMut) + Send + Sync + 'static) -> CellWriter {
    Box::new(move |row, out| {
        write(row, out);
        Ok(())
    })
}

/// A writer of a primitive type.
pub(super) fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    write: impl Fn(T::Native, &mut BytesMut) + Send + Sync + 'static,
) -> CellWriter {
    let array = array.as_primitive::<T>().clone();
    infallible(move |row, out| write(array.value(row), out))
}

fn integer<T: ArrowPrimitiveType>(array: &ArrayRef) -> CellWriter
where
    T::Native: Into<i64>,
{
    primitive::<T>(array, |value, out| number::write_integer(value.into(), out))
}

/// Numbers whose digits come from their own `Display`.
fn display<T: ArrowPrimitiveType>(array: &ArrayRef, scale: i8) -> CellWriter
where
    T::Native: std::fmt::Display,
{
    primitive::<T>(array, move |value, out| number::write_numeric_text(&value.to_string(), scale, out))
}

/// Strings, as they are.
pub(super) fn string(array: &ArrayRef) -> CellWriter {
    let read = strings(array);
    infallible(move |row, out| read(row, &mut |value| out.put_slice(value.as_bytes())))
}

/// Access to strings of any layout.
pub(super) type ReadString = Box<dyn Fn(usize, &mut dyn FnMut(&str)) + Send + Sync>;

/// Reads strings of any layout. The array must be one of the three.
pub(super) fn strings(array: &ArrayRef) -> ReadString {
    match array.data_type() {
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
        DataType::Utf8View => {
            let array = array.as_string_view().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
        _ => {
            let array = array.as_string::<i32>().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
    }
}

/// Access to byte strings of any layout.
pub(super) type ReadBytes = Box<dyn Fn(usize, &mut dyn FnMut(&[u8])) + Send + Sync>;

/// Reads byte strings of any layout. The array must be one of the four.
pub(super) fn byte_strings(array: &ArrayRef) -> ReadBytes {
    match array.data_type() {
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
        _ => {
            let array = array.as_binary::<i32>().clone();
            Box::new(move |row, take| take(array.value(row)))
        }
    }
}

fn bytes_text(array: &ArrayRef, wire_type: &WireType) -> CellWriter {
    let read = byte_strings(array);
    let is_uuid = wire_type.oid == oid::UUID;
    infallible(move |row, out| {
        read(row, &mut |value| match uuid::Uuid::from_slice(value) {
            Ok(uuid) if is_uuid => {
                out.put_slice(uuid.hyphenated().encode_lower(&mut [0; uuid::fmt::Hyphenated::LENGTH]).as_bytes());
            }
            _ => write_hex(value, out),
        });
    })
}

fn write_hex(value: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 + 2 * value.len());
    out.put_slice(b"\\x");
    for byte in value {
        out.put_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

fn moment(array: &ArrayRef) -> Result<CellWriter> {
    Ok(match array.data_type() {
        DataType::Date32 => primitive::<Date32Type>(array, |days, out| datetime::write_date(i64::from(days), out)),
        DataType::Date64 => {
            primitive::<Date64Type>(array, |millis, out| datetime::write_date(millis.div_euclid(86_400_000), out))
        }
        _ => {
            let micros = micros(array)?;
            Box::new(move |row, out| Ok(datetime::write_time(micros(row)?, out)))
        }
    })
}

fn timestamp(array: &ArrayRef, with_zone: bool) -> Result<CellWriter> {
    let micros = micros(array)?;
    Ok(Box::new(move |row, out| Ok(datetime::write_timestamp(micros(row)?, with_zone, out))))
}

/// Reads microseconds.
pub(super) type ReadMicros = Box<dyn Fn(usize) -> Result<i64> + Send + Sync>;

/// Microseconds of a time, timestamp or duration in any unit.
pub(super) fn micros(array: &ArrayRef) -> Result<ReadMicros> {
    use arrow::array::types as t;
    use arrow::datatypes::TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    Ok(match array.data_type() {
        DataType::Timestamp(Second, _) => timestamp_micros::<t::TimestampSecondType>(array, 1_000_000),
        DataType::Timestamp(Millisecond, _) => timestamp_micros::<t::TimestampMillisecondType>(array, 1_000),
        DataType::Timestamp(Microsecond, _) => timestamp_micros::<t::TimestampMicrosecondType>(array, 1),
        DataType::Timestamp(Nanosecond, _) => from_nanos::<t::TimestampNanosecondType>(array),
        DataType::Time32(Second) => scaled::<t::Time32SecondType>(array, 1_000_000),
        DataType::Time32(Millisecond) => scaled::<t::Time32MillisecondType>(array, 1_000),
        DataType::Time64(Microsecond) => scaled::<t::Time64MicrosecondType>(array, 1),
        DataType::Time64(Nanosecond) => from_nanos::<t::Time64NanosecondType>(array),
        DataType::Duration(Second) => scaled::<t::DurationSecondType>(array, 1_000_000),
        DataType::Duration(Millisecond) => scaled::<t::DurationMillisecondType>(array, 1_000),
        DataType::Duration(Microsecond) => scaled::<t::DurationMicrosecondType>(array, 1),
        DataType::Duration(Nanosecond) => from_nanos::<t::DurationNanosecondType>(array),
        other => return Err(unsupported(other)),
    })
}

fn timestamp_micros<T: ArrowTimestampType>(array: &ArrayRef, factor: i64) -> ReadMicros {
    scaled::<T>(array, factor)
}

fn scaled<T: ArrowPrimitiveType>(array: &ArrayRef, factor: i64) -> ReadMicros
where
    T::Native: Into<i64>,
{
    let array = array.as_primitive::<T>().clone();
    Box::new(move |row| {
        let value: i64 = array.value(row).into();
        value.checked_mul(factor).ok_or_else(|| SqlError::new("22008", "timestamp out of range"))
    })
}

fn from_nanos<T: ArrowPrimitiveType<Native = i64>>(array: &ArrayRef) -> ReadMicros {
    let array = array.as_primitive::<T>().clone();
    Box::new(move |row| Ok(array.value(row).div_euclid(1_000)))
}

/// Reads intervals.
pub(super) type ReadInterval = Box<dyn Fn(usize) -> Result<Interval> + Send + Sync>;

/// Intervals and durations of any unit.
pub(super) fn intervals(array: &ArrayRef) -> Result<ReadInterval> {
    use arrow::array::types::{IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType};
    use arrow::datatypes::IntervalUnit;
    Ok(match array.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let array = array.as_primitive::<IntervalMonthDayNanoType>().clone();
            Box::new(move |row| {
                let value = array.value(row);
                Ok(Interval { months: value.months, days: value.days, micros: value.nanoseconds / 1_000 })
            })
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let array = array.as_primitive::<IntervalDayTimeType>().clone();
            Box::new(move |row| {
                let value = array.value(row);
                Ok(Interval { months: 0, days: value.days, micros: i64::from(value.milliseconds) * 1_000 })
            })
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            let array = array.as_primitive::<IntervalYearMonthType>().clone();
            Box::new(move |row| Ok(Interval { months: array.value(row), ..Interval::default() }))
        }
        _ => {
            let micros = micros(array)?;
            Box::new(move |row| Ok(Interval { micros: micros(row)?, ..Interval::default() }))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_postgres_cannot_hold_is_an_error() {
        use arrow::array::TimestampSecondArray;
        let array: ArrayRef = std::sync::Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        assert_eq!(micros(&array).expect("a timestamp")(0).expect_err("too far").sqlstate, "22008");
        assert_eq!(array.len(), 1);
    }
}
