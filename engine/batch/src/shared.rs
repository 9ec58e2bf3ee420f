//! `Shared`: what the driver, the committer and the engine's callers all look at.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use monsoon_circuit::{RelationId, RowError};
use monsoon_connectors::{BadRecord, Position};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::Error;
use crate::api::{ErrorRow, RelationStats};
use crate::driver::EventTime;
use crate::fold::MergeKinds;
use crate::log_guard::LogGuard;
use crate::log_sizes::LogSizes;
use crate::sink_writer::SinkWriter;
use crate::subscriber::Subscribers;

/// Errors kept for `monsoon.errors`; older ones go.
const ERRORS_MAX: usize = 1000;

/// Shared between the engine's threads.
#[derive(Default)]
pub(crate) struct Shared {
    pub subscribers: Arc<Subscribers>,
    pub sinks: Arc<Mutex<HashMap<RelationId, SinkWriter>>>,
    pub merge_kinds: MergeKinds,
    pub log_guard: Arc<LogGuard>,
    pub log_sizes: Arc<LogSizes>,
    append_only: Mutex<HashMap<RelationId, bool>>,
    stats: Mutex<HashMap<RelationId, RelationStats>>,
    connector_errors: Mutex<HashMap<RelationId, Arc<Mutex<Option<String>>>>>,
    errors: Mutex<VecDeque<ErrorRow>>,
    latencies_us: Mutex<VecDeque<u64>>,
    bytes_written: AtomicU64,
    /// Why nothing more is written; nothing while all is well.
    failure: watch::Sender<Option<Error>>,
    /// The engine is being stopped: nobody waits for room on a full disk any more.
    stopping: AtomicBool,
}

/// Batch latencies kept; older ones go.
const LATENCIES_MAX: usize = 65_536;

impl Shared {
    /// The engine is to end, also if that means to give up a commit that waits for room.
    pub fn note_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the engine is to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Nothing more is written; the first reason stays.
    pub fn note_failure(&self, error: &Error) {
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert_with(|| error.clone());
            is_first
        });
    }

    /// Becomes the reason when the engine stops writing.
    pub fn failure(&self) -> watch::Receiver<Option<Error>> {
        self.failure.subscribe()
    }

    /// Where a relation's source or sink leaves its last error.
    pub fn connector_error(&self, relation: RelationId) -> Arc<Mutex<Option<String>>> {
        self.connector_errors.lock().entry(relation).or_default().clone()
    }

    /// Present figures of a relation.
    pub fn stats(&self, relation: RelationId) -> RelationStats {
        let mut stats = self.stats.lock().get(&relation).cloned().unwrap_or_default();
        stats.error = self.connector_errors.lock().get(&relation).and_then(|error| error.lock().clone());
        stats
    }

    /// The newest errors, oldest first.
    pub fn recent_errors(&self) -> Vec<ErrorRow> {
        self.errors.lock().iter().cloned().collect()
    }

    /// Whether a relation only ever grows.
    pub fn is_append_only(&self, relation: RelationId) -> bool {
        self.append_only.lock().get(&relation).copied().unwrap_or(false)
    }

    pub fn note_append_only(&self, relation: RelationId, append_only: bool) {
        self.append_only.lock().insert(relation, append_only);
    }

    pub fn note_rows(&self, rows: &[(RelationId, u64)]) {
        let mut stats = self.stats.lock();
        rows.iter().for_each(|(relation, rows)| stats.entry(*relation).or_default().rows += rows);
    }

    pub fn note_position(&self, relation: RelationId, position: &Position) {
        self.stats.lock().entry(relation).or_default().position = Some(position.0.to_string());
    }

    pub fn note_event_times(&self, times: &HashMap<RelationId, EventTime>) {
        let mut stats = self.stats.lock();
        for (relation, time) in times {
            let entry = stats.entry(*relation).or_default();
            entry.watermark_us = time.watermark_us;
            entry.late = time.late;
        }
    }

    pub fn note_memory(&self, by_relation: HashMap<RelationId, u64>) {
        let mut stats = self.stats.lock();
        by_relation.into_iter().for_each(|(relation, bytes)| stats.entry(relation).or_default().state_bytes = bytes);
    }

    pub fn note_bad_records(&self, relation: RelationId, bad: Vec<BadRecord>) {
        if bad.is_empty() {
            return;
        }
        self.stats.lock().entry(relation).or_default().bad_records += bad.len() as u64;
        for record in bad {
            self.keep(ErrorRow {
                relation,
                at_us: now_us(),
                what: record.place,
                reason: record.reason,
                row: record.raw,
            });
        }
    }

    pub fn note_row_errors(&self, errors: Vec<(RelationId, RowError)>) {
        for (relation, error) in errors {
            self.keep(ErrorRow {
                relation,
                at_us: now_us(),
                what: error.expression,
                reason: error.reason,
                row: error.row,
            });
        }
    }

    /// A commit is durable: how long after its first row arrived, and how large it was.
    pub fn note_commit(&self, latency: Option<std::time::Duration>, bytes: u64) {
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
        let Some(latency) = latency else { return };
        let mut latencies = self.latencies_us.lock();
        if latencies.len() >= LATENCIES_MAX {
            latencies.pop_front();
        }
        latencies.push_back(latency.as_micros() as u64);
    }

    /// Bytes handed to the store since the start.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// The newest batch latencies in microseconds, oldest first.
    pub fn latencies_us(&self) -> Vec<u64> {
        self.latencies_us.lock().iter().copied().collect()
    }

    fn keep(&self, error: ErrorRow) {
        let mut errors = self.errors.lock();
        if errors.len() >= ERRORS_MAX {
            errors.pop_front();
        }
        errors.push_back(error);
    }
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
