//! `SourceReader`: reads one source ahead of the driver, in a thread of its own, a bounded number of batches ahead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use monsoon_circuit::RelationId;
use monsoon_connectors::{Error as SourceError, Position, Read, Source};
use parking_lot::Mutex;

use crate::log::OpenSource;
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
        open: OpenSource,
        position: Position,
        rows_max: usize,
        requests: Sender<Request>,
        error: Arc<Mutex<Option<String>>>,
    ) -> std::result::Result<SourceReader, String> {
        let (credit, credits) = bounded(READ_AHEAD);
        let (stop, stopped) = unbounded();
        (0..READ_AHEAD).for_each(|_| credit.try_send(()).unwrap_or_default());
        let thread = Thread { relation, open, position, rows_max, requests, credits, stopped, error };
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
    open: OpenSource,
    position: Position,
    rows_max: usize,
    requests: Sender<Request>,
    credits: Receiver<()>,
    stopped: Receiver<()>,
    error: Arc<Mutex<Option<String>>>,
}

impl Thread {
    fn run(self) {
        let Some(mut source) = self.open() else { return };
        while self.credits.recv().is_ok() {
            let Some(request) = self.next(source.as_mut()) else { return };
            if self.requests.send(request).is_err() {
                return;
            }
        }
    }

    /// The source at its position; tries until it is there, or until nobody wants it any more.
    fn open(&self) -> Option<Box<dyn Source>> {
        loop {
            let opened = (self.open)().and_then(|mut source| source.seek(&self.position).map(|()| source));
            match opened {
                Ok(source) => {
                    *self.error.lock() = None;
                    return Some(source);
                }
                Err(error) => {
                    let known = self.error.lock().replace(error.to_string());
                    if known != Some(error.to_string()) {
                        tracing::error!("source {} can't be read yet: {error}", self.relation);
                    }
                }
            }
            if self.is_stopped_within(RETRY_PAUSE) {
                return None;
            }
        }
    }

    /// The next rows; `None` when there will be none, or nobody wants them.
    fn next(&self, source: &mut dyn Source) -> Option<Request> {
        loop {
            let pause = match source.read(self.rows_max) {
                Ok(Read::Rows { rows, next, bad }) => {
                    return Some(Request::SourceRows {
                        relation: self.relation,
                        rows,
                        next,
                        bad,
                        read_at: Instant::now(),
                    });
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
            if self.is_stopped_within(pause) {
                return None;
            }
        }
    }

    fn is_stopped_within(&self, pause: Duration) -> bool {
        self.stopped.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected)
    }
}
