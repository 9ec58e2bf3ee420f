//! Text to values: what COPY FROM reads, and parameters in text format.
//!
//! Takes what Postgres takes and says what Postgres says: 22P02 for text that isn't of the type, 22003 for a number
//! that doesn't fit, 22007 for a time that isn't one, 22001 for text that is too long.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryBuilder, BooleanBuilder, Decimal128Array, Decimal256Array, ListArray,
    PrimitiveArray, PrimitiveBuilder, StringArray, StringBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::compute::kernels::cast_utils::{Parser, parse_decimal, string_to_datetime};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Field, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::Utc;
use datafusion::common::ScalarValue;

use super::array_literal;
use crate::error::SqlError;
use crate::interval_text::parse_interval;
use crate::pg_type::{TYPMOD_KEY, pg_type, sql_name};

/// A value that couldn't be read.
#[derive(Debug)]
pub struct BadValue {
    /// Its row.
    pub row: usize,
    /// What is wrong with it.
    pub error: SqlError,
}

/// Reads one value of a field's type.
pub fn read_value(text: &str, field: &Field) -> Result<ScalarValue, SqlError> {
    let texts = StringArray::from(vec![text]);
    let array = read_column(&texts, field).map_err(|bad| bad.error)?;
    ScalarValue::try_from_array(&array, 0).map_err(|error| SqlError::internal(error.to_string()))
}

/// Reads a column of a field's type; NULLs stay NULL.
pub fn read_column(texts: &StringArray, field: &Field) -> Result<ArrayRef, BadValue> {
    let data_type = field.data_type();
    let array: ArrayRef = match data_type {
        DataType::Boolean => booleans(texts)?,
        DataType::Int8 => integers::<Int8Type>(texts, field)?,
        DataType::Int16 => integers::<Int16Type>(texts, field)?,
        DataType::Int32 => integers::<Int32Type>(texts, field)?,
        DataType::Int64 => integers::<Int64Type>(texts, field)?,
        DataType::UInt8 => integers::<UInt8Type>(texts, field)?,
        DataType::UInt16 => integers::<UInt16Type>(texts, field)?,
        DataType::UInt32 => integers::<UInt32Type>(texts, field)?,
        DataType::UInt64 => integers::<UInt64Type>(texts, field)?,
        DataType::Float32 => primitives::<Float32Type>(texts, |text| float(text, field))?,
        DataType::Float64 => primitives::<Float64Type>(texts, |text| float(text, field))?,
        DataType::Decimal128(precision, scale) => {
            let array: Decimal128Array = primitives_array(texts, |text| {
                parse_decimal::<Decimal128Type>(checked_number(text, field)?, *precision, *scale)
                    .map_err(|_| numeric_overflow(field))
            })?;
            Arc::new(array.with_data_type(data_type.clone()))
        }
        DataType::Decimal256(precision, scale) => {
            let array: Decimal256Array = primitives_array(texts, |text| {
                parse_decimal::<Decimal256Type>(checked_number(text, field)?, *precision, *scale)
                    .map_err(|_| numeric_overflow(field))
            })?;
            Arc::new(array.with_data_type(data_type.clone()))
        }
        DataType::Utf8 => strings(texts, field)?,
        DataType::LargeUtf8 | DataType::Utf8View => cast_whole(&strings(texts, field)?, data_type)?,
        DataType::Binary => bytes(texts)?,
        DataType::LargeBinary | DataType::BinaryView => cast_whole(&bytes(texts)?, data_type)?,
        DataType::Date32 => primitives::<Date32Type>(texts, |text| {
            Date32Type::parse(text.trim()).ok_or_else(|| invalid_time(text, field))
        })?,
        DataType::Time64(TimeUnit::Microsecond) => primitives::<Time64MicrosecondType>(texts, |text| {
            Time64MicrosecondType::parse(text.trim()).ok_or_else(|| invalid_time(text, field))
        })?,
        DataType::Timestamp(unit, zone) => {
            let array: PrimitiveArray<TimestampMicrosecondType> =
                primitives_array(texts, |text| timestamp(text, field))?;
            let array: ArrayRef = Arc::new(array.with_timezone_opt(zone.clone()));
            if *unit == TimeUnit::Microsecond { array } else { cast_whole(&array, data_type)? }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => primitives::<IntervalMonthDayNanoType>(texts, |text| {
            parse_interval(text).ok_or_else(|| invalid_time(text, field))
        })?,
        DataType::List(element) => lists(texts, field, element)?,
        other => {
            let source: ArrayRef = Arc::new(texts.clone());
            cast_whole(&source, other)?
        }
    };
    Ok(array)
}

fn cast_whole(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, BadValue> {
    cast(array, data_type).map_err(|error| BadValue { row: 0, error: SqlError::new("22P02", error.to_string()) })
}

fn invalid(text: &str, field: &Field) -> SqlError {
    SqlError::new("22P02", format!("invalid input syntax for type {}: \"{text}\"", base_name(field)))
}

fn invalid_time(text: &str, field: &Field) -> SqlError {
    SqlError { sqlstate: "22007", ..invalid(text, field) }
}

fn numeric_overflow(field: &Field) -> SqlError {
    SqlError::new("22003", "numeric field overflow")
        .with_detail(format!("a field of type {} can't hold the value", sql_name(field)))
}

/// The type without its modifier, as Postgres's messages have it.
fn base_name(field: &Field) -> String {
    crate::pg_type::format_type(pg_type(field).oid, -1)
}

fn booleans(texts: &StringArray) -> Result<ArrayRef, BadValue> {
    let mut builder = BooleanBuilder::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let value = match text {
            None => None,
            Some(text) => Some(boolean(text).ok_or_else(|| BadValue {
                row,
                error: SqlError::new("22P02", format!("invalid input syntax for type boolean: \"{text}\"")),
            })?),
        };
        builder.append_option(value);
    }
    Ok(Arc::new(builder.finish()))
}

/// Unique prefixes of the words count, as in Postgres.
fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        other if "true".starts_with(other) || "yes".starts_with(other) => Some(true),
        other if "false".starts_with(other) || "no".starts_with(other) => Some(false),
        _ => None,
    }
}

