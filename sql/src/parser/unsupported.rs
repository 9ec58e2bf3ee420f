//! Statements of Postgres that Monsoon doesn't have: refused by name (0A000), so that they aren't taken for typing errors.

use super::reader::Reader;
use crate::error::SqlError;

/// First words of statements that Postgres knows.
const STATEMENTS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "ANALYSE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "DO",
    "GRANT",
    "IMPORT",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "REVOKE",
    "SECURITY",
    "VACUUM",
];

/// What follows CREATE, DROP, ALTER or COMMENT ON in statements that Postgres or Monsoon's design knows.
const OBJECTS: &[&str] = &[
    "ACCESS METHOD",
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "CONSTRAINT",
    "CONVERSION",
    "DATABASE",
    "DEFAULT PRIVILEGES",
    "DOMAIN",
    "EVENT TRIGGER",
    "EXTENSION",
    "EXTERNAL TABLE",
    "FOREIGN",
    "FUNCTION",
    "GLOBAL TEMP",
    "GLOBAL TEMPORARY",
    "GROUP",
    "INDEX",
    "LANGUAGE",
    "LOCAL TEMP",
    "LOCAL TEMPORARY",
    "MATERIALIZED VIEW",
    "OPERATOR",
    "OWNED",
    "POLICY",
    "PROCEDURE",
    "PUBLICATION",
    "ROLE",
    "ROUTINE",
    "RULE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "SINK",
    "SOURCE",
    "STATISTICS",
    "STREAM",
    "SUBSCRIPTION",
    "SYSTEM",
    "TABLE",
    "TABLESPACE",
    "TEMP",
    "TEMPORARY",
    "TEXT SEARCH",
    "TOPOLOGY",
    "TRANSFORM",
    "TRIGGER",
    "TYPE",
    "UNIQUE INDEX",
    "UNLOGGED TABLE",
    "USER",
    "VIEW",
    "RECURSIVE VIEW",
    "CONNECTION",
    "SECRET",
];

/// The error for a statement whose first word is next and is none of ours.
pub(super) fn statement(reader: &Reader<'_>) -> SqlError {
    let Some(word) = STATEMENTS.iter().find(|word| reader.nth_is(0, word)) else {
        return reader.expected("a statement");
    };
    match object_at(reader, 1) {
        Some(object) => reader.unsupported(format!("{word} {object} is not supported")),
        None => reader.unsupported(format!("{word} is not supported")),
    }
}

/// The error for `verb` (already taken) followed by an object that we don't have.
pub(super) fn object(reader: &Reader<'_>, verb: &str, expected: &str) -> SqlError {
    match object_at(reader, 0) {
        Some(object) => reader.unsupported(format!("{verb} {object} is not supported")),
        None => reader.expected(expected),
    }
}

fn object_at(reader: &Reader<'_>, start: usize) -> Option<&'static str> {
    let matches = |object: &&&str| object.split(' ').enumerate().all(|(n, word)| reader.nth_is(start + n, word));
    OBJECTS.iter().find(matches).copied()
}
