//! What the engine writes into state chunks: Arrow rows, with weights where they aren't all one.
//!
//! ```text
//! byte 0    format version (1)
//! byte 1    1 when the last column holds weights, else 0
//! byte 2..  an Arrow IPC stream: schema, batches
//! ```

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use bytes::Bytes;
use monsoon_circuit::WeightedBatch;

use crate::{Error, Result};

const VERSION: u8 = 1;
/// Below this many rows compression costs more than it saves.
const COMPRESSED_ROWS_MIN: usize = 1024;

/// The chunk of these rows.
pub(crate) fn encode(batch: &WeightedBatch) -> Result<Bytes> {
    match &batch.weights {
        None => encode_rows(&batch.rows, 0),
        Some(weights) => encode_rows(&with_weights(&batch.rows, weights)?, 1),
    }
}

/// The chunk of an operator's state rows.
pub(crate) fn encode_state(rows: &RecordBatch) -> Result<Bytes> {
    encode_rows(rows, 0)
}

fn with_weights(rows: &RecordBatch, weights: &Int64Array) -> Result<RecordBatch> {
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("weight", DataType::Int64, false)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(weights.clone()));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::bug)
}

fn encode_rows(rows: &RecordBatch, weighted: u8) -> Result<Bytes> {
    let compression = (rows.num_rows() >= COMPRESSED_ROWS_MIN).then_some(CompressionType::LZ4_FRAME);
    let options = IpcWriteOptions::default().try_with_compression(compression).map_err(Error::bug)?;
    let mut buffer = Vec::with_capacity(1024 + rows.get_array_memory_size() / 2);
    buffer.extend_from_slice(&[VERSION, weighted]);
    let mut writer = StreamWriter::try_new_with_options(buffer, &rows.schema(), options).map_err(Error::bug)?;
    writer.write(rows).map_err(Error::bug)?;
    writer.finish().map_err(Error::bug)?;
    Ok(Bytes::from(writer.into_inner().map_err(Error::bug)?))
}

/// What precedes the rows, and the rows as an Arrow stream.
fn split_head(payload: &Bytes) -> Result<(&[u8], &[u8])> {
    let (head, body) = payload.split_at_checked(2).ok_or_else(|| Error::corrupt("chunk is shorter than its header"))?;
    if head[0] != VERSION {
        return Err(Error::corrupt(format!("chunk has format {}, and this binary reads {VERSION}", head[0])));
    }
    Ok((head, body))
}

/// How many rows a chunk has, those of weights counted so many times; without weights no column is decoded.
pub(crate) fn row_count(payload: &Bytes) -> Result<u64> {
    let (head, body) = split_head(payload)?;
    if head[1] == 1 {
        return Ok(decode(payload)?.expanded()?.num_rows() as u64);
    }
    let mut batches = StreamReader::try_new(Cursor::new(body), Some(Vec::new())).map_err(Error::corrupt)?;
    batches.try_fold(0, |rows, batch| Ok(rows + batch.map_err(Error::corrupt)?.num_rows() as u64))
}

/// The rows of a chunk, and whether the last column holds their weights.
fn decode_rows(payload: &Bytes) -> Result<(RecordBatch, bool)> {
    let (head, body) = split_head(payload)?;
    let reader = StreamReader::try_new(Cursor::new(body), None).map_err(Error::corrupt)?;
    let schema = reader.schema();
    let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(Error::corrupt)?;
    let rows = match batches.as_slice() {
        [only] => only.clone(),
        many => concat_batches(&schema, many).map_err(Error::corrupt)?,
    };
    Ok((rows, head[1] == 1))
}

/// An operator's state rows.
pub(crate) fn decode_state(payload: &Bytes) -> Result<RecordBatch> {
    Ok(decode_rows(payload)?.0)
}

/// The rows of a relation's chunk.
pub(crate) fn decode(payload: &Bytes) -> Result<WeightedBatch> {
    let (rows, weighted) = decode_rows(payload)?;
    if !weighted {
        return Ok(WeightedBatch::inserted(rows));
    }
    let last = rows.num_columns() - 1;
    let weights = rows.column(last).as_primitive::<Int64Type>().clone();
    let kept: Vec<usize> = (0..last).collect();
    Ok(WeightedBatch { rows: rows.project(&kept).map_err(Error::corrupt)?, weights: Some(weights) })
}
