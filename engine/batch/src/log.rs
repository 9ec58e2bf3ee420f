//! `LogReader`: the rows of a stream up to a txid, from its log or from its source.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use monsoon_circuit::RelationId;
use monsoon_connectors::{Read, Source};
use monsoon_state::{StateStore, TxId};

use crate::chunk::decode;
use crate::command::table_id;
use crate::{Error, Result};

/// Opens a source at its first position.
pub(crate) type OpenSource = Arc<dyn Fn() -> monsoon_connectors::Result<Box<dyn Source>> + Send + Sync>;

/// Rows read from a source at a time when it is replayed.
const REPLAY_ROWS: usize = 65_536;
/// Batches read ahead of a consumer.
const READ_AHEAD: usize = 2;

/// Reads a stream from its beginning.
#[derive(Clone)]
pub(crate) enum LogReader {
    /// The chunks of its log, up to a txid.
    Chunks { store: Arc<dyn StateStore>, relation: RelationId, until: TxId },
    /// Its source, replayed up to a number of rows.
    Replay { open: OpenSource, rows: u64 },
}

impl LogReader {
    /// Gives each batch to `take`, until it answers false.
    pub fn for_each(&self, take: &mut dyn FnMut(RecordBatch) -> Result<bool>) -> Result<()> {
        match self {
            LogReader::Chunks { store, relation, until } => {
                for chunk in store.chunks(table_id(*relation, 0))? {
                    let chunk = chunk?;
                    if chunk.id.txid > *until || !take(decode(&chunk.payload)?.rows)? {
                        break;
                    }
                }
                Ok(())
            }
            LogReader::Replay { open, rows } => replay(open, *rows, take),
        }
    }

    /// The batches as a stream; reading goes on in a thread of its own, a little ahead of the consumer.
    pub fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let outcome = self.for_each(&mut |rows| Ok(sender.blocking_send(Ok(rows)).is_ok()));
            if let Err(error) = outcome {
                // The consumer may have gone; then nobody misses the error.
                let _ = sender.blocking_send(Err(error));
            }
        });
        futures::stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) }).boxed()
    }
}

fn replay(open: &OpenSource, rows: u64, take: &mut dyn FnMut(RecordBatch) -> Result<bool>) -> Result<()> {
    if rows == 0 {
        return Ok(());
    }
    let rejected = |error: monsoon_connectors::Error| Error::Rejected(format!("source can't be read again: {error}"));
    let mut source = open().map_err(rejected)?;
    source.replay();
    let mut left = rows;
    while left > 0 {
        match source.read(REPLAY_ROWS.min(usize::try_from(left).unwrap_or(usize::MAX))).map_err(rejected)? {
            Read::Rows { rows, .. } => {
                left = left.saturating_sub(rows.num_rows() as u64);
                if rows.num_rows() > 0 && !take(rows)? {
                    return Ok(());
                }
            }
            Read::Idle(pause) => std::thread::sleep(pause),
            Read::End => return Err(Error::Rejected(format!("source has {left} rows fewer than it had when they were read"))),
        }
    }
    Ok(())
}
