//! `LogReader`: the rows of a stream up to a txid, from its log or from its source, from the first or a later one on.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use monsoon_circuit::RelationId;
use monsoon_connectors::{Read, Source};
use monsoon_state::{StateStore, TableId};

use crate::chunk::{decode, row_count};
use crate::command::{relation_of, table_id};
use crate::driver::SourceProgress;
use crate::late::{LateRange, drop_late_again};
use crate::log_guard::LogHold;
use crate::log_sizes::{LogSizes, StoredChunk};
use crate::{Error, Result};

/// Opens a source at its first position.
pub(crate) type OpenSource = Arc<dyn Fn() -> monsoon_connectors::Result<Box<dyn Source>> + Send + Sync>;

/// Rows read from a source at a time when it is replayed.
const REPLAY_ROWS: usize = 65_536;
/// Batches read ahead of a consumer.
const READ_AHEAD: usize = 2;

/// Reads a stream, as often as it is opened.
#[derive(Clone)]
pub(crate) struct LogReader {
    pub store: Arc<dyn StateStore>,
    pub relation: RelationId,
    pub rows_from: RowsFrom,
    /// The number of the first row that is wanted, from 0.
    pub first_row: u64,
}

/// Where a stream's rows are.
#[derive(Clone)]
pub(crate) enum RowsFrom {
    /// In the chunks of its log that are held.
    Chunks { hold: Arc<LogHold>, sizes: Arc<LogSizes> },
    /// In its source: those delivered so far, less what was late by this time column.
    Source { open: OpenSource, progress: SourceProgress, time_column: Option<usize> },
}

/// A reading under way. Nothing of the store is kept open between two calls of [`LogCursor::next`].
pub(crate) struct LogCursor {
    rows: Cursor,
    /// Rows to be passed over yet.
    skip: u64,
}

enum Cursor {
    Nothing,
    Chunks(ChunkCursor),
    Replay(Box<Replay>),
}

/// The chunks of a log, one after the other.
struct ChunkCursor {
    store: Arc<dyn StateStore>,
    table: TableId,
    _hold: Arc<LogHold>,
    sizes: Arc<LogSizes>,
    chunks: std::vec::IntoIter<StoredChunk>,
}

impl LogReader {
    /// Begins. What is to be read must have been committed.
    pub fn open(&self) -> Result<LogCursor> {
        let rows = match &self.rows_from {
            RowsFrom::Chunks { hold, sizes } => Cursor::Chunks(self.chunks(hold, sizes)?),
            // Nothing was delivered yet: a source that can't be opened yet doesn't matter.
            RowsFrom::Source { progress, .. } if progress.rows == 0 => Cursor::Nothing,
            RowsFrom::Source { open, progress, time_column } => {
                let late = match time_column {
                    Some(column) => Some((*column, late_ranges(self.store.as_ref(), self.relation)?)),
                    None => None,
                };
                let mut source = open().map_err(unreadable)?;
                source.replay(&progress.position).map_err(unreadable)?;
                Cursor::Replay(Box::new(Replay { source, done: 0, rows: progress.rows, late }))
            }
        };
        Ok(LogCursor { rows, skip: self.first_row })
    }

    fn chunks(&self, hold: &Arc<LogHold>, sizes: &Arc<LogSizes>) -> Result<ChunkCursor> {
        hold.settle();
        let table = table_id(self.relation, 0);
        let mut chunks = self.store.chunk_sizes(table)?;
        sizes.keep(table, &chunks);
        chunks.truncate(chunks.partition_point(|(id, ..)| id.txid <= hold.until()));
        let (store, hold, sizes) = (self.store.clone(), hold.clone(), sizes.clone());
        Ok(ChunkCursor { store, table, _hold: hold, sizes, chunks: chunks.into_iter() })
    }

    /// How many rows there are.
    pub fn row_count(&self) -> Result<u64> {
        let mut rows = 0;
        let mut cursor = self.open()?;
        match &mut cursor.rows {
            Cursor::Chunks(chunks) => {
                while let Some((chunk_rows, _)) = chunks.next_size()? {
                    rows += chunk_rows;
                }
            }
            _ => {
                while let Some(batch) = cursor.next()? {
                    rows += batch.num_rows() as u64;
                }
            }
        }
        Ok(rows)
    }

