//! The committer: makes commits durable, one after the other, while the tasks run the next batch.
//!
//! Everything that tells somebody of a txid happens here, after its commit: acknowledgements, subscriptions, sinks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use monsoon_circuit::RelationId;
use monsoon_state::{Commit, StateStore, TxId};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::fold::Folder;
use crate::request::Published;
use crate::shared::Shared;
use crate::sink_writer::SinkWriter;
use crate::subscriber::Subscribers;
use crate::{Error, Result};

/// How long to wait for room on a full disk before trying again.
const DISK_FULL_PAUSE: Duration = Duration::from_millis(200);

/// What happens when a commit is durable, or has failed.
pub(crate) type Then = Box<dyn FnOnce(Result<TxId>) + Send>;

/// One unit of the committer's work.
pub(crate) struct Job {
    /// The commit; `None` for a barrier, which only waits its turn.
    pub commit: Option<Commit>,
    /// Changes of relations with subscribers.
    pub published: Vec<Published>,
    /// Changes of sinks.
    pub sinks: Vec<Published>,
    /// Acknowledgements.
    pub then: Vec<Then>,
    /// When the first row of the batch arrived.
    pub arrived: Option<Instant>,
}

/// The committer's side of everything.
pub(crate) struct Committer {
    pub store: Arc<dyn StateStore>,
    pub committed: watch::Sender<TxId>,
    pub subscribers: Arc<Subscribers>,
    pub sinks: Arc<Mutex<HashMap<RelationId, SinkWriter>>>,
    pub folder: Folder,
    pub shared: Arc<Shared>,
}

impl Committer {
    /// Works until the driver hangs up.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        let mut failed: Option<Error> = None;
        while let Ok(job) = jobs.recv() {
            let outcome = match (&failed, &job.commit) {
                (Some(error), _) => Err(error.clone()),
                (None, None) => Ok(self.store.last_txid()),
                (None, Some(commit)) => self.commit(commit, job.arrived),
            };
            if let Err(error) = &outcome {
                tracing::error!("commit failed, nothing more is written: {error}");
                failed.get_or_insert_with(|| error.clone());
                self.shared.note_failure(error);
            }
            self.announce(job, outcome);
        }
    }

    fn commit(&mut self, commit: &Commit, arrived: Option<Instant>) -> Result<TxId> {
        let mut paused = false;
        let stats = loop {
            match self.store.commit(commit) {
                Ok(stats) => break stats,
                Err(monsoon_state::Error::DiskFull) => {
                    if !paused {
                        tracing::warn!("disk is full: commits pause until there is room");
                        paused = true;
                    }
                    self.wait_for_room()?;
                }
                Err(error) => return Err(Error::Stopped(error.to_string())),
            }
        };
        self.shared.note_commit(arrived.map(|arrived| arrived.elapsed()), stats.bytes);
        if paused {
            tracing::info!("there is room again: commits go on");
        }
        self.folder.note(commit);
        Ok(commit.txid)
    }

    /// Fails only when the engine is stopped meanwhile: nobody has been told of the commit.
    fn wait_for_room(&self) -> Result<()> {
        while !self.shared.is_stopping() {
            std::thread::sleep(DISK_FULL_PAUSE);
            if self.store.reopen().is_ok() {
                return Ok(());
            }
        }
        Err(Error::Stopped("the disk is full; what was not acknowledged is not written".into()))
    }

    fn announce(&self, job: Job, outcome: Result<TxId>) {
        if let (Ok(txid), true) = (&outcome, job.commit.is_some()) {
            self.committed.send_replace(*txid);
            self.subscribers.publish(*txid, job.published);
            let sinks = self.sinks.lock();
            for (relation, delta) in job.sinks {
                if let Some(sink) = sinks.get(&relation) {
                    sink.publish(*txid, delta);
                }
            }
        }
        for then in job.then {
            then(outcome.clone());
        }
    }
}
