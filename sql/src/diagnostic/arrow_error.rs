//! Arrow's errors: faults of the data.

use arrow::error::ArrowError;

use super::type_name::sql_type_name;
use super::{Classified, lower_first};

/// Classifies an error of an Arrow kernel.
pub(super) fn classify(error: &ArrowError) -> Classified {
    match error {
        ArrowError::DivideByZero => Classified::new("22012", "division by zero"),
        ArrowError::ArithmeticOverflow(message) => out_of_range(message),
        ArrowError::CastError(message) | ArrowError::ParseError(message) => cast(message),
        ArrowError::ComputeError(message) if message.contains("verflow") => out_of_range(message),
        ArrowError::InvalidArgumentError(message) if message.contains("too large to store") => out_of_range(message),
        ArrowError::NotYetImplemented(message) => Classified::new("0A000", lower_first(message)),
        ArrowError::MemoryError(_) => Classified::new("53200", "out of memory"),
        ArrowError::ComputeError(message) | ArrowError::InvalidArgumentError(message) => {
            Classified::new("22023", lower_first(message))
        }
        other => Classified::new("XX000", other.to_string()),
    }
}

fn out_of_range(message: &str) -> Classified {
    let mut classified = Classified::new("22003", "value out of range");
    if !message.is_empty() {
        classified.error = classified.error.with_detail(lower_first(message));
    }
    classified
}

/// A cast or a parse that failed: 22P02 for text that isn't of the type, 22007 for times, 22003 for size.
pub(super) fn cast(message: &str) -> Classified {
    if let Some((value, rest)) = quoted_after(message, "Cannot cast string '") {
        let type_name = between(rest, "to value of ", " type").map_or_else(|| "the type".to_owned(), sql_type_name);
        return invalid_text(&type_name, value, message);
    }
    if let Some(rest) = message.strip_prefix("Can't cast value ") {
        if let Some((value, type_name)) = rest.split_once(" to type ") {
            let type_name = sql_type_name(type_name);
            let value = value.trim_matches('"');
            return Classified::new("22003", format!("value \"{value}\" is out of range for type {type_name}"));
        }
    }
    if let Some((value, _)) = quoted_after(message, "Error parsing timestamp from '") {
        return invalid_text("timestamp", value, message);
    }
    if message.contains("verflow") || message.contains("out of range") || message.contains("too large") {
        return out_of_range(message);
    }
    Classified::new("22P02", lower_first(message))
}

fn invalid_text(type_name: &str, value: &str, message: &str) -> Classified {
    let is_time = ["date", "time", "interval"].iter().any(|word| type_name.starts_with(word));
    let sqlstate = if is_time { "22007" } else { "22P02" };
    // "numeric overflow" and the like: the text is a number, but too big.
    let is_number = value.trim().parse::<f64>().is_ok_and(f64::is_finite) && !value.contains(['.', 'e', 'E']);
    if is_number && matches!(type_name, "smallint" | "integer" | "bigint") {
        return Classified::new("22003", format!("value \"{value}\" is out of range for type {type_name}"));
    }
    if message.contains("verflow") {
        return out_of_range(message);
    }
    Classified::new(sqlstate, format!("invalid input syntax for type {type_name}: \"{value}\""))
}

/// The text up to the closing quote after `prefix`, and what follows it. The value may hold quotes itself: the last
/// one before ` to value of` or `:` closes it.
fn quoted_after<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = message.split_once(prefix)?;
    let end = rest.rfind("' to value of").or_else(|| rest.rfind("':")).or_else(|| rest.rfind('\''))?;
    Some((&rest[..end], &rest[end + 1..]))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    let at = rest.rfind(end)?;
    Some(&rest[..at])
}
