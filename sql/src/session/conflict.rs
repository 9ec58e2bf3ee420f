//! ON CONFLICT. An INSERT into a table with a key overwrites anyway, so only two forms are left to do anything.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Expr, Insert, OnConflictAction, OnInsert,
};
use monsoon_batch::{ReadRequest, Rows};

use super::Session;
use super::resolve::folded;
use crate::catalog::Relation;
use crate::database::{Overlay, engine_error};
use crate::error::{Result, SqlError};

/// Keys that are looked up one by one.
const LOOKUPS_MAX: usize = 1_000;

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflict {
    /// The new row takes its place.
    Overwrite,
    /// The new row is left out.
    Skip,
}

/// What an INSERT says of conflicts.
pub(super) fn conflict(insert: &Insert, relation: &Relation) -> Result<Conflict> {
    let action = match &insert.on {
        None => return Ok(Conflict::Overwrite),
        Some(OnInsert::OnConflict(on)) => {
            check_target(on.conflict_target.as_ref(), relation)?;
            &on.action
        }
        Some(_) => {
            return Err(SqlError::unsupported("ON DUPLICATE KEY UPDATE is not supported").with_hint("ON CONFLICT"));
        }
    };
    match action {
        OnConflictAction::DoNothing if relation.key.is_empty() => Ok(Conflict::Overwrite),
        OnConflictAction::DoNothing => Ok(Conflict::Skip),
        OnConflictAction::DoUpdate(update) => {
            let overwrites = update.selection.is_none() && update.assignments.iter().all(takes_new_value);
            let set: HashSet<String> = update.assignments.iter().filter_map(assigned).collect();
            let covers = relation
                .schema
                .fields()
                .iter()
                .enumerate()
                .all(|(place, field)| relation.key.contains(&place) || set.contains(field.name()));
            if overwrites && covers {
                return Ok(Conflict::Overwrite);
            }
            Err(SqlError::unsupported(
                "ON CONFLICT DO UPDATE is supported only where it sets every other column to excluded.column",
            )
            .with_hint("a plain INSERT overwrites the row of the same key; UPDATE changes single columns"))
        }
    }
}

fn check_target(target: Option<&ConflictTarget>, relation: &Relation) -> Result<()> {
    let Some(ConflictTarget::Columns(columns)) = target else { return Ok(()) };
    let named: HashSet<String> = columns.iter().map(folded).collect();
    let key: HashSet<String> = relation.key.iter().map(|place| relation.schema.field(*place).name().clone()).collect();
    if !key.is_empty() && named == key {
        return Ok(());
    }
    Err(SqlError::new("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification"))
}

fn assigned(assignment: &Assignment) -> Option<String> {
    match &assignment.target {
        AssignmentTarget::ColumnName(name) => name.0.last().and_then(|part| part.as_ident()).map(folded),
        AssignmentTarget::Tuple(_) => None,
    }
}

/// `column = excluded.column`.
fn takes_new_value(assignment: &Assignment) -> bool {
    let Expr::CompoundIdentifier(parts) = &assignment.value else { return false };
    match parts.as_slice() {
        [excluded, column] => folded(excluded) == "excluded" && assigned(assignment) == Some(folded(column)),
        _ => false,
    }
}

impl Session {
    /// The rows whose key isn't in the table, and of several with one key the first.
    pub(super) async fn without_conflicts(
        &mut self,
        relation: &Relation,
        batches: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>> {
        let failed = |error: arrow::error::ArrowError| SqlError::internal(error.to_string());
        let fields = relation.key.iter().map(|place| SortField::new(relation.schema.field(*place).data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(failed)?;
        let identities = |batch: &RecordBatch| -> Result<Vec<OwnedRow>> {
            let rows = converter.convert_columns(&key_columns(relation, batch)).map_err(failed)?;
            Ok(rows.iter().map(|row| row.owned()).collect())
        };
        let mut seen: HashSet<OwnedRow> = HashSet::new();
        for batch in self.present_rows(relation, &batches).await? {
            seen.extend(identities(&batch)?);
        }
        let mut kept = Vec::with_capacity(batches.len());
        for batch in batches {
            let is_new: BooleanArray = identities(&batch)?.into_iter().map(|key| Some(seen.insert(key))).collect();
            kept.push(filter_record_batch(&batch, &is_new).map_err(failed)?);
        }
        Ok(kept)
    }

    async fn present_rows(&mut self, relation: &Relation, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let overlay = self.overlay().filter(|overlay| overlay.touches(relation.id));
        let keys = if rows <= LOOKUPS_MAX && overlay.is_none() { Some(lookup_keys(relation, batches)?) } else { None };
        let request = ReadRequest { relation: relation.id, keys };
        let mut snapshot = self.database.engine.read(vec![request]).await.map_err(engine_error)?;
        let Some(Rows::Batches(present)) = snapshot.relations.remove(&relation.id) else {
            return Err(SqlError::internal("a table was read as something else"));
        };
        match overlay {
            Some(overlay) => overlay.apply(relation, present),
            None => Ok(present),
        }
    }
}

fn key_columns(relation: &Relation, batch: &RecordBatch) -> Vec<ArrayRef> {
    relation.key.iter().map(|place| Arc::clone(batch.column(*place))).collect()
}

fn lookup_keys(relation: &Relation, batches: &[RecordBatch]) -> Result<Vec<Vec<ScalarValue>>> {
    let mut keys = Vec::new();
    for batch in batches {
        let columns = key_columns(relation, batch);
        for row in 0..batch.num_rows() {
            let key = columns
                .iter()
                .map(|column| ScalarValue::try_from_array(column, row))
                .collect::<datafusion::common::Result<_>>();
            keys.push(key.map_err(|error| SqlError::internal(error.to_string()))?);
        }
    }
    Ok(keys)
}
