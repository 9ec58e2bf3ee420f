//! Values in Postgres's binary formats.

use arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::ScalarValue;
use monsoon_sql::SqlError;

use super::super::oid;
use super::{Result, array, text, utf8};

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;
/// Elements of an array parameter at most: each costs at least 4 bytes of the message anyway.
const ARRAY_ELEMENTS_MAX: usize = 4 << 20;

/// Reads a value of the type with this oid.
pub(super) fn value(bytes: &[u8], oid: u32) -> Result<ScalarValue> {
    Ok(match oid {
        oid::BOOL => ScalarValue::Boolean(Some(fixed::<1>(bytes)? != [0])),
        oid::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(fixed(bytes)?))),
        oid::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(fixed(bytes)?))),
        oid::INT8 => ScalarValue::Int64(Some(i64::from_be_bytes(fixed(bytes)?))),
        oid if oid::is_object_number(oid) => ScalarValue::Int64(Some(i64::from(u32::from_be_bytes(fixed(bytes)?)))),
        oid::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(fixed(bytes)?))),
        oid::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(fixed(bytes)?))),
        oid::NUMERIC => ScalarValue::Utf8(Some(numeric(bytes)?)),
        oid::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        oid::UUID => ScalarValue::Utf8(Some(uuid::Uuid::from_bytes(fixed(bytes)?).hyphenated().to_string())),
        oid::JSON => ScalarValue::Utf8(Some(text::json(utf8(bytes)?)?)),
        oid::JSONB => match bytes.split_first() {
            Some((1, rest)) => ScalarValue::Utf8(Some(text::json(utf8(rest)?)?)),
            _ => return Err(SqlError::new("22P03", "unsupported jsonb version number")),
        },
        oid::DATE => {
            let days = i32::from_be_bytes(fixed(bytes)?);
            ScalarValue::Date32(Some(days.checked_add(EPOCH_DAYS).ok_or_else(out_of_range)?))
        }
        oid::TIME => ScalarValue::Time64Microsecond(Some(i64::from_be_bytes(fixed(bytes)?))),
        oid::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(micros(bytes)?), None),
        oid::TIMESTAMPTZ => ScalarValue::TimestampMicrosecond(Some(micros(bytes)?), Some("+00:00".into())),
        oid::INTERVAL => interval(bytes)?,
        oid => match oid::array_element(oid) {
            Some(element) => array_value(bytes, element)?,
            None => ScalarValue::Utf8(Some(utf8(bytes)?.to_owned())),
        },
    })
}

fn malformed() -> SqlError {
    SqlError::new("22P03", "incorrect binary data format in bind parameter")
}

fn out_of_range() -> SqlError {
    SqlError::new("22008", "timestamp out of range")
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

/// Takes so many bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk::<N>().ok_or_else(malformed)?;
    *bytes = rest;
    Ok(*front)
}

fn micros(bytes: &[u8]) -> Result<i64> {
    i64::from_be_bytes(fixed(bytes)?).checked_add(EPOCH_MICROS).ok_or_else(out_of_range)
}

fn interval(bytes: &[u8]) -> Result<ScalarValue> {
    let mut rest = bytes;
    let micros = i64::from_be_bytes(take(&mut rest)?);
    let days = i32::from_be_bytes(take(&mut rest)?);
    let months = i32::from_be_bytes(fixed(rest)?);
    let nanos = micros.checked_mul(1_000).ok_or_else(out_of_range)?;
    Ok(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos))))
}

/// A numeric as decimal text.
fn numeric(bytes: &[u8]) -> Result<String> {
    let mut rest = bytes;
    let groups = usize::from(u16::from_be_bytes(take(&mut rest)?));
    let weight = i32::from(i16::from_be_bytes(take(&mut rest)?));
    let sign = u16::from_be_bytes(take(&mut rest)?);
    let decimals = usize::from(u16::from_be_bytes(take(&mut rest)?));
    if rest.len() != groups * 2 || decimals > 16_383 {
        return Err(malformed());
    }
    let negative = match sign {
        0 => false,
        0x4000 => true,
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => return Err(malformed()),
    };
    let digits: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    if digits.iter().any(|&digit| digit > 9_999) {
        return Err(malformed());
    }
    // The group for 10000 to the power `exponent`; groups that are not sent are zero.
    let group = |exponent: i32| {
        usize::try_from(weight - exponent).ok().and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let mut integer: String = (0..=weight.max(0)).rev().map(|exponent| format!("{:04}", group(exponent))).collect();
    let leading = integer.len() - integer.trim_start_matches('0').len();
    integer.drain(..leading.min(integer.len() - 1));
    let groups_behind = i32::try_from(decimals.div_ceil(4)).map_err(|_| malformed())?;
    let mut fraction: String = (1..=groups_behind).map(|place| format!("{:04}", group(-place))).collect();
    fraction.truncate(decimals);
    let sign = if negative { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{sign}{integer}{point}{fraction}"))
}

fn array_value(bytes: &[u8], element: u32) -> Result<ScalarValue> {
    let mut rest = bytes;
    let dimensions = i32::from_be_bytes(take(&mut rest)?);
    let _has_nulls: [u8; 4] = take(&mut rest)?;
    let announced = u32::from_be_bytes(take(&mut rest)?);
    if announced != element {
        return Err(SqlError::new("42804", format!("array elements have oid {announced}, {element} was expected")));
    }
    match dimensions {
        0 => return array::list(Vec::new(), element),
        1 => {}
        _ => return Err(SqlError::unsupported("array parameters of more than one dimension in binary")),
    }
    let length = usize::try_from(i32::from_be_bytes(take(&mut rest)?)).map_err(|_| malformed())?;
    let _lower_bound: [u8; 4] = take(&mut rest)?;
    if length > ARRAY_ELEMENTS_MAX || length * 4 > rest.len() {
        return Err(malformed());
    }
    let values = (0..length).map(|_| array_element(&mut rest, element)).collect::<Result<Vec<_>>>()?;
    if !rest.is_empty() {
        return Err(malformed());
    }
    array::list(values, element)
}

fn array_element(rest: &mut &[u8], element: u32) -> Result<ScalarValue> {
    let length = i32::from_be_bytes(take(rest)?);
    if length == -1 {
        return array::null(element);
    }
    let length = usize::try_from(length).map_err(|_| malformed())?;
    let (front, tail) = rest.split_at_checked(length).ok_or_else(malformed)?;
    *rest = tail;
    value(front, element)
}
