//! Parameters from clients: text or binary, by the type they were announced with, to the value a plan wants.
//!
//! A value is first read as what its oid says, then cast to the type the statement needs, which may differ when the
//! client declared another type than was inferred.

mod array;
mod binary;
mod moment;
mod text;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use monsoon_sql::SqlError;

/// Result of decoding.
pub(super) type Result<T> = std::result::Result<T, SqlError>;

/// Decodes one parameter.
///
/// `oid` is the type the client writes in; 0 or an unknown one is read as text. `number` is the parameter's, from 1, for messages.
pub fn parameter(bytes: Option<&[u8]>, format: i16, oid: u32, wanted: &DataType, number: usize) -> Result<ScalarValue> {
    let Some(bytes) = bytes else {
        return ScalarValue::try_from(wanted).map_err(|_| {
            SqlError::unsupported(format!("parameter ${number} has type {wanted}, which can't be given"))
        });
    };
    let value = match format {
        0 => text::value(utf8(bytes)?, oid)?,
        _ => binary::value(bytes, oid).map_err(|error| error.with_detail(format!("parameter ${number}")))?,
    };
    if value.data_type() == *wanted {
        return Ok(value);
    }
    value.cast_to(wanted).map_err(|error| {
        let message = format!("parameter ${number} can't be converted to {wanted}");
        SqlError::new("22P02", message).with_detail(error.strip_backtrace())
    })
}

/// Text must be UTF-8 without zeros, as Postgres's is.
fn utf8(bytes: &[u8]) -> Result<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\"")),
    }
}

/// Postgres's words for text that is no value of a type.
fn invalid_text(type_name: &str, text: &str) -> SqlError {
    let shown: String = text.chars().take(64).collect();
    SqlError::new("22P02", format!("invalid input syntax for type {type_name}: \"{shown}\""))
}

#[cfg(test)]
mod tests;
