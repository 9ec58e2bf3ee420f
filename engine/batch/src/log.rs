//! `LogReader`: the rows of a stream up to a txid, from its log or from its source.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use monsoon_circuit::RelationId;
use monsoon_connectors::{Read, Source};
use monsoon_state::{ChunkId, StateStore};

use crate::chunk::decode;
use crate::command::table_id;
use crate::driver::SourceProgress;
use crate::late::{LateRange, drop_late_again};
use crate::log_guard::LogHold;
use crate::{Error, Result};

/// Opens a source at its first position.
pub(crate) type OpenSource = Arc<dyn Fn() -> monsoon_connectors::Result<Box<dyn Source>> + Send + Sync>;

/// Rows read from a source at a time when it is replayed.
const REPLAY_ROWS: usize = 65_536;
/// Batches read ahead of a consumer.
const READ_AHEAD: usize = 2;

/// Reads a stream from its beginning, as often as it is opened.
#[derive(Clone)]
pub(crate) struct LogReader {
    pub store: Arc<dyn StateStore>,
    pub relation: RelationId,
    pub rows_from: RowsFrom,
}

/// Where a stream's rows are.
#[derive(Clone)]
pub(crate) enum RowsFrom {
    /// In the chunks of its log that are held.
    Chunks(Arc<LogHold>),
    /// In its source: those delivered so far, less what was late by this time column.
    Source { open: OpenSource, progress: SourceProgress, time_column: Option<usize> },
}

/// A reading under way. Nothing of the store is kept open between two calls of [`LogCursor::next`].
pub(crate) enum LogCursor {
    Nothing,
    Chunks { store: Arc<dyn StateStore>, relation: RelationId, _hold: Arc<LogHold>, ids: std::vec::IntoIter<ChunkId> },
    Replay(Box<Replay>),
}

impl LogReader {
    /// Begins at the first row. What is to be read must have been committed.
    pub fn open(&self) -> Result<LogCursor> {
        match &self.rows_from {
            RowsFrom::Chunks(hold) => {
                hold.settle();
                let sizes = self.store.chunk_sizes(table_id(self.relation, 0))?;
                let ids: Vec<ChunkId> =
                    sizes.into_iter().map(|(id, ..)| id).take_while(|id| id.txid <= hold.until()).collect();
                Ok(LogCursor::Chunks {
                    store: self.store.clone(),
                    relation: self.relation,
                    _hold: hold.clone(),
                    ids: ids.into_iter(),
                })
            }
            // Nothing was delivered yet: a source that can't be opened yet doesn't matter.
            RowsFrom::Source { progress, .. } if progress.rows == 0 => Ok(LogCursor::Nothing),
            RowsFrom::Source { open, progress, time_column } => {
                let late = match time_column {
                    Some(column) => Some((*column, late_ranges(self.store.as_ref(), self.relation)?)),
                    None => None,
                };
                let mut source = open().map_err(unreadable)?;
                source.replay(&progress.position).map_err(unreadable)?;
                Ok(LogCursor::Replay(Box::new(Replay { source, done: 0, rows: progress.rows, late })))
            }
        }
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
        match self {
            LogCursor::Nothing => Ok(None),
            LogCursor::Replay(replay) => replay.next(),
            LogCursor::Chunks { store, relation, ids, .. } => {
                let Some(id) = ids.next() else { return Ok(None) };
                let chunk = store.chunk(table_id(*relation, 0), id)?.ok_or(Error::NoRelation(relation.0))?;
                Ok(Some(decode(&chunk.payload)?.rows))
            }
        }
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