fn primitives_array<T: ArrowPrimitiveType>(
    texts: &StringArray,
    parse: impl Fn(&str) -> Result<T::Native, SqlError>,
) -> Result<PrimitiveArray<T>, BadValue> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        match text {
            Some(text) => builder.append_value(parse(text).map_err(|error| BadValue { row, error })?),
            None => builder.append_null(),
        }
    }
    Ok(builder.finish())
}

fn primitives<T: ArrowPrimitiveType>(
    texts: &StringArray,
    parse: impl Fn(&str) -> Result<T::Native, SqlError>,
) -> Result<ArrayRef, BadValue> {
    Ok(Arc::new(primitives_array::<T>(texts, parse)?))
}

fn integers<T: ArrowPrimitiveType>(texts: &StringArray, field: &Field) -> Result<ArrayRef, BadValue>
where
    T::Native: std::str::FromStr,
{
    primitives::<T>(texts, |text| {
        let text = text.trim();
        text.parse().map_err(|_| {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                SqlError::new("22003", format!("value \"{text}\" is out of range for type {}", base_name(field)))
            } else {
                invalid(text, field)
            }
        })
    })
}

fn float<F: std::str::FromStr>(text: &str, field: &Field) -> Result<F, SqlError> {
    text.trim().parse().map_err(|_| invalid(text, field))
}

/// The text of a number that the decimal parser can take; it would take some that aren't.
fn checked_number<'a>(text: &'a str, field: &Field) -> Result<&'a str, SqlError> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(text),
        _ => Err(invalid(text, field)),
    }
}

fn timestamp(text: &str, field: &Field) -> Result<i64, SqlError> {
    let text = text.trim();
    string_to_datetime(&Utc, text).map(|time| time.timestamp_micros()).map_err(|_| invalid_time(text, field))
}

