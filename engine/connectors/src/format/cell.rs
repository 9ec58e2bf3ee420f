//! From text to typed values, one column at a time, and which values could not be read.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::util::display::array_value_to_string;

/// The largest whole number up to which a float holds all whole numbers.
const EXACT_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

/// A column and the rows (with the reasons) whose text is no value of its type; those hold NULL.
pub(crate) type ParsedColumn = (ArrayRef, Vec<(usize, String)>);

/// Reads a column of scalar values. A type it can't read makes every row bad; `Format::check_schema` is there to
/// prevent that.
pub(super) fn parse_column(name: &str, texts: &StringArray, kind: &DataType) -> ParsedColumn {
    match kind {
        DataType::Utf8 => (Arc::new(texts.clone()), Vec::new()),
        DataType::Binary => parse_binary(name, texts),
        _ => {
            let (array, failed) = cast_column(texts, kind);
            if failed.is_empty() || !kind.is_integer() {
                return (array, reasons(name, texts, kind, &failed));
            }
            // Many writers have only one number type and write 1.0 for 1.
            let (array, failed) = cast_column(&with_whole_floats(texts, &failed), kind);
            (array, reasons(name, texts, kind, &failed))
        }
    }
}

fn cast_column(texts: &StringArray, kind: &DataType) -> (ArrayRef, Vec<usize>) {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let Ok(array) = cast_with_options(texts, kind, &options) else {
        let failed = (0..texts.len()).filter(|&row| texts.is_valid(row)).collect();
        return (arrow::array::new_null_array(kind, texts.len()), failed);
    };
    if array.null_count() == texts.null_count() {
        return (array, Vec::new());
    }
    let failed = (0..texts.len()).filter(|&row| array.is_null(row) && texts.is_valid(row)).collect();
    (array, failed)
}

fn with_whole_floats(texts: &StringArray, rows: &[usize]) -> StringArray {
    let mut replaced: Vec<Option<std::borrow::Cow<str>>> =
        texts.iter().map(|text| text.map(std::borrow::Cow::Borrowed)).collect();
    for &row in rows {
        if let Ok(number) = texts.value(row).parse::<f64>()
            && number.fract() == 0.0
            && number.abs() <= EXACT_FLOAT_MAX
        {
            replaced[row] = Some((number as i64).to_string().into());
        }
    }
    StringArray::from_iter(replaced)
}

fn reasons(name: &str, texts: &StringArray, kind: &DataType, rows: &[usize]) -> Vec<(usize, String)> {
    let reason = |row: usize| {
        let text: String = texts.value(row).chars().take(100).collect();
        format!("column \"{name}\": \"{text}\" is no {}", sql_name(kind))
    };
    rows.iter().map(|&row| (row, reason(row))).collect()
}

/// Bytes are written in hexadecimal, as Postgres does it (`\x` first) or without the prefix.
fn parse_binary(name: &str, texts: &StringArray) -> ParsedColumn {
    let mut builder = BinaryBuilder::with_capacity(texts.len(), texts.value_data().len() / 2);
    let mut failed = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        match text.map(hex_bytes) {
            Some(Some(bytes)) => builder.append_value(bytes),
            Some(None) => {
                failed.push(row);
                builder.append_null();
            }
            None => builder.append_null(),
        }
    }
    (Arc::new(builder.finish()), reasons(name, texts, &DataType::Binary, &failed))
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x").unwrap_or(text).as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?)).collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

/// Turns a column of another type into one of this type; the error says that the two have nothing in common.
pub(crate) fn convert_column(name: &str, array: &ArrayRef, kind: &DataType) -> Result<ParsedColumn, String> {
    if array.data_type() == kind {
        return Ok((array.clone(), Vec::new()));
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let converted = cast_with_options(array, kind, &options).map_err(|_| {
        format!("column \"{name}\" is {} in the file, not {}", sql_name(array.data_type()), sql_name(kind))
    })?;
    let mut failed = Vec::new();
    if converted.logical_null_count() != array.logical_null_count() {
        let before = array.logical_nulls();
        let was_null = |row: usize| before.as_ref().is_some_and(|nulls| nulls.is_null(row));
        for row in (0..array.len()).filter(|&row| converted.is_null(row) && !was_null(row)) {
            let value = array_value_to_string(array, row).unwrap_or_default();
            failed.push((row, format!("column \"{name}\": {value} is no {}", sql_name(kind))));
        }
    }
    Ok((converted, failed))
}

/// The type as a user wrote it.
pub(crate) fn sql_name(kind: &DataType) -> String {
    match kind {
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::Int16 => "SMALLINT".to_string(),
        DataType::Int32 => "INTEGER".to_string(),
        DataType::Int64 => "BIGINT".to_string(),
        DataType::Float32 => "REAL".to_string(),
        DataType::Float64 => "DOUBLE PRECISION".to_string(),
        DataType::Decimal128(precision, scale) => format!("NUMERIC({precision}, {scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "TEXT".to_string(),
        DataType::Binary => "BYTEA (hexadecimal)".to_string(),
        DataType::Date32 => "DATE".to_string(),
        DataType::Time64(_) => "TIME".to_string(),
        DataType::Timestamp(_, None) => "TIMESTAMP".to_string(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_string(),
        DataType::Interval(_) => "INTERVAL".to_string(),
        DataType::List(item) => format!("{}[]", sql_name(item.data_type())),
        other => other.to_string(),
    }
}

/// The type of a column that holds nothing but these texts, for a schema nobody declared.
pub(crate) fn guess_kind(texts: &StringArray) -> DataType {
    let candidates =
        [DataType::Int64, DataType::Float64, DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)];
    if texts.null_count() == texts.len() {
        return DataType::Utf8;
    }
    if texts.iter().flatten().all(|text| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")) {
        return DataType::Boolean;
    }
    // A leading zero is the mark of a code, not of a number: 01234 must not become 1234.
    let coded = texts.iter().flatten().any(|text| {
        let digits = text.trim_start_matches('-').as_bytes();
        digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit()
    });
    let fits = |kind: &&DataType| {
        !(coded && kind.is_numeric()) && cast_column(texts, kind).1.is_empty() && looks_like(texts, kind)
    };
    candidates.iter().find(fits).cloned().unwrap_or(DataType::Utf8)
}

/// Arrow reads a date as a timestamp, and cuts a timestamp to a date; only the length tells them apart.
fn looks_like(texts: &StringArray, kind: &DataType) -> bool {
    match kind {
        DataType::Date32 => texts.iter().flatten().all(|text| text.len() <= 10),
        _ => true,
    }
}

/// A text column, for callers that hold it as any array.
pub(super) fn as_texts(array: &ArrayRef) -> &StringArray {
    array.as_string::<i32>()
}
