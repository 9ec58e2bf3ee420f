//! SHOW, DESCRIBE, FLUSH, VERIFY.

use super::drop::object_kind;
use super::reader::Reader;
use super::setting::setting_name;
use super::topology;
use crate::error::Result;
use crate::statement::{Body, ObjectKind, Show};

/// After SHOW.
pub(super) fn show(reader: &mut Reader<'_>) -> Result<Body> {
    if let Some(statement) = topology::show(reader)? {
        return Ok(statement);
    }
    parse_show(reader).map(Body::Show)
}

fn parse_show(reader: &mut Reader<'_>) -> Result<Show> {
    if let Some(kind) = plural(reader) {
        return Ok(Show::Objects(kind));
    }
    if reader.word("COLUMNS") {
        if reader.one_of(&["FROM", "IN"]).is_none() {
            return Err(reader.expected("FROM"));
        }
        return reader.object_name().map(Show::Columns);
    }
    if reader.word("CREATE") {
        if object_kind(reader).is_none() {
            return Err(reader.expected("STREAM, TABLE, VIEW, MATERIALIZED VIEW, SINK or TOPOLOGY"));
        }
        return reader.object_name().map(Show::Create);
    }
    if reader.word("ALL") {
        return Ok(Show::All);
    }
    if reader.words(&["TIME", "ZONE"]) {
        return Ok(Show::Setting("timezone".to_owned()));
    }
    if reader.words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
        return Ok(Show::Setting("transaction_isolation".to_owned()));
    }
    if reader.words(&["SESSION", "AUTHORIZATION"]) {
        return Ok(Show::Setting("session_authorization".to_owned()));
    }
    setting_name(reader).map(Show::Setting)
}

fn plural(reader: &mut Reader<'_>) -> Option<ObjectKind> {
    if reader.words(&["MATERIALIZED", "VIEWS"]) {
        return Some(ObjectKind::MaterializedView);
    }
    let kind = match reader.one_of(&["STREAMS", "SOURCES", "TABLES", "VIEWS", "SINKS"])? {
        "STREAMS" | "SOURCES" => ObjectKind::Stream,
        "TABLES" => ObjectKind::Table,
        "VIEWS" => ObjectKind::View,
        _ => ObjectKind::Sink,
    };
    Some(kind)
}

/// After DESCRIBE or DESC.
pub(super) fn describe(reader: &mut Reader<'_>) -> Result<Body> {
    if let Some(statement) = topology::describe(reader)? {
        return Ok(statement);
    }
    let names_kind = object_kind(reader).is_some();
    if names_kind && reader.at_end() {
        return Err(reader.expected("a name"));
    }
    reader.object_name().map(Body::Describe)
}

/// After FLUSH.
pub(super) fn flush(_reader: &mut Reader<'_>) -> Result<Body> {
    Ok(Body::Flush)
}

/// After VERIFY.
pub(super) fn verify(reader: &mut Reader<'_>) -> Result<Body> {
    reader.expect_word("MATERIALIZED")?;
    reader.expect_word("VIEW")?;
    reader.object_name().map(Body::Verify)
}
