//! BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their synonyms.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::reader::Reader;
use crate::error::Result;
use crate::statement::Body;

/// After BEGIN.
pub(super) fn begin(reader: &mut Reader<'_>) -> Result<Body> {
    reader.one_of(&["WORK", "TRANSACTION"]);
    modes(reader).map(|read_only| Body::Begin { read_only })
}

/// After START.
pub(super) fn start(reader: &mut Reader<'_>) -> Result<Body> {
    reader.expect_word("TRANSACTION")?;
    modes(reader).map(|read_only| Body::Begin { read_only })
}

/// ISOLATION LEVEL, READ ONLY | WRITE, [NOT] DEFERRABLE; what was said of READ, the last of it.
pub(super) fn modes(reader: &mut Reader<'_>) -> Result<Option<bool>> {
    let mut read_only = None;
    while !reader.at_end() {
        mode(reader, &mut read_only)?;
        if reader.token(&Token::Comma) && reader.at_end() {
            return Err(reader.expected("a transaction mode"));
        }
    }
    Ok(read_only)
}

fn mode(reader: &mut Reader<'_>, read_only: &mut Option<bool>) -> Result<()> {
    if reader.words(&["ISOLATION", "LEVEL"]) {
        const LEVELS: [&[&str]; 4] =
            [&["SERIALIZABLE"], &["REPEATABLE", "READ"], &["READ", "COMMITTED"], &["READ", "UNCOMMITTED"]];
        return match LEVELS.iter().any(|level| reader.words(level)) {
            true => Ok(()),
            false => Err(reader.expected("an isolation level")),
        };
    }
    if reader.words(&["READ", "ONLY"]) {
        *read_only = Some(true);
        return Ok(());
    }
    if reader.words(&["READ", "WRITE"]) {
        *read_only = Some(false);
        return Ok(());
    }
    if reader.words(&["NOT", "DEFERRABLE"]) || reader.word("DEFERRABLE") {
        return Ok(());
    }
    Err(reader.expected("a transaction mode"))
}

/// After COMMIT or END.
pub(super) fn commit(reader: &mut Reader<'_>) -> Result<Body> {
    reader.one_of(&["WORK", "TRANSACTION"]);
    no_chain(reader)?;
    if reader.nth_is(0, "PREPARED") {
        return Err(reader.unsupported("COMMIT PREPARED is not supported"));
    }
    Ok(Body::Commit)
}

/// After ROLLBACK or ABORT.
pub(super) fn rollback(reader: &mut Reader<'_>) -> Result<Body> {
    reader.one_of(&["WORK", "TRANSACTION"]);
    if reader.word("TO") {
        reader.word("SAVEPOINT");
        return Ok(Body::RollbackTo(reader.identifier()?.value));
    }
    if reader.nth_is(0, "PREPARED") {
        return Err(reader.unsupported("ROLLBACK PREPARED is not supported"));
    }
    no_chain(reader)?;
    Ok(Body::Rollback)
}

/// `AND NO CHAIN` is what happens anyway; `AND CHAIN` is refused.
fn no_chain(reader: &mut Reader<'_>) -> Result<()> {
    if reader.peek_words(&["AND", "CHAIN"]) {
        return Err(reader.unsupported("AND CHAIN is not supported"));
    }
    reader.words(&["AND", "NO", "CHAIN"]);
    Ok(())
}

/// After SAVEPOINT.
pub(super) fn savepoint(reader: &mut Reader<'_>) -> Result<Body> {
    Ok(Body::Savepoint(reader.identifier()?.value))
}

/// After RELEASE.
pub(super) fn release(reader: &mut Reader<'_>) -> Result<Body> {
    reader.word("SAVEPOINT");
    Ok(Body::Release(reader.identifier()?.value))
}
