//! SUBSCRIBE [TO] name | (query) | query [WITH (...)], and SELECT STREAM.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::create::{Defined, defining_query, whole_relation};
use super::modify;
use super::options::{boolean, with_options};
use super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::statement::{Body, Subscribe};

/// After SUBSCRIBE.
pub(super) fn subscribe(reader: &mut Reader<'_>) -> Result<Body> {
    parse_subscribe(reader).map(Body::Subscribe)
}

/// After SUBSCRIBE, for COPY too.
pub(super) fn parse_subscribe(reader: &mut Reader<'_>) -> Result<Subscribe> {
    reader.word("TO");
    let defined = if reader.token(&Token::LParen) {
        let (query, sql) = reader.query()?;
        reader.expect_token(&Token::RParen)?;
        Defined { query, sql, emit_on_window_close: false }
    } else if ["SELECT", "WITH", "VALUES"].iter().any(|word| reader.nth_is(0, word)) {
        let position = reader.position(reader.peek());
        let defined = defining_query(reader)?;
        if defined.emit_on_window_close {
            return Err(SqlError::unsupported(
                "EMIT ON WINDOW CLOSE is supported for materialized views and sinks only",
            )
            .at(position));
        }
        defined
    } else {
        whole_relation(&reader.object_name()?)?
    };
    let position = reader.position(reader.peek());
    let options = with_options(reader)?;
    let mut subscribe = Subscribe { query: defined.query, query_sql: defined.sql, snapshot: true, progress: false };
    for (name, value) in options {
        let invalid = |message: String| SqlError::new("22023", message).at(position);
        let flag = boolean(&value)
            .ok_or_else(|| invalid(format!("option \"{}\" takes true or false, not \"{value}\"", name.value)));
        match name.value.as_str() {
            "snapshot" => subscribe.snapshot = flag?,
            "progress" => subscribe.progress = flag?,
            other => {
                return Err(invalid(format!("SUBSCRIBE has no option \"{other}\"")).with_hint("snapshot, progress"));
            }
        }
    }
    Ok(subscribe)
}

/// A statement that starts with SELECT: SELECT STREAM is StormSQL's word for SUBSCRIBE.
pub(super) fn select(reader: &mut Reader<'_>) -> Result<Body> {
    if !selects_stream(reader) {
        return modify::query(reader);
    }
    reader.words(&["SELECT", "STREAM"]);
    let length = reader.remaining().len();
    let (query, sql) = reader.select_of(length)?;
    Ok(Body::Subscribe(Subscribe { query, query_sql: sql, snapshot: true, progress: false }))
}

/// `SELECT STREAM x`, where `STREAM` is not itself the expression (`SELECT stream FROM t`, `SELECT stream, ...`).
fn selects_stream(reader: &Reader<'_>) -> bool {
    if !reader.peek_words(&["SELECT", "STREAM"]) {
        return false;
    }
    match &reader.peek_nth(2).token {
        Token::Word(_) => {
            !["FROM", "AS", "WHERE", "UNION", "IS", "AND", "OR"].iter().any(|word| reader.nth_is(2, word))
        }
        Token::Mul => {
            let after = &reader.peek_nth(3).token;
            reader.nth_is(3, "FROM") || *after == Token::Comma
        }
        Token::Number(..) | Token::SingleQuotedString(_) | Token::LParen => true,
        _ => false,
    }
}
