//! `SourceReader`: reads one source ahead of the driver, in a thread of its own, a bounded number of batches ahead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use monsoon_circuit::RelationId;
use monsoon_connectors::{Error as SourceError, Position, Read, Source};
use parking_lot::Mutex;

use crate::request::Request;

/// Batches read and not yet taken by the driver.
const READ_AHEAD: usize = 2;
/// Pause after an error that may pass.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A running reader; dropping it stops the thread.
pub(crate) struct SourceReader {
    credit: Sender<()>,
    _stop: Sender<()>,
}

impl SourceReader {
    /// Starts reading at a position.
    pub fn start(
        relation: RelationId,
        mut source: Box<dyn Source>,
        position: &Position,
        rows_max: usize,
        requests: Sender<Request>,
        error: Arc<Mutex<Option<String>>>,
    ) -> std::result::Result<SourceReader, String> {
        source.seek(position).map_err(|error| error.to_string())?;
        let (credit, credits) = bounded(READ_AHEAD);
        let (stop, stopped) = unbounded();
        (0..READ_AHEAD).for_each(|_| credit.try_send(()).unwrap_or_default());
        let thread = Thread { relation, source, rows_max, requests, credits, stopped, error };
        let name = format!("monsoon-source-{relation}");
        std::thread::Builder::new().name(name).spawn(move || thread.run()).map_err(|error| error.to_string())?;
        Ok(SourceReader { credit, _stop: stop })
    }

    /// The driver has taken one batch: another may be read.
    pub fn taken(&self) {
        let _ = self.credit.try_send(());
    }
}

struct Thread {
    relation: RelationId,
    source: Box<dyn Source>,
    rows_max: usize,
    requests: Sender<Request>,
    credits: Receiver<()>,
    stopped: Receiver<()>,
    error: Arc<Mutex<Option<String>>>,
}

impl Thread {
    fn run(mut self) {
        while self.credits.recv().is_ok() {
            let Some(request) = self.next() else { return };
            if self.requests.send(request).is_err() {
                return;
            }
        }
    }

    /// The next rows; `None` when there will be none, or nobody wants them.
    fn next(&mut self) -> Option<Request> {
        loop {
            let pause = match self.source.read(self.rows_max) {
                Ok(Read::Rows { rows, next, bad }) => {
                    return Some(Request::SourceRows { relation: self.relation, rows, next, bad, read_at: Instant::now() });
                }
                Ok(Read::Idle(pause)) => pause,
                Ok(Read::End) => return None,
                Err(SourceError::Retry(reason)) => {
                    *self.error.lock() = Some(reason);
                    RETRY_PAUSE
                }
                Err(error) => {
                    tracing::error!("source {} stops: {error}", self.relation);
                    *self.error.lock() = Some(error.to_string());
                    return None;
                }
            };
            if self.stopped.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return None;
            }
        }
    }
}
