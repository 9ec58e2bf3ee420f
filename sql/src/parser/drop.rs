//! DROP STREAM | SOURCE | TABLE | VIEW | MATERIALIZED VIEW | SINK [IF EXISTS] name, ... [CASCADE | RESTRICT]; DROP
//! TOPOLOGY is passed on.

use super::reader::Reader;
use super::{topology, unsupported};
use crate::error::Result;
use crate::statement::{Body, Drop, ObjectKind};

/// After DROP.
pub(super) fn drop(reader: &mut Reader<'_>) -> Result<Body> {
    if reader.word("TOPOLOGY") {
        return topology::drop(reader);
    }
    let Some(kind) = object_kind(reader) else {
        return Err(unsupported::object(reader, "DROP", "STREAM, TABLE, VIEW, MATERIALIZED VIEW, SINK or TOPOLOGY"));
    };
    let if_exists = reader.words(&["IF", "EXISTS"]);
    let names = reader.comma_separated(Reader::object_name)?;
    let cascade = reader.one_of(&["CASCADE", "RESTRICT"]) == Some("CASCADE");
    Ok(Body::Drop(Drop { kind, if_exists, names, cascade }))
}

/// The kind of relation that is named next, if one is.
pub(super) fn object_kind(reader: &mut Reader<'_>) -> Option<ObjectKind> {
    if reader.words(&["MATERIALIZED", "VIEW"]) {
        return Some(ObjectKind::MaterializedView);
    }
    let kind = match reader.one_of(&["STREAM", "SOURCE", "TABLE", "VIEW", "SINK"])? {
        "STREAM" | "SOURCE" => ObjectKind::Stream,
        "TABLE" => ObjectKind::Table,
        "VIEW" => ObjectKind::View,
        _ => ObjectKind::Sink,
    };
    Some(kind)
}
