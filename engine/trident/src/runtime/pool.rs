//! `Pool`: the worker threads and their queue of jobs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::run::Run;
use crate::plan::StageId;

/// One stage of one batch in one partition.
pub(super) struct Job {
    pub(super) run: Arc<Run>,
    pub(super) stage: StageId,
    pub(super) partition: usize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// Jobs wait here in the order they came. Their number is bounded by the batches in flight.
#[derive(Default)]
pub(super) struct Pool {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Pool {
    pub(super) fn submit(&self, jobs: impl IntoIterator<Item = Job>) {
        self.queue.lock().jobs.extend(jobs);
        self.changed.notify_all();
    }

    /// Lets the workers end once the queue is empty.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            self.changed.wait(&mut queue);
        }
    }
}

/// Starts workers of a pool.
pub(super) fn start(pool: &Arc<Pool>, workers: usize) -> std::io::Result<Vec<JoinHandle<()>>> {
    let worker = |number: usize| {
        let pool = pool.clone();
        let name = format!("trident-worker-{number}");
        std::thread::Builder::new().name(name).spawn(move || {
            while let Some(job) = pool.next() {
                job.run.execute(job.stage, job.partition);
            }
        })
    };
    (0..workers.max(1)).map(worker).collect()
}
