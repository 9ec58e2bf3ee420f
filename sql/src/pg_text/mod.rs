//! Values in Postgres's text formats, as psql shows them and COPY writes them.
//!
//! [`TextColumn`] is made once per column of a batch and then writes row after row, without an allocation of its own
//! for most types. Times with a zone are written in UTC.

mod array_literal;
mod calendar;
mod float;
mod json;
mod read;

#[cfg(test)]
mod tests;

pub use read::{BadValue, read_column, read_value};

use std::io::Write;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Decimal256Array, PrimitiveArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DecimalType, Field, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use crate::pg_type::NUMERIC_DEFAULT;

/// A column of a batch that writes its values as text.
pub struct TextColumn {
    array: ArrayRef,
    kind: Kind,
}

/// How a column's values are written; the arrays are in their plain types here.
enum Kind {
    Null,
    Boolean(BooleanArray),
    Int8(PrimitiveArray<Int8Type>),
    Int16(PrimitiveArray<Int16Type>),
    Int32(PrimitiveArray<Int32Type>),
    Int64(PrimitiveArray<Int64Type>),
    UInt8(PrimitiveArray<UInt8Type>),
    UInt16(PrimitiveArray<UInt16Type>),
    UInt32(PrimitiveArray<UInt32Type>),
    UInt64(PrimitiveArray<UInt64Type>),
    Float32(PrimitiveArray<Float32Type>),
    Float64(PrimitiveArray<Float64Type>),
    Decimal128(Decimal128Array, u8, i8),
    Decimal256(Decimal256Array, u8, i8),
    Utf8(arrow::array::StringArray),
    Binary(arrow::array::BinaryArray),
    Date32(PrimitiveArray<Date32Type>),
    /// Microseconds of the day.
    Time(PrimitiveArray<Int64Type>),
    /// Microseconds from the epoch, and whether a zone is written.
    Timestamp(PrimitiveArray<Int64Type>, bool),
    Interval(PrimitiveArray<IntervalMonthDayNanoType>),
    /// The offsets into the elements.
    List(Vec<(usize, usize)>, Box<TextColumn>),
    /// int2vector, oidvector: elements separated by spaces.
    Vector(Vec<(usize, usize)>, Box<TextColumn>),
    Json,
}

impl TextColumn {
    /// Prepares a column. Errors only if Arrow can't cast it to its plain type.
    pub fn new(array: &ArrayRef, field: &Field) -> Result<TextColumn, ArrowError> {
        let array = plain(array)?;
        let kind = kind_of(&array, field)?;
        Ok(TextColumn { array, kind })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.array.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// Whether the value is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// Appends the text of a row's value; nothing for NULL.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return;
        }
        match &self.kind {
            Kind::Null => {}
            Kind::Boolean(array) => out.push(if array.value(row) { b't' } else { b'f' }),
            Kind::Int8(array) => integer(i64::from(array.value(row)), out),
            Kind::Int16(array) => integer(i64::from(array.value(row)), out),
            Kind::Int32(array) => integer(i64::from(array.value(row)), out),
            Kind::Int64(array) => integer(array.value(row), out),
            Kind::UInt8(array) => integer(i64::from(array.value(row)), out),
            Kind::UInt16(array) => integer(i64::from(array.value(row)), out),
            Kind::UInt32(array) => integer(i64::from(array.value(row)), out),
            Kind::UInt64(array) => display(array.value(row), out),
            Kind::Float32(array) => float::write_f32(array.value(row), out),
            Kind::Float64(array) => float::write_f64(array.value(row), out),
            Kind::Decimal128(array, precision, scale) => {
                decimal(
                    Decimal128Type::format_decimal(array.value(row), *precision, *scale),
                    (*precision, *scale),
                    out,
                );
            }
            Kind::Decimal256(array, precision, scale) => {
                decimal(
                    Decimal256Type::format_decimal(array.value(row), *precision, *scale),
                    (*precision, *scale),
                    out,
                );
            }
            Kind::Utf8(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Kind::Binary(array) => write_bytea(array.value(row), out),
            Kind::Date32(array) => calendar::write_date(i64::from(array.value(row)), out),
            Kind::Time(array) => calendar::write_time(array.value(row), out),
            Kind::Timestamp(array, zone) => calendar::write_timestamp(array.value(row), *zone, out),
            Kind::Interval(array) => calendar::write_interval(array.value(row), out),
            Kind::List(ranges, elements) => write_list(ranges[row], elements, out),
            Kind::Vector(ranges, elements) => write_vector(ranges[row], elements, out),
            Kind::Json => json::write(self.array.as_ref(), row, out),
        }
    }
}

