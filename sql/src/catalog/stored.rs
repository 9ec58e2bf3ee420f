//! A relation as bytes: JSON, with the schema in Arrow's own IPC form, in hex. The version is the first thing in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow::ipc::root_as_schema;
use monsoon_circuit::RelationId;
use serde::{Deserialize, Serialize};

use super::{Kind, Relation};

pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    id: u32,
    name: String,
    kind: Kind,
    schema: String,
    key: Vec<usize>,
    sql: String,
    query: Option<String>,
    column_names: Vec<String>,
    options: Vec<(String, String)>,
    watermark: Option<(usize, String)>,
    emit_on_window_close: bool,
    append_only: bool,
    fingerprint: Option<String>,
    comment: Option<String>,
    column_comments: BTreeMap<usize, String>,
    defaults: Vec<Option<String>>,
    depends_on: Vec<u32>,
}

/// The bytes of a relation.
pub(super) fn encode(relation: &Relation) -> Vec<u8> {
    let relation = relation.clone();
    let stored = Stored {
        version: VERSION,
        id: relation.id.0,
        name: relation.name,
        kind: relation.kind,
        schema: hex(IpcSchemaEncoder::new().schema_to_fb(&relation.schema).finished_data()),
        key: relation.key,
        sql: relation.sql,
        query: relation.query,
        column_names: relation.column_names,
        options: relation.options,
        watermark: relation.watermark,
        emit_on_window_close: relation.emit_on_window_close,
        append_only: relation.append_only,
        fingerprint: relation.fingerprint,
        comment: relation.comment,
        column_comments: relation.column_comments,
        defaults: relation.defaults,
        depends_on: relation.depends_on.iter().map(|id| id.0).collect(),
    };
    serde_json::to_vec(&stored).expect("plain data has a JSON form")
}

/// Why bytes can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// A newer Monsoon wrote them, in this version.
    Newer(u32),
    /// They are damaged.
    Damaged(String),
}

impl From<String> for DecodeError {
    fn from(reason: String) -> DecodeError {
        DecodeError::Damaged(reason)
    }
}

/// The version alone: a newer one may have any other fields.
#[derive(Deserialize)]
struct StoredVersion {
    version: u32,
}

/// The relation of some bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Relation, DecodeError> {
    match serde_json::from_slice(bytes).map_err(|error| error.to_string())? {
        StoredVersion { version: VERSION } => Ok(decode_current(bytes)?),
        StoredVersion { version } if version > VERSION => Err(DecodeError::Newer(version)),
        StoredVersion { version } => Err(DecodeError::Damaged(format!("it has version {version}, which never was"))),
    }
}

fn decode_current(bytes: &[u8]) -> Result<Relation, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let schema = unhex(&stored.schema).ok_or("the schema is not hexadecimal")?;
    let schema = fb_to_schema(root_as_schema(&schema).map_err(|error| error.to_string())?);
    Ok(Relation {
        id: RelationId(stored.id),
        name: stored.name,
        kind: stored.kind,
        schema: Arc::new(schema),
        key: stored.key,
        sql: stored.sql,
        query: stored.query,
        column_names: stored.column_names,
        options: stored.options,
        watermark: stored.watermark,
        emit_on_window_close: stored.emit_on_window_close,
        append_only: stored.append_only,
        fingerprint: stored.fingerprint,
        comment: stored.comment,
        column_comments: stored.column_comments,
        defaults: stored.defaults,
        depends_on: stored.depends_on.into_iter().map(RelationId).collect(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 != 0 {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg_type::named_field;
    use arrow::datatypes::Schema;

    #[test]
    fn a_relation_is_read_back_as_it_was() {
        let schema = Arc::new(Schema::new(vec![named_field("id", "int8"), named_field("doc", "jsonb")]));
        let mut relation = Relation::new("t", Kind::Table, schema, "CREATE TABLE t (id bigint, doc jsonb)");
        relation.id = RelationId(16_384);
        relation.key = vec![0];
        relation.column_comments.insert(1, "a document".to_owned());
        assert_eq!(decode(&encode(&relation)).unwrap(), relation);
    }

    #[test]
    fn damage_and_newer_versions_are_told_apart() {
        assert!(matches!(decode(b"{}"), Err(DecodeError::Damaged(_))));
        assert!(matches!(decode(b"{\"version\": 1}"), Err(DecodeError::Damaged(_))));
        assert!(matches!(decode(b"{\"version\": 0}"), Err(DecodeError::Damaged(_))));
        assert_eq!(decode(b"{\"version\": 2, \"names\": []}"), Err(DecodeError::Newer(2)));
        assert_eq!(unhex("0g"), None);
    }
}
