//! Who owns which row: key groups, and cutting a delta by owner.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::physical_expr::PhysicalExpr;

use crate::expression::evaluate_keys;
use crate::row_store::batch_of;
use crate::{Delta, Result, RowError, WeightedBatch};

/// Number of key groups: fixed, so that state can move between any numbers of tasks.
pub const KEY_GROUPS: u64 = 128;

/// Which task this is, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskPlace {
    /// This task, from 0.
    pub task: usize,
    /// How many there are; at most [`KEY_GROUPS`].
    pub tasks: usize,
}

/// Moves rows between the tasks of a circuit. Every task calls it for the same edges in the same order in each batch.
pub trait Exchange {
    /// Who is calling.
    fn place(&self) -> TaskPlace;

    /// Sends `parts[i]` to task i, and returns what the others sent here together with this task's own part.
    fn exchange(&mut self, parts: Vec<Delta>) -> Result<Delta>;
}

/// The exchange of a circuit that runs on one task only.
#[derive(Debug, Clone, Copy, Default)]
pub struct SingleTask;

impl Exchange for SingleTask {
    fn place(&self) -> TaskPlace {
        TaskPlace { task: 0, tasks: 1 }
    }

    fn exchange(&mut self, mut parts: Vec<Delta>) -> Result<Delta> {
        Ok(parts.pop().unwrap_or_default())
    }
}

/// The task that owns each row, by the hash of its key. Without key expressions task 0 owns all.
pub fn owners(
    key: &[Arc<dyn PhysicalExpr>],
    rows: &RecordBatch,
    tasks: usize,
    errors: &mut Vec<RowError>,
) -> Result<Vec<u32>> {
    if key.is_empty() || tasks == 1 {
        return Ok(vec![0; rows.num_rows()]);
    }
    let columns: Vec<ArrayRef> = evaluate_keys(key, rows, errors)?;
    let mut hashes = vec![0; rows.num_rows()];
    create_hashes(&columns, &random_state(), &mut hashes)?;
    Ok(hashes.into_iter().map(|hash| ((hash % KEY_GROUPS) * tasks as u64 / KEY_GROUPS) as u32).collect())
}

/// Doubles with +0 for -0: they are equal, so they must be one key.
pub(crate) fn with_one_zero(column: ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float64 => {
            Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| value + 0.0))
        }
        DataType::Float32 => {
            Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| value + 0.0))
        }
        _ => column,
    }
}

fn random_state() -> QualityRandomState {
    QualityRandomState::with_seed(0x6d6f_6e73_6f6f_6e00)
}

/// Cuts a delta into one part per task, by columns that can be evaluated on any row.
pub fn partition(delta: Delta, key: &[Arc<dyn PhysicalExpr>], tasks: usize) -> Result<Vec<Delta>> {
    partition_noting(delta, key, tasks, &mut Vec::new())
}

/// Cuts a delta into one part per task; a key that fails on a row is NULL there, and noted.
pub(crate) fn partition_noting(
    delta: Delta,
    key: &[Arc<dyn PhysicalExpr>],
    tasks: usize,
    errors: &mut Vec<RowError>,
) -> Result<Vec<Delta>> {
    let mut parts = vec![Delta::empty(); tasks];
    for batch in delta.batches {
        let owners = owners(key, &batch.rows, tasks, errors)?;
        let mut places = vec![Vec::new(); tasks];
        for (row, &owner) in owners.iter().enumerate() {
            places[owner as usize].push(row as u32);
        }
        for (part, places) in parts.iter_mut().zip(places) {
            if places.len() == batch.len() {
                part.push(batch.clone());
            } else if !places.is_empty() {
                // Also keeps rows without columns (`count(*)`) from `take`, which has no row count for none of them: their
                // key is constant, so they are all of one owner.
                part.push(rows_at(&batch, places)?);
            }
        }
    }
    Ok(parts)
}

/// The rows at these places, with their weights.
pub(crate) fn rows_at(batch: &WeightedBatch, places: Vec<u32>) -> Result<WeightedBatch> {
    let places = UInt32Array::from(places);
    let rows = taken(&batch.rows, &places)?;
    let weights: Option<Int64Array> = match &batch.weights {
        None => None,
        Some(weights) => {
            let taken = take(weights, &places, None)?;
            Some(arrow::array::AsArray::as_primitive::<Int64Type>(&taken).clone())
        }
    };
    Ok(WeightedBatch { rows, weights })
}

/// The rows of a state chunk that this task owns.
pub fn owned_rows(key: &[Arc<dyn PhysicalExpr>], rows: RecordBatch, place: TaskPlace) -> Result<RecordBatch> {
    if place.tasks == 1 {
        return Ok(rows);
    }
    let owners = owners(key, &rows, place.tasks, &mut Vec::new())?;
    let mine =
        (0..rows.num_rows() as u32).filter(|&row| owners[row as usize] as usize == place.task).collect::<Vec<u32>>();
    if mine.len() == rows.num_rows() {
        return Ok(rows);
    }
    taken(&rows, &UInt32Array::from(mine))
}

/// The rows at these places; rows without columns are only counted.
fn taken(rows: &RecordBatch, places: &UInt32Array) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| take(column, places, None));
    batch_of(&rows.schema(), columns.collect::<std::result::Result<_, _>>()?, places.len())
}
