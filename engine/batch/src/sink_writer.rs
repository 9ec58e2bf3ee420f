//! `SinkWriter`: publishes the committed changes of one sink, in txid order, in a thread of its own.
//!
//! A sink that can be replayed reads what it publishes from the store: the commit put it there, and it is taken away only
//! once it is published. So a crash, or an outside system that is down, loses nothing and blocks nobody.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use monsoon_circuit::{Delta, RelationId};
use monsoon_connectors::{Change, Sink};
use monsoon_state::{ChunkId, StateStore, TxId};
use parking_lot::Mutex;

use crate::Result;
use crate::chunk::decode;
use crate::command::table_id;

/// Changes of a sink without replay that may wait for it.
const WAITING_MAX: usize = 64;
/// Pause after a failed publish.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Hands changes to a sink's thread; dropping it waits until the thread has published what it has.
pub(crate) struct SinkWriter {
    replayed: bool,
    work: Option<Sender<(TxId, Vec<Change>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for SinkWriter {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A sink that panicked has said so on stderr; what it didn't publish is still in the store.
            let _ = thread.join();
        }
    }
}

impl SinkWriter {
    /// Starts the thread. What the last process left unpublished is published first.
    pub fn start(
        relation: RelationId,
        sink: Box<dyn Sink>,
        store: Arc<dyn StateStore>,
        error: Arc<Mutex<Option<String>>>,
    ) -> std::io::Result<SinkWriter> {
        let replayed = sink.needs_replay();
        let (work, waiting) = bounded(WAITING_MAX);
        let thread = Thread { relation, sink, store, error };
        let name = format!("monsoon-sink-{relation}");
        let run = move || if replayed { thread.replay(&waiting) } else { thread.pass(&waiting) };
        let thread = Some(std::thread::Builder::new().name(name).spawn(run)?);
        Ok(SinkWriter { replayed, work: Some(work), thread })
    }

    /// A commit changed the sink's relation.
    pub fn publish(&self, txid: TxId, delta: Delta) {
        let Some(work) = &self.work else { return };
        if self.replayed {
            // Only a wake-up: the rows are in the store. If the queue is full the thread is awake already.
            let _ = work.try_send((txid, Vec::new()));
            return;
        }
        let changes =
            delta.batches.into_iter().map(|batch| Change { rows: batch.rows, weights: batch.weights }).collect();
        let _ = work.send((txid, changes));
    }
}

struct Thread {
    relation: RelationId,
    sink: Box<dyn Sink>,
    store: Arc<dyn StateStore>,
    error: Arc<Mutex<Option<String>>>,
}

impl Thread {
    fn pass(mut self, waiting: &Receiver<(TxId, Vec<Change>)>) {
        while let Ok((txid, changes)) = waiting.recv() {
            if let Err(error) = self.sink.publish(txid.0, &changes) {
                *self.error.lock() = Some(error.to_string());
            }
        }
    }

    fn replay(mut self, waiting: &Receiver<(TxId, Vec<Change>)>) {
        loop {
            if let Err(error) = self.publish_stored() {
                tracing::warn!("sink {}: {error}", self.relation);
                *self.error.lock() = Some(error.to_string());
                std::thread::sleep(RETRY_PAUSE);
            } else {
                *self.error.lock() = None;
            }
            match waiting.recv_timeout(RETRY_PAUSE) {
                Ok(_) | Err(RecvTimeoutError::Timeout) => while waiting.try_recv().is_ok() {},
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Publishes every txid that is in the store, and takes it away.
    fn publish_stored(&mut self) -> Result<()> {
        let table = table_id(self.relation, 0);
        let mut pending: Option<(TxId, Vec<ChunkId>, Vec<Change>)> = None;
        let store = self.store.clone();
        for (id, ..) in store.chunk_sizes(table)? {
            let Some(chunk) = store.chunk(table, id)? else { continue };
            let batch = decode(&chunk.payload)?;
            let change = Change { rows: batch.rows, weights: batch.weights };
            match &mut pending {
                Some((txid, ids, changes)) if *txid == chunk.id.txid => {
                    ids.push(chunk.id);
                    changes.push(change);
                }
                _ => {
                    self.publish_one(pending.take())?;
                    pending = Some((chunk.id.txid, vec![chunk.id], vec![change]));
                }
            }
        }
        self.publish_one(pending)
    }

    fn publish_one(&mut self, pending: Option<(TxId, Vec<ChunkId>, Vec<Change>)>) -> Result<()> {
        let Some((txid, ids, changes)) = pending else { return Ok(()) };
        self.sink.publish(txid.0, &changes).map_err(|error| crate::Error::Rejected(error.to_string()))?;
        self.store.replace_chunks(table_id(self.relation, 0), &ids, None)?;
        Ok(())
    }
}
