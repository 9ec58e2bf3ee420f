//! `WITH (name = value, ...)`: options of streams, sinks and subscriptions.

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::error::{Result, SqlError};

/// `WITH (...)` if it is next, else nothing.
pub(super) fn with_options(reader: &mut Reader<'_>) -> Result<Vec<(Ident, String)>> {
    if !reader.word("WITH") {
        return Ok(Vec::new());
    }
    parenthesized_options(reader)
}

/// `(name [= value], ...)`: a name alone means `true`; a name given twice is refused (42601).
pub(super) fn parenthesized_options(reader: &mut Reader<'_>) -> Result<Vec<(Ident, String)>> {
    options_named(reader, option_name)
}

/// [`parenthesized_options`] whose names `read_name` reads.
pub(super) fn options_named<'a>(
    reader: &mut Reader<'a>,
    read_name: fn(&mut Reader<'a>) -> Result<Ident>,
) -> Result<Vec<(Ident, String)>> {
    reader.expect_token(&Token::LParen)?;
    let mut options: Vec<(Ident, String)> = Vec::new();
    if reader.token(&Token::RParen) {
        return Ok(options);
    }
    loop {
        let position = reader.position(reader.peek());
        let (name, value) = option(reader, read_name)?;
        if options.iter().any(|(other, _)| other.value == name.value) {
            return Err(SqlError::syntax(format!("option \"{}\" is given twice", name.value)).at(position));
        }
        options.push((name, value));
        if !reader.token(&Token::Comma) {
            break;
        }
    }
    reader.expect_token(&Token::RParen)?;
    Ok(options)
}

fn option<'a>(reader: &mut Reader<'a>, read_name: fn(&mut Reader<'a>) -> Result<Ident>) -> Result<(Ident, String)> {
    let name = read_name(reader)?;
    let has_value = reader.token(&Token::Eq) || reader.token(&Token::RArrow);
    let value = if has_value || !matches!(reader.peek().token, Token::Comma | Token::RParen) {
        option_value(reader)?
    } else {
        "true".to_owned()
    };
    Ok((name, value))
}

/// Names may have parts (`properties.group.id`), as Flink's and Kafka's do, and may be quoted as a string. Lower case.
pub(super) fn option_name(reader: &mut Reader<'_>) -> Result<Ident> {
    let span = reader.peek().span;
    let mut value = match reader.peek().token {
        Token::SingleQuotedString(_) => reader.string()?,
        _ => reader.label()?.value,
    };
    while reader.token(&Token::Period) {
        value.push('.');
        value.push_str(&reader.label()?.value);
    }
    Ok(Ident { value: value.to_lowercase(), quote_style: None, span })
}

/// A string, number, boolean or plain word, as text.
pub(super) fn option_value(reader: &mut Reader<'_>) -> Result<String> {
    let sign = if reader.token(&Token::Minus) { "-" } else { "" };
    match &reader.peek().token {
        Token::Number(number, _) => {
            let value = format!("{sign}{number}");
            reader.next();
            Ok(value)
        }
        Token::Word(word) if sign.is_empty() => {
            let value = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() };
            reader.next();
            Ok(value)
        }
        _ if sign.is_empty() => reader.string(),
        _ => Err(reader.expected("a number")),
    }
}

/// Reads a boolean option as Postgres does.
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" | "yes" | "t" | "y" => Some(true),
        "false" | "off" | "0" | "no" | "f" | "n" => Some(false),
        _ => None,
    }
}
