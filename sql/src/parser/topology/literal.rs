//! Values within clauses: numbers, durations, lists of strings, names of registered code.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::interval_text::parse_duration_ms;
use crate::statement::Native;

/// Units that may follow `INTERVAL '10'`.
const UNITS: &[&str] =
    &["MILLISECOND", "MILLISECONDS", "SECOND", "SECONDS", "MINUTE", "MINUTES", "HOUR", "HOURS", "DAY", "DAYS"];

/// A whole number from 1.
pub(super) fn whole_number(reader: &mut Reader<'_>, clause: &str) -> Result<u32> {
    let Token::Number(digits, _) = &reader.peek().token else {
        return Err(reader.expected("a number"));
    };
    match digits.parse() {
        Ok(number) if number > 0 => {
            reader.next();
            Ok(number)
        }
        _ => {
            let message = format!("{clause} takes a whole number from 1 to {}, not {digits}", u32::MAX);
            Err(SqlError::new("22023", message).at(reader.position(reader.peek())))
        }
    }
}

/// `'10 s'`, `INTERVAL '10 s'` or `INTERVAL '10' SECOND`, in milliseconds. A number without unit is refused: an option
/// would take it for milliseconds, Postgres for seconds.
pub(super) fn duration_ms(reader: &mut Reader<'_>, clause: &str) -> Result<u64> {
    let is_interval = reader.word("INTERVAL");
    let position = reader.position(reader.peek());
    let text = reader.string()?;
    let unit = if is_interval { reader.one_of(UNITS) } else { None };
    let is_number = text.trim().parse::<f64>().is_ok();
    let ms = match unit {
        Some(unit) if is_number => parse_duration_ms(&format!("{} {unit}", text.trim())),
        None if !is_number => parse_duration_ms(&text),
        _ => None,
    };
    ms.ok_or_else(|| {
        let message = format!("{clause} takes a duration such as '10 s', not \"{text}\"");
        SqlError::new("22023", message).at(position)
    })
}

/// A duration that is not zero.
pub(super) fn positive_duration_ms(reader: &mut Reader<'_>, clause: &str) -> Result<u64> {
    let position = reader.position(reader.peek());
    match duration_ms(reader, clause)? {
        0 => Err(SqlError::new("22023", format!("{clause} takes a duration of at least 1 ms")).at(position)),
        ms => Ok(ms),
    }
}

/// Strings in parentheses, at least one.
pub(super) fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    reader.expect_token(&Token::LParen)?;
    let strings = reader.comma_separated(Reader::string)?;
    reader.expect_token(&Token::RParen)?;
    Ok(strings)
}

/// `'name' [('argument', ...)]`.
pub(super) fn native(reader: &mut Reader<'_>) -> Result<Native> {
    let span = reader.peek().span;
    let name = Ident { value: reader.string()?, quote_style: Some('\''), span };
    let arguments = if reader.peek().token == Token::LParen { strings(reader)? } else { Vec::new() };
    Ok(Native { name, arguments })
}
