//! Looks at the first words of a statement and calls who reads it.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::reader::Reader;
use super::{
    comment, copy, create, cursor, drop, explain, modify, prepared, setting, show, subscribe, topology, transaction,
    unsupported,
};
use crate::error::Result;
use crate::statement::Body;

type Parse = fn(&mut Reader<'_>) -> Result<Body>;

/// First word -> who reads the statement. The word itself has been taken, except for those in `WHOLE`.
const FIRST_WORDS: &[(&str, Parse)] = &[
    ("ABORT", transaction::rollback),
    ("ACTIVATE", topology::activate),
    ("BEGIN", transaction::begin),
    ("CLOSE", cursor::close),
    ("COMMENT", comment::comment),
    ("COMMIT", transaction::commit),
    ("COPY", copy::copy),
    ("CREATE", create::create),
    ("DEALLOCATE", prepared::deallocate),
    ("DEACTIVATE", topology::deactivate),
    ("DECLARE", cursor::declare),
    ("DESC", show::describe),
    ("DESCRIBE", show::describe),
    ("DISCARD", setting::discard),
    ("DROP", drop::drop),
    ("END", transaction::commit),
    ("EXECUTE", prepared::execute),
    ("EXPLAIN", explain::explain),
    ("FETCH", cursor::fetch),
    ("FLUSH", show::flush),
    ("KILL", topology::kill),
    ("LISTEN", setting::listen),
    ("PREPARE", prepared::prepare),
    ("RELEASE", transaction::release),
    ("RESET", setting::reset),
    ("RESTART", topology::restart),
    ("ROLLBACK", transaction::rollback),
    ("SAVEPOINT", transaction::savepoint),
    ("SET", setting::set),
    ("SHOW", show::show),
    ("START", transaction::start),
    ("SUBSCRIBE", subscribe::subscribe),
    ("TRUNCATE", modify::truncate),
    ("UNLISTEN", setting::unlisten),
    ("VERIFY", show::verify),
];

/// First word -> who reads the statement, from its first word on.
const WHOLE: &[(&str, Parse)] = &[
    ("ALTER", topology::alter),
    ("DELETE", modify::modify),
    ("INSERT", modify::modify),
    ("SELECT", subscribe::select),
    ("TABLE", modify::query),
    ("UPDATE", modify::modify),
    ("VALUES", modify::query),
    ("WITH", modify::query),
];

/// Reads one statement.
pub(super) fn parse_body(reader: &mut Reader<'_>) -> Result<Body> {
    if reader.peek().token == Token::LParen {
        return modify::query(reader);
    }
    for (word, parse) in WHOLE {
        if reader.nth_is(0, word) {
            return parse(reader);
        }
    }
    for (word, parse) in FIRST_WORDS {
        if reader.word(word) {
            return parse(reader);
        }
    }
    Err(unsupported::statement(reader))
}
