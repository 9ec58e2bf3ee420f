//! A relation as the catalog tables of Postgres show it.

use std::sync::Arc;

use super::{Kind, Relation};
use crate::pg_catalog::{RelationInfo, RelationKind};

/// What `pg_class` and its like are told.
pub(crate) fn relation_info(relation: &Relation) -> RelationInfo {
    let kind = match relation.kind {
        Kind::Stream => RelationKind::Stream,
        Kind::Table => RelationKind::Table,
        Kind::View => RelationKind::View,
        Kind::MaterializedView => RelationKind::MaterializedView,
        Kind::Sink => RelationKind::Sink,
    };
    RelationInfo {
        oid: relation.id.0,
        name: relation.name.clone(),
        kind,
        columns: Arc::clone(&relation.schema),
        key: relation.key.clone(),
        definition: relation.query.clone(),
        comment: relation.comment.clone(),
        column_comments: relation.column_comments.iter().map(|(place, text)| (*place, text.clone())).collect(),
    }
}
