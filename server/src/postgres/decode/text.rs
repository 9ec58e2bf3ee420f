//! Values in text, as Postgres's input functions read them.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use monsoon_sql::SqlError;

use super::super::oid;
use super::{Result, array, invalid_text, moment};

/// Reads a value of the type with this oid.
pub(super) fn value(text: &str, oid: u32) -> Result<ScalarValue> {
    Ok(match oid {
        oid::BOOL => ScalarValue::Boolean(Some(boolean(text)?)),
        oid::INT2 => ScalarValue::Int16(Some(integer(text, "smallint")?)),
        oid::INT4 => ScalarValue::Int32(Some(integer(text, "integer")?)),
        oid::INT8 => ScalarValue::Int64(Some(integer(text, "bigint")?)),
        oid if oid::is_object_number(oid) => ScalarValue::Int64(Some(i64::from(integer::<u32>(text, "oid")?))),
        oid::FLOAT4 => ScalarValue::Float32(Some(float(text, "real")? as f32)),
        oid::FLOAT8 => ScalarValue::Float64(Some(float(text, "double precision")?)),
        oid::NUMERIC => numeric(text)?,
        oid::BYTEA => ScalarValue::Binary(Some(bytea(text)?)),
        oid::UUID => ScalarValue::Utf8(Some(uuid(text)?)),
        oid::JSON | oid::JSONB => ScalarValue::Utf8(Some(json(text)?)),
        oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => moment::value(text, oid)?,
        oid => match oid::array_element(oid) {
            Some(element) => array::value(text, element)?,
            None => ScalarValue::Utf8(Some(text.to_owned())),
        },
    })
}

/// The Arrow type a value of this oid is read as.
pub(super) fn data_type(oid: u32) -> DataType {
    use arrow::datatypes::{IntervalUnit, TimeUnit};
    match oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 => DataType::Int64,
        oid if oid::is_object_number(oid) => DataType::Int64,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::BYTEA => DataType::Binary,
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        // Numbers of any precision travel as text until the wanted type is known.
        _ => DataType::Utf8,
    }
}

/// Unambiguous prefixes of true, false, yes, no, on, off; 1 and 0.
fn boolean(text: &str) -> Result<bool> {
    let word = text.trim().to_ascii_lowercase();
    let is = |full: &str, shortest: usize| word.len() >= shortest && full.starts_with(&word);
    if is("true", 1) || is("yes", 1) || is("on", 2) || word == "1" {
        return Ok(true);
    }
    if is("false", 1) || is("no", 1) || is("off", 2) || word == "0" {
        return Ok(false);
    }
    Err(invalid_text("boolean", text))
}

fn integer<T: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str, type_name: &str) -> Result<T> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.trim().parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => {
            SqlError::new("22003", format!("value \"{}\" is out of range for type {type_name}", text.trim()))
        }
        _ => invalid_text(type_name, text),
    })
}

fn float(text: &str, type_name: &str) -> Result<f64> {
    // Rust reads "inf", "infinity" and "nan" in any case, as Postgres does.
    text.trim().parse().map_err(|_| invalid_text(type_name, text))
}

/// Checked here, converted by the cast to the wanted type, which knows its scale.
fn numeric(text: &str) -> Result<ScalarValue> {
    let digits = text.trim();
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    if digits.parse::<f64>().is_err() {
        return Err(invalid_text("numeric", text));
    }
    let plain = if is_plain { digits.to_owned() } else { without_exponent(digits) };
    Ok(ScalarValue::Utf8(Some(plain)))
}

/// `1.5e-3` as `0.0015`; what can't be written so stays as it is.
fn without_exponent(digits: &str) -> String {
    let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) else { return digits.to_owned() };
    let Ok(exponent @ -200..=200) = exponent.parse::<i32>() else { return digits.to_owned() };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = integer.len() as i32 + exponent;
    let all = format!("{integer}{fraction}");
    if point <= 0 {
        return format!("{sign}0.{}{all}", "0".repeat(point.unsigned_abs() as usize));
    }
    let point = point as usize;
    if point >= all.len() {
        return format!("{sign}{all}{}", "0".repeat(point - all.len()));
    }
    format!("{sign}{}.{}", &all[..point], &all[point..])
}

/// `\x` and hex digits, or the old escape format.
fn bytea(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => hex(digits).ok_or_else(|| invalid_text("bytea", text)),
        None => escaped_bytes(text.as_bytes()).ok_or_else(|| invalid_text("bytea", text)),
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let nibble = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
            _ => None,
        })
        .collect()
}

fn escaped_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        match rest {
            [] => return Some(bytes),
            [b'\\', b'\\', tail @ ..] => {
                bytes.push(b'\\');
                rest = tail;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            [b'\\', ..] => return None,
            [byte, tail @ ..] => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
}

fn uuid(text: &str) -> Result<String> {
    let parsed = uuid::Uuid::try_parse(text.trim()).map_err(|_| invalid_text("uuid", text))?;
    Ok(parsed.hyphenated().to_string())
}

/// JSON is kept as it was written, once it is known to be JSON.
pub(super) fn json(text: &str) -> Result<String> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(invalid_text("json", text).with_detail(error.to_string())),
    }
}
