//! DECLARE, FETCH, CLOSE.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::options::with_options;
use super::parse_rest;
use super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::interval_text::parse_duration_ms;
use crate::statement::{Body, Declare};

/// After DECLARE.
pub(super) fn declare(reader: &mut Reader<'_>) -> Result<Body> {
    let name = reader.identifier()?.value;
    while let Some(word) = reader.one_of(&["BINARY", "INSENSITIVE", "ASENSITIVE", "SCROLL", "NO"]) {
        match word {
            "SCROLL" => return Err(reader.unsupported("SCROLL cursors are not supported")),
            "NO" => reader.expect_word("SCROLL")?,
            _ => {}
        }
    }
    reader.expect_word("CURSOR")?;
    let hold = reader.words(&["WITH", "HOLD"]);
    if !hold {
        reader.words(&["WITHOUT", "HOLD"]);
    }
    reader.expect_word("FOR")?;
    let position = reader.position(reader.peek());
    let statement = parse_rest(reader)?;
    if !matches!(statement.body, Body::Query(_) | Body::Subscribe(_)) {
        return Err(SqlError::syntax("a cursor reads a query or a SUBSCRIBE").at(position));
    }
    Ok(Body::Declare(Declare { name, hold, statement: Box::new(statement) }))
}

/// After FETCH.
pub(super) fn fetch(reader: &mut Reader<'_>) -> Result<Body> {
    let count = fetch_count(reader)?;
    reader.one_of(&["FROM", "IN"]);
    let name = reader.identifier()?.value;
    let mut timeout_ms = None;
    let position = reader.position(reader.peek());
    for (option, value) in with_options(reader)? {
        let invalid = |message: String| SqlError::new("22023", message).at(position);
        match option.value.as_str() {
            "timeout" => match parse_duration_ms(&value) {
                Some(ms) => timeout_ms = Some(ms),
                None => return Err(invalid(format!("timeout takes a duration such as '1s', not \"{value}\""))),
            },
            other => return Err(invalid(format!("FETCH has no option \"{other}\"")).with_hint("timeout")),
        }
    }
    Ok(Body::Fetch { name, count, timeout_ms })
}

/// NEXT, FORWARD, FORWARD n, FORWARD ALL, n, ALL; nothing means one row.
fn fetch_count(reader: &mut Reader<'_>) -> Result<Option<u64>> {
    // A cursor may have any name: a direction is one only if something follows that names the cursor.
    let followed = !matches!(reader.peek_nth(1).token, Token::EOF) && !reader.nth_is(1, "WITH");
    if !followed {
        return Ok(Some(1));
    }
    if let Some(word) = reader.one_of(&["NEXT", "ALL", "PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD"]) {
        return match word {
            "NEXT" => Ok(Some(1)),
            "ALL" => Ok(None),
            _ => Err(SqlError::new("55000", format!("cursor can only scan forward, not {word}"))),
        };
    }
    let forward = reader.word("FORWARD");
    if forward && reader.word("ALL") {
        return Ok(None);
    }
    if matches!(reader.peek().token, Token::Minus) {
        return Err(SqlError::new("55000", "cursor can only scan forward").at(reader.position(reader.peek())));
    }
    if matches!(reader.peek().token, Token::Number(..)) {
        return reader.with(|parser| parser.parse_literal_uint()).map(Some);
    }
    Ok(Some(1))
}

/// After CLOSE.
pub(super) fn close(reader: &mut Reader<'_>) -> Result<Body> {
    if reader.word("ALL") {
        return Ok(Body::Close(None));
    }
    Ok(Body::Close(Some(reader.identifier()?.value)))
}
