//! `Blocks`: rows that are only ever added, as the batches they came in.
//!
//! A row's position is its number in arrival order and never changes. Small batches are merged with their neighbours, sixteen at
//! a time, so that a row is copied at most once per level and the number of blocks stays small however the rows arrive.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, interleave, take};
use arrow::datatypes::{DataType, SchemaRef};

use crate::{Error, Result};

/// Blocks of one level that are merged into one of the next.
const FAN_IN: usize = 16;
/// A level holds blocks of fewer than `FAN_IN` to this power rows; blocks of the last level and larger stay as they are.
const LEVELS: u32 = 3;
/// No merge makes a block larger than this: 32-bit string offsets end at 2 GiB.
const MERGED_BYTES_MAX: usize = 1 << 29;

/// Immutable batches, rows numbered across them.
#[derive(Debug)]
pub(crate) struct Blocks {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Position of the first row of each batch.
    starts: Vec<u32>,
    /// Bytes of each batch.
    bytes: Vec<usize>,
    rows: u32,
}

impl Blocks {
    /// No rows.
    pub(crate) fn new(schema: SchemaRef) -> Blocks {
        Blocks { schema, batches: Vec::new(), starts: Vec::new(), bytes: Vec::new(), rows: 0 }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows as usize
    }

    /// The columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The batches, in order of their rows' positions.
    pub(crate) fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.iter().sum()
    }

    /// Adds rows at the next positions and merges small blocks when there are many. Gives the first position.
    pub(crate) fn push(&mut self, rows: RecordBatch) -> Result<u32> {
        let first = self.push_as_is(rows)?;
        self.merge_small()?;
        Ok(first)
    }

    /// Adds rows at the next positions, never merging. Gives the first position.
    pub(crate) fn push_as_is(&mut self, rows: RecordBatch) -> Result<u32> {
        let first = self.rows;
        let total = self.len() + rows.num_rows();
        if total >= u32::MAX as usize - 1 {
            let reason = format!("{total} rows in one task: the limit is 2^32 - 2");
            return Err(Error::Bug { operator: "row store".into(), reason });
        }
        if rows.num_rows() > 0 {
            self.bytes.push(batch_bytes(&rows));
            self.starts.push(first);
            self.batches.push(rows);
            self.rows = total as u32;
        }
        Ok(first)
    }

    /// All columns of these rows, in this order.
    pub(crate) fn gather(&self, positions: &[u32]) -> Result<RecordBatch> {
        let columns: Vec<usize> = (0..self.schema.fields().len()).collect();
        batch_of(&self.schema, self.gather_columns(positions, &columns)?, positions.len())
    }

    /// Some columns of these rows.
    pub(crate) fn gather_columns(&self, positions: &[u32], columns: &[usize]) -> Result<Vec<ArrayRef>> {
        if let [only] = self.batches.as_slice() {
            return take_columns(only, positions, columns);
        }
        let mut places: Vec<(usize, usize)> = positions.iter().map(|&position| self.locate(position)).collect();
        let used = self.used_blocks(&mut places);
        let gather_one = |&column: &usize| -> Result<ArrayRef> {
            if places.is_empty() {
                return Ok(arrow::array::new_empty_array(self.schema.field(column).data_type()));
            }
            let values: Vec<&dyn Array> =
                used.iter().map(|&block| self.batches[block].column(column).as_ref()).collect();
            Ok(interleave(&values, &places)?)
        };
        columns.iter().map(gather_one).collect()
    }

    /// The blocks to gather from. Few rows out of many blocks: only the blocks they are in, `places` renumbered.
    fn used_blocks(&self, places: &mut [(usize, usize)]) -> Vec<usize> {
        if places.len() >= self.batches.len() {
            return (0..self.batches.len()).collect();
        }
        let mut used: Vec<usize> = places.iter().map(|&(block, _)| block).collect();
        used.sort_unstable();
        used.dedup();
        for place in places {
            place.0 = used.partition_point(|&block| block < place.0);
        }
        used
    }

    fn locate(&self, position: u32) -> (usize, usize) {
        let block = self.starts.partition_point(|&start| start <= position) - 1;
        (block, (position - self.starts[block]) as usize)
    }

    fn merge_small(&mut self) -> Result<()> {
        for level in 0..LEVELS {
            let tail = self.batches.iter().rev().take_while(|batch| level_of(batch.num_rows()) <= level);
            let (mut blocks, mut of_level) = (0, 0);
            for batch in tail {
                blocks += 1;
                of_level += usize::from(level_of(batch.num_rows()) == level);
            }
            if of_level >= FAN_IN {
                self.merge_last(blocks)?;
            }
        }
        Ok(())
    }

    fn merge_last(&mut self, blocks: usize) -> Result<()> {
        let first = self.batches.len() - blocks;
        let bytes: usize = self.bytes[first..].iter().sum();
        if bytes > MERGED_BYTES_MAX {
            return Ok(());
        }
        let merged = concat_batches(&self.schema, &self.batches[first..])?;
        self.batches.truncate(first);
        self.starts.truncate(first + 1);
        self.bytes.truncate(first);
        self.bytes.push(batch_bytes(&merged));
        self.batches.push(merged);
        Ok(())
    }
}

/// A batch of these columns, also when there are none.
pub(crate) fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// Some columns of some rows of a batch; not copied when these are all of its rows in order.
pub(crate) fn take_columns(batch: &RecordBatch, rows: &[u32], columns: &[usize]) -> Result<Vec<ArrayRef>> {
    let chosen = columns.iter().map(|&column| batch.column(column));
    let identity = rows.len() == batch.num_rows() && rows.iter().enumerate().all(|(place, &row)| place == row as usize);
    if identity {
        return Ok(chosen.cloned().collect());
    }
    let indices = UInt32Array::from(rows.to_vec());
    chosen.map(|column| Ok(take(column, &indices, None)?)).collect()
}

fn level_of(rows: usize) -> u32 {
    rows.max(1).ilog2() / FAN_IN.ilog2()
}

fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(column_bytes).sum()
}

/// Bytes of the column's own part of its buffers; the whole buffers where the part isn't known.
fn column_bytes(column: &ArrayRef) -> usize {
    let whole = column.get_array_memory_size();
    if matches!(column.data_type(), DataType::Utf8View | DataType::BinaryView) {
        return whole;
    }
    column.to_data().get_slice_memory_size().map_or(whole, |part| part.min(whole))
}
