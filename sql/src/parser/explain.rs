//! EXPLAIN [ANALYZE] [VERBOSE] statement, EXPLAIN (options) statement, EXPLAIN MATERIALIZED VIEW | SINK name.

use super::drop::object_kind;
use super::options::{boolean, parenthesized_options};
use super::parse_rest;
use super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::statement::{Body, Explain, ExplainTarget};
use datafusion::sql::sqlparser::tokenizer::Token;

/// After EXPLAIN.
pub(super) fn explain(reader: &mut Reader<'_>) -> Result<Body> {
    let (mut analyze, mut verbose) = (false, false);
    if takes_options(reader) {
        let position = reader.position(reader.peek());
        for (name, value) in parenthesized_options(reader)? {
            let flag = boolean(&value);
            match (name.value.as_str(), flag) {
                ("analyze" | "analyse", Some(flag)) => analyze = flag,
                ("verbose", Some(flag)) => verbose = flag,
                ("costs" | "buffers" | "timing" | "summary" | "settings" | "wal", Some(_)) => {}
                ("format", _) if value.eq_ignore_ascii_case("text") => {}
                (name, _) => {
                    let message = format!("EXPLAIN option \"{name}\" = \"{value}\" is not supported");
                    return Err(SqlError::unsupported(message).at(position));
                }
            }
        }
    } else {
        analyze = reader.one_of(&["ANALYZE", "ANALYSE"]).is_some();
        verbose = reader.word("VERBOSE");
    }
    Ok(Body::Explain(Explain { analyze, verbose, target: target(reader)? }))
}

/// `EXPLAIN (` starts options unless a query stands in the parentheses.
fn takes_options(reader: &Reader<'_>) -> bool {
    reader.peek().token == Token::LParen
        && matches!(reader.peek_nth(1).token, Token::Word(_))
        && !["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| reader.nth_is(1, word))
}

fn target(reader: &mut Reader<'_>) -> Result<ExplainTarget> {
    let names_relation =
        reader.peek_words(&["MATERIALIZED", "VIEW"]) || reader.nth_is(0, "VIEW") || reader.nth_is(0, "SINK");
    if names_relation {
        object_kind(reader);
        return reader.object_name().map(ExplainTarget::Relation);
    }
    parse_rest(reader).map(|statement| ExplainTarget::Statement(Box::new(statement)))
}
