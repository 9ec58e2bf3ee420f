//! COPY, with Postgres's options of today and those from before 9.0 (psql's `\copy` and old dumps send them).

use datafusion::sql::sqlparser::ast::{Ident, ObjectName};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::options::{boolean, parenthesized_options};
use super::parse_query;
use super::reader::Reader;
use super::subscribe::parse_subscribe;
use crate::error::{Result, SqlError};
use crate::statement::{Body, Copy, CopyDirection, CopyFormat, CopyKind};

/// After COPY.
pub(super) fn copy(reader: &mut Reader<'_>) -> Result<Body> {
    let binary_first = reader.word("BINARY");
    let source = source(reader)?;
    let direction = direction(reader, source)?;
    let mut options = options(reader)?;
    if binary_first {
        options.kind = Some(CopyKind::Binary);
    }
    if matches!(direction, CopyDirection::FromStdin { .. }) && reader.nth_is(0, "WHERE") {
        return Err(reader.unsupported("COPY ... WHERE is not supported"));
    }
    Ok(Body::Copy(Copy { direction, format: options.finish()? }))
}

enum Source {
    Relation(ObjectName, Vec<Ident>),
    Direction(CopyDirection),
}

fn source(reader: &mut Reader<'_>) -> Result<Source> {
    if !reader.token(&Token::LParen) {
        let name = reader.object_name()?;
        let columns =
            if reader.peek().token == Token::LParen { reader.parenthesized_identifiers()? } else { Vec::new() };
        return Ok(Source::Relation(name, columns));
    }
    let direction = if reader.word("SUBSCRIBE") {
        CopyDirection::SubscribeToStdout(parse_subscribe(reader)?)
    } else {
        CopyDirection::QueryToStdout(reader.query()?.0)
    };
    reader.expect_token(&Token::RParen)?;
    Ok(Source::Direction(direction))
}

fn direction(reader: &mut Reader<'_>, source: Source) -> Result<CopyDirection> {
    let expected = match source {
        Source::Relation(..) => reader.one_of(&["FROM", "TO"]),
        Source::Direction(_) => reader.one_of(&["TO"]),
    };
    let Some(word) = expected else {
        return Err(reader.expected("FROM or TO"));
    };
    let stream = if word == "FROM" { "STDIN" } else { "STDOUT" };
    if !reader.word(stream) {
        let message = format!("COPY {word} a file or program is not supported");
        return Err(reader.unsupported(message).with_hint(format!("COPY {word} {stream}, or psql's \\copy")));
    }
    match source {
        Source::Direction(direction) => Ok(direction),
        Source::Relation(name, columns) if word == "FROM" => Ok(CopyDirection::FromStdin { name, columns }),
        Source::Relation(name, columns) => {
            let query = parse_query(&select_of(&name, &columns))?;
            Ok(CopyDirection::QueryToStdout(query))
        }
    }
}

/// The query that COPY name (columns) TO reads. The names are folded, so they are quoted.
fn select_of(name: &ObjectName, columns: &[Ident]) -> String {
    let quote = |value: &str| format!("\"{}\"", value.replace('"', "\"\""));
    let columns: Vec<String> = columns.iter().map(|column| quote(&column.value)).collect();
    let name: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(|ident| quote(&ident.value)).collect();
    let columns = if columns.is_empty() { "*".to_owned() } else { columns.join(", ") };
    format!("SELECT {columns} FROM {}", name.join("."))
}

/// Options as given; defaults depend on the format.
#[derive(Default)]
struct Options {
    kind: Option<CopyKind>,
    delimiter: Option<u8>,
    null: Option<String>,
    header: bool,
    quote: Option<u8>,
    escape: Option<u8>,
}

fn options(reader: &mut Reader<'_>) -> Result<Options> {
    let mut options = Options::default();
    let with = reader.word("WITH");
    if reader.peek().token == Token::LParen {
        let position = reader.position(reader.peek());
        for (name, value) in parenthesized_options(reader)? {
            options.set(&name.value, &value).map_err(|error| error.at(position))?;
        }
        return Ok(options);
    }
    let start = reader.remaining().len();
    while old_option(reader, &mut options)? {}
    if with && reader.remaining().len() == start {
        return Err(reader.expected("options"));
    }
    Ok(options)
}

