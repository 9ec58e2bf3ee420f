//! PREPARE, EXECUTE, DEALLOCATE.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::parse_rest;
use super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::statement::Body;

/// After PREPARE.
pub(super) fn prepare(reader: &mut Reader<'_>) -> Result<Body> {
    if reader.nth_is(0, "TRANSACTION") {
        return Err(reader.unsupported("PREPARE TRANSACTION is not supported"));
    }
    let name = reader.identifier()?.value;
    let mut types = Vec::new();
    if reader.token(&Token::LParen) {
        types = reader.comma_separated(Reader::data_type)?;
        reader.expect_token(&Token::RParen)?;
    }
    reader.expect_word("AS")?;
    let position = reader.position(reader.peek());
    let statement = parse_rest(reader)?;
    let can_be_prepared = matches!(
        statement.body,
        Body::Query(_) | Body::Insert(_) | Body::Update(_) | Body::Delete(_) | Body::Subscribe(_)
    );
    if !can_be_prepared {
        return Err(SqlError::syntax("only queries, INSERT, UPDATE, DELETE and SUBSCRIBE can be prepared").at(position));
    }
    Ok(Body::Prepare { name, types, statement: Box::new(statement) })
}

/// After EXECUTE.
pub(super) fn execute(reader: &mut Reader<'_>) -> Result<Body> {
    let name = reader.identifier()?.value;
    let mut values = Vec::new();
    if reader.token(&Token::LParen) && !reader.token(&Token::RParen) {
        values = reader.comma_separated(Reader::expression)?;
        reader.expect_token(&Token::RParen)?;
    }
    Ok(Body::Execute { name, values })
}

/// After DEALLOCATE.
pub(super) fn deallocate(reader: &mut Reader<'_>) -> Result<Body> {
    reader.word("PREPARE");
    if reader.word("ALL") {
        return Ok(Body::Deallocate(None));
    }
    Ok(Body::Deallocate(Some(reader.identifier()?.value)))
}
