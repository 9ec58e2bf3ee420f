//! Folding chunks: several chunks of a state table as one that means the same.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use bytes::Bytes;
use monsoon_circuit::{ChunkKind, KeyIndex, WeightedBatch, last_rows};
use monsoon_state::Chunk;

use crate::chunk::{decode, decode_state, encode, encode_state};
use crate::{Error, Result};

/// How the chunks of a table add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Append-only rows, in order.
    Log,
    /// Rows of a relation with weights.
    Relation,
    /// An operator's table.
    Operator(ChunkKind),
}

/// One chunk instead of these, oldest first; `None` when nothing is left. `oldest` says that no older chunk stays before them,
/// so that what is gone may be forgotten.
pub(crate) fn merge(kind: Merge, chunks: &[Chunk], oldest: bool) -> Result<Option<Bytes>> {
    match kind {
        Merge::Log | Merge::Relation => merge_relation(kind, chunks),
        Merge::Operator(ChunkKind::Sum { counts }) => merge_sums(&operator_rows(chunks)?, counts),
        Merge::Operator(ChunkKind::Latest { keys }) => merge_latest(&operator_rows(chunks)?, keys, oldest),
    }
}

fn operator_rows(chunks: &[Chunk]) -> Result<RecordBatch> {
    let batches = chunks.iter().map(|chunk| decode_state(&chunk.payload)).collect::<Result<Vec<_>>>()?;
    concat_batches(&batches[0].schema(), &batches).map_err(Error::corrupt)
}

fn merge_relation(kind: Merge, chunks: &[Chunk]) -> Result<Option<Bytes>> {
    let mut batches = chunks.iter().map(|chunk| decode(&chunk.payload)).collect::<Result<Vec<_>>>()?;
    if kind == Merge::Log {
        batches = batches.iter().map(|batch| Ok(WeightedBatch::inserted(batch.expanded()?))).collect::<Result<_>>()?;
    }
    if batches.iter().all(|batch| batch.weights.is_none()) {
        let schema = batches[0].rows.schema();
        let rows = concat_batches(&schema, batches.iter().map(|batch| &batch.rows)).map_err(Error::corrupt)?;
        return Ok(Some(encode(&WeightedBatch::inserted(rows))?));
    }
    let sum = sum(&batches)?;
    if sum.is_empty() { Ok(None) } else { encode(&sum).map(Some) }
}

/// One batch, with each distinct row once, of at least one.
pub(crate) fn sum(batches: &[WeightedBatch]) -> Result<WeightedBatch> {
    let rows =
        concat_batches(&batches[0].rows.schema(), batches.iter().map(|batch| &batch.rows)).map_err(Error::corrupt)?;
    let weights: Vec<i64> = batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.weight(row))).collect();
    let (places, sums) = sum_per_row(&rows, rows.num_columns(), &[&weights])?;
    let rows = take_record_batch(&rows, &places).map_err(Error::bug)?;
    let weights = Int64Array::from(sums.into_iter().next().unwrap_or_default());
    Ok(WeightedBatch { rows, weights: Some(weights) })
}

/// The first place of each distinct row of the leading columns whose sums aren't all zero, and the sums.
fn sum_per_row(rows: &RecordBatch, leading: usize, counts: &[&[i64]]) -> Result<(UInt32Array, Vec<Vec<i64>>)> {
    let key: Vec<ArrayRef> = rows.columns()[..leading].to_vec();
    let types: Vec<DataType> = key.iter().map(|column| column.data_type().clone()).collect();
    let mut index = KeyIndex::new(&types)?;
    let mut ids = Vec::new();
    index.intern(&key, rows.num_rows(), &mut ids)?;
    let mut first = vec![u32::MAX; index.capacity()];
    let mut sums = vec![vec![0_i64; index.capacity()]; counts.len()];
    for (row, &id) in ids.iter().enumerate() {
        first[id as usize] = first[id as usize].min(row as u32);
        for (sum, count) in sums.iter_mut().zip(counts) {
            sum[id as usize] += count[row];
        }
    }
    let kept: Vec<usize> = (0..index.capacity()).filter(|&id| sums.iter().any(|sum| sum[id] != 0)).collect();
    let places = kept.iter().map(|&id| first[id]).collect::<Vec<u32>>();
    let sums = sums.into_iter().map(|sum| kept.iter().map(|&id| sum[id]).collect()).collect();
    Ok((UInt32Array::from(places), sums))
}

fn merge_sums(rows: &RecordBatch, counts: usize) -> Result<Option<Bytes>> {
    let leading = rows.num_columns() - counts;
    let columns: Vec<&[i64]> =
        rows.columns()[leading..].iter().map(|column| column.as_primitive::<Int64Type>().values().as_ref()).collect();
    let (places, sums) = sum_per_row(rows, leading, &columns)?;
    if places.is_empty() {
        return Ok(None);
    }
    let taken = take_record_batch(rows, &places).map_err(Error::bug)?;
    let mut columns = taken.columns()[..leading].to_vec();
    columns.extend(sums.into_iter().map(|sum| Arc::new(Int64Array::from(sum)) as ArrayRef));
    Ok(Some(encode_state(&RecordBatch::try_new(rows.schema(), columns).map_err(Error::bug)?)?))
}

fn merge_latest(rows: &RecordBatch, keys: usize, oldest: bool) -> Result<Option<Bytes>> {
    let key: Vec<ArrayRef> = rows.columns()[..keys].to_vec();
    let types: Vec<DataType> = key.iter().map(|column| column.data_type().clone()).collect();
    let mut index = KeyIndex::new(&types)?;
    let mut ids = Vec::new();
    index.intern(&key, rows.num_rows(), &mut ids)?;
    let mut last = last_rows(&ids, index.capacity());
    let live: &BooleanArray = rows.column(rows.num_columns() - 1).as_boolean();
    last.retain(|&row| !oldest || live.value(row as usize));
    if last.is_empty() {
        return Ok(None);
    }
    let rows = take_record_batch(rows, &UInt32Array::from(last)).map_err(Error::bug)?;
    Ok(Some(encode_state(&rows)?))
}