fn strings(texts: &StringArray, field: &Field) -> Result<ArrayRef, BadValue> {
    let pg_type = pg_type(field);
    let check: fn(&str, &Field) -> Result<Option<String>, SqlError> = match pg_type.name {
        "json" | "jsonb" => json,
        "uuid" => uuid,
        "varchar" | "bpchar" if field.metadata().contains_key(TYPMOD_KEY) => limited,
        _ => return Ok(Arc::new(texts.clone())),
    };
    let mut builder = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    for (row, text) in texts.iter().enumerate() {
        match text {
            None => builder.append_null(),
            Some(text) => match check(text, field).map_err(|error| BadValue { row, error })? {
                Some(changed) => builder.append_value(changed),
                None => builder.append_value(text),
            },
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn json(text: &str, field: &Field) -> Result<Option<String>, SqlError> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(None),
        Err(error) => Err(SqlError::new("22P02", format!("invalid input syntax for type {}", base_name(field)))
            .with_detail(error.to_string())),
    }
}

fn uuid(text: &str, field: &Field) -> Result<Option<String>, SqlError> {
    match uuid::Uuid::parse_str(text.trim()) {
        Ok(uuid) => Ok(Some(uuid.hyphenated().to_string())),
        Err(_) => Err(invalid(text, field)),
    }
}

/// As in Postgres, spaces beyond the length are cut off, anything else is too long.
fn limited(text: &str, field: &Field) -> Result<Option<String>, SqlError> {
    let length = usize::try_from(pg_type(field).typmod - 4).unwrap_or(usize::MAX);
    let Some((end, _)) = text.char_indices().nth(length) else {
        return Ok(None);
    };
    if text[end..].chars().all(|character| character == ' ') {
        return Ok(Some(text[..end].to_owned()));
    }
    Err(SqlError::new("22001", format!("value too long for type {}", sql_name(field))))
}

fn bytes(texts: &StringArray) -> Result<ArrayRef, BadValue> {
    let mut builder = BinaryBuilder::with_capacity(texts.len(), texts.value_data().len());
    for (row, text) in texts.iter().enumerate() {
        match text {
            None => builder.append_null(),
            Some(text) => builder.append_value(bytea(text).ok_or_else(|| BadValue {
                row,
                error: SqlError::new("22P02", "invalid input syntax for type bytea"),
            })?),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// `\x00ff`, or the older form with `\ooo` and `\\`.
fn bytea(text: &str) -> Option<Vec<u8>> {
    if let Some(digits) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if digits.len() % 2 != 0 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        return digits.chunks(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (b'\\', [a, b, c, after @ ..]) => {
                let octal =
                    std::str::from_utf8(&[*a, *b, *c]).ok().and_then(|digits| u8::from_str_radix(digits, 8).ok())?;
                bytes.push(octal);
                after
            }
            (b'\\', _) => return None,
            (byte, after) => {
                bytes.push(byte);
                after
            }
        };
    }
    Some(bytes)
}

fn lists(texts: &StringArray, field: &Field, element: &FieldRef) -> Result<ArrayRef, BadValue> {
    let mut elements = StringBuilder::new();
    let mut count = 0_usize;
    let mut offsets: Vec<i32> = vec![0];
    for (row, text) in texts.iter().enumerate() {
        if let Some(text) = text {
            let is_nested = matches!(element.data_type(), DataType::List(_));
            let parsed = array_literal::parse(text, is_nested).ok_or_else(|| BadValue {
                row,
                error: SqlError::new("22P02", format!("malformed array literal: \"{text}\"")),
            })?;
            count += parsed.len();
            parsed.into_iter().for_each(|element| elements.append_option(element));
        }
        let end = i32::try_from(count).map_err(|_| BadValue {
            row,
            error: SqlError::new("54000", "the arrays of one batch have too many elements"),
        })?;
        offsets.push(end);
    }
    let values = read_column(&elements.finish(), element).map_err(|bad| {
        // The row of the list that holds the element.
        let row = offsets.partition_point(|end| *end as usize <= bad.row).saturating_sub(1);
        BadValue { row, error: bad.error }
    })?;
    let nulls = texts.nulls().map(|nulls| NullBuffer::new(nulls.inner().clone()));
    let list = ListArray::try_new(element.clone(), OffsetBuffer::new(ScalarBuffer::from(offsets)), values, nulls);
    let list = list.map_err(|error| BadValue { row: 0, error: SqlError::internal(error.to_string()) })?;
    debug_assert_eq!(list.data_type(), field.data_type());
    Ok(Arc::new(list))
}