/// One option of the syntax before 9.0, if one is next.
fn old_option(reader: &mut Reader<'_>, options: &mut Options) -> Result<bool> {
    let position = reader.position(reader.peek());
    let Some(word) =
        reader.one_of(&["BINARY", "CSV", "HEADER", "DELIMITERS", "DELIMITER", "NULL", "QUOTE", "ESCAPE", "ENCODING"])
    else {
        if reader.nth_is(0, "FORCE") {
            return Err(reader.unsupported("COPY ... FORCE is not supported"));
        }
        return Ok(false);
    };
    let (name, value) = match word {
        "BINARY" | "CSV" => ("format", word.to_lowercase()),
        "HEADER" => ("header", "true".to_owned()),
        other => {
            reader.word("AS");
            let name = if other == "DELIMITERS" { "delimiter" } else { other };
            (name, reader.string()?)
        }
    };
    options.set(&name.to_lowercase(), &value).map_err(|error| error.at(position))?;
    Ok(true)
}

impl Options {
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "format" => self.kind = Some(kind(value)?),
            "delimiter" => self.delimiter = Some(one_byte("delimiter", value)?),
            "null" => self.null = Some(value.to_owned()),
            "quote" => self.quote = Some(one_byte("quote", value)?),
            "escape" => self.escape = Some(one_byte("escape", value)?),
            "header" => self.header = header(value)?,
            "encoding" if is_utf8(value) => {}
            "encoding" => {
                return Err(SqlError::unsupported(format!("encoding {value} is not supported")).with_hint("UTF8"));
            }
            "freeze" => {}
            "force_quote" | "force_not_null" | "force_null" | "default" | "on_error" | "log_verbosity"
            | "reject_limit" => {
                return Err(SqlError::unsupported(format!("COPY option \"{name}\" is not supported")));
            }
            _ => return Err(SqlError::syntax(format!("option \"{name}\" not recognized"))),
        }
        Ok(())
    }

    fn finish(self) -> Result<CopyFormat> {
        let kind = self.kind.unwrap_or(CopyKind::Text);
        let is_csv = kind == CopyKind::Csv;
        if !is_csv && (self.quote.is_some() || self.escape.is_some()) {
            let option = if self.quote.is_some() { "QUOTE" } else { "ESCAPE" };
            return Err(SqlError::unsupported(format!("COPY {option} requires CSV mode")));
        }
        if kind == CopyKind::Binary && (self.delimiter.is_some() || self.null.is_some() || self.header) {
            return Err(SqlError::syntax("cannot specify DELIMITER, NULL or HEADER in BINARY mode"));
        }
        let quote = self.quote.unwrap_or(b'"');
        let delimiter = self.delimiter.unwrap_or(if is_csv { b',' } else { b'\t' });
        let null = self.null.unwrap_or_else(|| if is_csv { String::new() } else { "\\N".to_owned() });
        check_delimiter(delimiter, &null, is_csv.then_some(quote))?;
        Ok(CopyFormat { kind, delimiter, null, header: self.header, quote, escape: self.escape.unwrap_or(quote) })
    }
}

fn kind(value: &str) -> Result<CopyKind> {
    match value.to_ascii_lowercase().as_str() {
        "text" => Ok(CopyKind::Text),
        "csv" => Ok(CopyKind::Csv),
        "binary" => Ok(CopyKind::Binary),
        _ => Err(SqlError::new("22023", format!("COPY format \"{value}\" not recognized"))),
    }
}

fn header(value: &str) -> Result<bool> {
    if value.eq_ignore_ascii_case("match") {
        return Ok(true);
    }
    boolean(value).ok_or_else(|| SqlError::new("22023", "header requires a Boolean value or \"match\""))
}

fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode")
}

fn one_byte(name: &str, value: &str) -> Result<u8> {
    match value.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(SqlError::unsupported(format!("COPY {name} must be a single one-byte character"))),
    }
}

fn check_delimiter(delimiter: u8, null: &str, quote: Option<u8>) -> Result<()> {
    let invalid = |message: &str| Err(SqlError::new("22023", message));
    if matches!(delimiter, b'\n' | b'\r') {
        return invalid("COPY delimiter cannot be newline or carriage return");
    }
    if quote.is_none()
        && (delimiter == b'\\' || delimiter == b'.' || delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit())
    {
        return Err(SqlError::new("22023", format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
    }
    if null.contains(['\n', '\r']) {
        return invalid("COPY null representation cannot use newline or carriage return");
    }
    if null.as_bytes().contains(&delimiter) {
        return invalid("COPY delimiter must not appear in the NULL specification");
    }
    if quote == Some(delimiter) {
        return invalid("COPY delimiter and quote must be different");
    }
    Ok(())
}