/// The text of one value; `None` for NULL. For single values: a batch is written with [`TextColumn`].
pub fn value_text(array: &ArrayRef, field: &Field, row: usize) -> Result<Option<String>, ArrowError> {
    let column = TextColumn::new(&array.slice(row, 1), field)?;
    if column.is_null(0) {
        return Ok(None);
    }
    let mut out = Vec::new();
    column.write(0, &mut out);
    Ok(Some(String::from_utf8_lossy(&out).into_owned()))
}

/// The array in the one type per kind that is written here: views, dictionaries and large forms are cast away.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let target = match array.data_type() {
        DataType::Dictionary(_, value) => return plain(&cast(array, value)?),
        DataType::RunEndEncoded(_, value) => return plain(&cast(array, value.data_type())?),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => {
            return cast(array, &DataType::Time64(TimeUnit::Microsecond));
        }
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Microsecond => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Interval(unit) if *unit != IntervalUnit::MonthDayNano => {
            DataType::Interval(IntervalUnit::MonthDayNano)
        }
        DataType::Duration(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::LargeList(element) | DataType::FixedSizeList(element, _) => DataType::List(element.clone()),
        _ => return Ok(array.clone()),
    };
    cast(array, &target)
}

fn kind_of(array: &ArrayRef, field: &Field) -> Result<Kind, ArrowError> {
    let kind = match array.data_type() {
        DataType::Null => Kind::Null,
        DataType::Boolean => Kind::Boolean(array.as_boolean().clone()),
        DataType::Int8 => Kind::Int8(primitive(array)),
        DataType::Int16 => Kind::Int16(primitive(array)),
        DataType::Int32 => Kind::Int32(primitive(array)),
        DataType::Int64 => Kind::Int64(primitive(array)),
        DataType::UInt8 => Kind::UInt8(primitive(array)),
        DataType::UInt16 => Kind::UInt16(primitive(array)),
        DataType::UInt32 => Kind::UInt32(primitive(array)),
        DataType::UInt64 => Kind::UInt64(primitive(array)),
        DataType::Float32 => Kind::Float32(primitive(array)),
        DataType::Float64 => Kind::Float64(primitive(array)),
        DataType::Decimal128(precision, scale) => Kind::Decimal128(primitive(array), *precision, *scale),
        DataType::Decimal256(precision, scale) => Kind::Decimal256(primitive(array), *precision, *scale),
        DataType::Utf8 => Kind::Utf8(array.as_string::<i32>().clone()),
        DataType::Binary => Kind::Binary(array.as_binary::<i32>().clone()),
        DataType::Date32 => Kind::Date32(primitive(array)),
        DataType::Time64(_) => Kind::Time(as_int64(array)?),
        DataType::Timestamp(_, zone) => Kind::Timestamp(as_int64(array)?, zone.is_some()),
        DataType::Interval(_) => Kind::Interval(primitive(array)),
        DataType::List(element) => {
            let list = array.as_list::<i32>();
            let ranges = list.value_offsets().windows(2).map(|pair| (pair[0] as usize, pair[1] as usize)).collect();
            let elements = Box::new(TextColumn::new(list.values(), element)?);
            if crate::pg_type::pg_type(field).name.ends_with("vector") {
                Kind::Vector(ranges, elements)
            } else {
                Kind::List(ranges, elements)
            }
        }
        _ => Kind::Json,
    };
    Ok(kind)
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> PrimitiveArray<T> {
    array.as_primitive::<T>().clone()
}

fn as_int64(array: &ArrayRef) -> Result<PrimitiveArray<Int64Type>, ArrowError> {
    Ok(primitive(&cast(array, &DataType::Int64)?))
}

/// Digits, without the cost of formatting.
fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writing to a vector can't fail.
fn display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// Plain `numeric` has a scale only because Arrow wants one: its trailing zeros say nothing.
fn decimal(text: String, form: (u8, i8), out: &mut Vec<u8>) {
    let text = match form == NUMERIC_DEFAULT && text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text.as_str(),
    };
    out.extend_from_slice(text.as_bytes());
}

fn write_bytea(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// `{1,NULL,"a b"}`.
fn write_list((start, end): (usize, usize), elements: &TextColumn, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut text = Vec::new();
    for row in start..end {
        if row > start {
            out.push(b',');
        }
        if elements.is_null(row) {
            out.extend_from_slice(b"NULL");
            continue;
        }
        text.clear();
        elements.write(row, &mut text);
        let is_array = matches!(elements.kind, Kind::List(..));
        if is_array || !needs_quotes(&text) { out.extend_from_slice(&text) } else { write_quoted(&text, out) }
    }
    out.push(b'}');
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case(b"null")
        || text.iter().any(|byte| matches!(byte, b'{' | b'}' | b'"' | b',' | b'\\') || byte.is_ascii_whitespace())
}

fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn write_vector((start, end): (usize, usize), elements: &TextColumn, out: &mut Vec<u8>) {
    for row in start..end {
        if row > start {
            out.push(b' ');
        }
        elements.write(row, out);
    }
}
