//! What a transaction sees of a table that it has changed: the committed rows with its own changes on top.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use monsoon_batch::Change;
use monsoon_circuit::RelationId;

use super::Session;
use crate::catalog::{Kind, Relation};
use crate::database::Overlay;
use crate::error::{Result, SqlError};

/// A transaction's changes so far.
pub(super) struct TransactionOverlay {
    changes: Vec<Change>,
}

impl Session {
    /// The changes of the open transaction, if there are any.
    pub(super) fn overlay(&self) -> Option<TransactionOverlay> {
        let changes = self.transaction.as_ref()?.buffer().lock().changes().to_vec();
        (!changes.is_empty()).then_some(TransactionOverlay { changes })
    }
}

impl Overlay for TransactionOverlay {
    fn touches(&self, id: RelationId) -> bool {
        self.changes.iter().any(|change| change.relation == id)
    }

    fn apply(&self, relation: &Relation, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        if relation.kind != Kind::Table {
            return Ok(rows);
        }
        let changes = self.changes.iter().filter(|change| change.relation == relation.id);
        let pieces = changes.flat_map(|change| &change.batches);
        let mut all: Vec<(RecordBatch, Vec<i64>)> = rows
            .into_iter()
            .map(|rows| {
                let n = rows.num_rows();
                (rows, vec![1; n])
            })
            .collect();
        for piece in pieces {
            all.push((piece.rows.clone(), (0..piece.len()).map(|row| piece.weight(row)).collect()));
        }
        merged(&relation.schema, &relation.key, &all)
    }
}

/// Rows one after the other: +1 adds a row, or replaces the one of its key; -1 removes one.
fn merged(schema: &SchemaRef, key: &[usize], pieces: &[(RecordBatch, Vec<i64>)]) -> Result<Vec<RecordBatch>> {
    let failed = |error: arrow::error::ArrowError| SqlError::internal(error.to_string());
    let rows = concat_batches(schema, pieces.iter().map(|(rows, _)| rows)).map_err(failed)?;
    let places: Vec<usize> = if key.is_empty() { (0..schema.fields().len()).collect() } else { key.to_vec() };
    let columns: Vec<ArrayRef> = places.iter().map(|place| Arc::clone(rows.column(*place))).collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let identities =
        RowConverter::new(fields).and_then(|converter| converter.convert_columns(&columns)).map_err(failed)?;
    let mut live: HashMap<OwnedRow, Vec<u32>> = HashMap::new();
    let weights = pieces.iter().flat_map(|(_, weights)| weights.iter().copied());
    for (row, weight) in weights.enumerate() {
        let places = live.entry(identities.row(row).owned()).or_default();
        let row = u32::try_from(row).map_err(|_| SqlError::new("54000", "the transaction has too many rows"))?;
        match (weight > 0, key.is_empty()) {
            (true, true) => places.push(row),
            (true, false) => *places = vec![row],
            (false, _) => drop(places.pop()),
        }
    }
    let mut kept: Vec<u32> = live.into_values().flatten().collect();
    kept.sort_unstable();
    take_record_batch(&rows, &UInt32Array::from(kept)).map(|batch| vec![batch]).map_err(failed)
}
