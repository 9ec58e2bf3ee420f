//! The parser: text to statements.
//!
//! sqlparser's tokenizer cuts the text; we split it at semicolons, look at the first words, read our own statements
//! with sqlparser's building blocks and give it whole queries, INSERT, UPDATE and DELETE. What sqlparser would accept
//! and we don't is refused by name (0A000). Spans in the returned syntax trees are places in the *statement's* text, so
//! a view's text can be parsed again by itself; error positions are places in what the client sent.

mod comment;
mod copy;
mod create;
mod cursor;
mod dialect;
mod dispatch;
mod drop;
mod explain;
mod modify;
mod options;
mod prepared;
mod reader;
mod reserved;
mod setting;
mod show;
mod split;
mod subscribe;
mod topology;
mod transaction;
mod unsupported;

#[cfg(test)]
mod mutation_test;
#[cfg(test)]
mod tests;

use datafusion::sql::sqlparser::ast::{DataType, Expr, Query};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};

use crate::error::{Result, SqlError};
use crate::sql_text::SqlText;
use crate::statement::{Body, Statement};
use dialect::MonsoonDialect;
use reader::Reader;

/// Longest text that is parsed, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep expressions and queries may be nested.
pub const RECURSION_LIMIT: usize = 50;
/// How many statements may be around one (EXPLAIN, PREPARE, DECLARE).
const STATEMENT_DEPTH_MAX: usize = 3;

/// Parses what a client sent: any number of statements separated by semicolons. Text without any statement gives one
/// [`Body::Empty`].
pub fn parse(sql: &str) -> Result<Vec<Statement>> {
    check_length(sql)?;
    let text = SqlText::new(sql);
    let tokens = tokenize(&text)?;
    let parts = split::split(&text, tokens)?;
    if parts.is_empty() {
        return Ok(vec![Statement { sql: String::new(), offset: 0, body: Body::Empty }]);
    }
    parts.into_iter().map(|part| parse_part(part.text, part.offset, part.tokens, 0)).collect()
}

/// Parses one query by itself, as the catalog keeps it.
pub fn parse_query(sql: &str) -> Result<Box<Query>> {
    parse_whole(sql, |reader| reader.query().map(|(query, _)| query))
}

/// Parses one expression by itself.
pub fn parse_expression(sql: &str) -> Result<Expr> {
    parse_whole(sql, |reader| reader.expression())
}

/// Whether a word can be a name only in quotes.
pub fn is_reserved_word(word: &str) -> bool {
    reserved::is_reserved(word)
}

/// Parses the name of a type by itself.
pub fn parse_data_type(sql: &str) -> Result<DataType> {
    parse_whole(sql, |reader| reader.data_type())
}

fn parse_whole<T>(sql: &str, parse: impl FnOnce(&mut Reader<'_>) -> Result<T>) -> Result<T> {
    check_length(sql)?;
    let text = SqlText::new(sql);
    let mut tokens = tokenize(&text)?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    split::check_chains(&text, &tokens)?;
    split::normalize(&mut tokens);
    let dialect = MonsoonDialect::new(tokens.len());
    let mut reader = Reader::new(&dialect, &text, 0, tokens, 0);
    let parsed = parse(&mut reader)?;
    reader.expect_end()?;
    Ok(parsed)
}

/// Parses one statement, within `depth` others; `tokens` have their places in `sql`.
fn parse_part(sql: String, offset: usize, tokens: Vec<TokenWithSpan>, depth: usize) -> Result<Statement> {
    let text = SqlText::new(&sql);
    let dialect = MonsoonDialect::new(tokens.len());
    let mut reader = Reader::new(&dialect, &text, offset, tokens, depth);
    let body = dispatch::parse_body(&mut reader)?;
    reader.expect_end()?;
    drop(reader);
    Ok(Statement { sql, offset, body })
}

/// Parses the rest of what `reader` reads as a statement of its own (after EXPLAIN, PREPARE, DECLARE).
fn parse_rest(reader: &mut Reader<'_>) -> Result<Statement> {
    let depth = reader.depth() + 1;
    if depth > STATEMENT_DEPTH_MAX {
        return Err(reader::too_complex());
    }
    let (sql, offset, mut tokens) = reader.rest();
    let Some(start) = tokens.first().map(|token| token.span.start) else {
        return Err(reader.expected("a statement"));
    };
    split::rebase(&mut tokens, start);
    parse_part(sql, offset, tokens, depth)
}

fn check_length(sql: &str) -> Result<()> {
    if sql.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    Err(SqlError::new(
        "54000",
        format!("the text of {} bytes is longer than the limit of {TEXT_BYTES_MAX} bytes", sql.len()),
    )
    .with_hint("send statements one at a time, or rows with COPY"))
}

fn tokenize(text: &SqlText<'_>) -> Result<Vec<TokenWithSpan>> {
    let dialect = MonsoonDialect::new(0);
    Tokenizer::new(&dialect, text.as_str()).tokenize_with_location().map_err(|error| tokenizer_error(text, error))
}

/// Longest piece of text that a message shows.
const SHOWN_CHARS_MAX: usize = 60;

fn tokenizer_error(text: &SqlText<'_>, error: TokenizerError) -> SqlError {
    let start = text.char_offset(error.location);
    let rest: String = text.as_str()[text.byte_offset(start)..].chars().take(SHOWN_CHARS_MAX).collect();
    let message = match error.message.as_str() {
        message if message.contains("Unterminated string") => "unterminated quoted string",
        message if message.contains("Unterminated dollar") => "unterminated dollar-quoted string",
        message if message.contains("comment") => "unterminated /* comment",
        message if message.contains("EOF") => "unterminated quoted identifier",
        _ => "syntax error",
    };
    let place = if rest.is_empty() { "at end of input".to_owned() } else { format!("at or near \"{rest}\"") };
    SqlError::syntax(format!("{message} {place}")).with_detail(error.message).at(start + 1)
}