    /// The batches as a stream; reading goes on in a thread of its own, a little ahead of the consumer.
    pub fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut cursor = match self.open() {
                Ok(cursor) => cursor,
                // The consumer may have gone; then nobody misses the error.
                Err(error) => return drop(sender.blocking_send(Err(error))),
            };
            while let Some(item) = cursor.next().transpose() {
                let failed = item.is_err();
                if sender.blocking_send(item).is_err() || failed {
                    return;
                }
            }
        });
        futures::stream::unfold(
            receiver,
            |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) },
        )
        .boxed()
    }
}

impl LogCursor {
    /// The next rows, at least one; `None` at the end.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let batch = match &mut self.rows {
                Cursor::Nothing => None,
                Cursor::Replay(replay) => replay.next()?,
                Cursor::Chunks(chunks) => chunks.next(&mut self.skip)?,
            };
            let Some(batch) = batch else { return Ok(None) };
            let skipped = self.skip.min(batch.num_rows() as u64);
            self.skip -= skipped;
            if skipped < batch.num_rows() as u64 {
                return Ok(Some(batch.slice(skipped as usize, batch.num_rows() - skipped as usize)));
            }
        }
    }
}

impl ChunkCursor {
    /// The rows of the next chunk that has more than `skip`, which becomes less by those that are passed over.
    fn next(&mut self, skip: &mut u64) -> Result<Option<RecordBatch>> {
        while *skip > 0 {
            let Some((rows, payload)) = self.next_size()? else { return Ok(None) };
            if rows > *skip {
                let payload = payload.map_or_else(|chunk| self.payload(chunk), Ok)?;
                return Ok(Some(decode(&payload)?.expanded()?));
            }
            *skip -= rows;
        }
        let Some(chunk) = self.chunks.next() else { return Ok(None) };
        let rows = decode(&self.payload(chunk)?)?.expanded()?;
        self.sizes.note(self.table, chunk, rows.num_rows() as u64);
        Ok(Some(rows))
    }

    /// How many rows the next chunk has, and its content if that had to be read to know.
    fn next_size(&mut self) -> Result<Option<(u64, std::result::Result<Bytes, StoredChunk>)>> {
        let Some(chunk) = self.chunks.next() else { return Ok(None) };
        if let Some(rows) = self.sizes.get(self.table, chunk) {
            return Ok(Some((rows, Err(chunk))));
        }
        let payload = self.payload(chunk)?;
        let rows = row_count(&payload)?;
        self.sizes.note(self.table, chunk, rows);
        Ok(Some((rows, Ok(payload))))
    }

    fn payload(&self, (id, ..): StoredChunk) -> Result<Bytes> {
        let chunk = self.store.chunk(self.table, id)?;
        Ok(chunk.ok_or_else(|| Error::NoRelation(relation_of(self.table).0))?.payload)
    }
}

/// A source that is read a second time.
pub(crate) struct Replay {
    source: Box<dyn Source>,
    done: u64,
    rows: u64,
    late: Option<(usize, Vec<LateRange>)>,
}

impl Replay {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        while self.done < self.rows {
            let left = self.rows - self.done;
            let rows_max = REPLAY_ROWS.min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.source.read(rows_max).map_err(unreadable)? {
                Read::Rows { rows, .. } => {
                    let first = self.done;
                    self.done += rows.num_rows() as u64;
                    let rows = match &self.late {
                        Some((column, ranges)) => drop_late_again(rows, first, *column, ranges)?,
                        None => rows,
                    };
                    if rows.num_rows() > 0 {
                        return Ok(Some(rows));
                    }
                }
                // What was read before is there at once, or it is gone.
                Read::Idle(_) | Read::End => {
                    return Err(Error::Rejected(format!(
                        "source has {left} rows fewer than it had when they were read"
                    )));
                }
            }
        }
        Ok(None)
    }
}

fn unreadable(error: monsoon_connectors::Error) -> Error {
    Error::Rejected(format!("source can't be read again: {error}"))
}

/// Where the ranges of a source that had late rows are committed.
pub(crate) fn late_prefix(relation: RelationId) -> String {
    format!("e/late/{relation}/")
}

fn late_ranges(store: &dyn StateStore, relation: RelationId) -> Result<Vec<LateRange>> {
    let entries = store.scan(late_prefix(relation).as_bytes())?;
    let parse = |(_, value): (Vec<u8>, Vec<u8>)| serde_json::from_slice(&value).map_err(|error| Error::corrupt(error));
    entries.into_iter().map(parse).collect()
}
