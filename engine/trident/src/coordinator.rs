//! `Coordinator`: which batch starts, commits, and is tried again. Pure: events in, effects out; no threads, no clock.
//!
//! Invariants:
//! - Txids start in order and commit in order; at most one commit is under way.
//! - A batch commits only after it was processed in its current attempt.
//! - A txid is recorded before the next one commits; what is recorded is never started again.
//! - When a txid fails, it and all later ones start again, each with a higher attempt, in order.
//! - Once all states have committed a txid it is not started again: a record that fails may be durable all the same, and a
//!   crash during a second commit would then lose a part of it. Only the record is tried again.
//! - When spouts are asked whether they are ready, a new txid starts only after one of them said so for this txid.
//! - A stopped coordinator starts nothing, and is quiet once the commit under way has ended.

use std::collections::BTreeMap;

use crate::batch::BatchId;

/// The bounds a coordinator keeps to. Times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) in_flight_max: usize,
    pub(crate) batch_interval_ms: u64,
    pub(crate) idle_interval_ms: u64,
    pub(crate) retry_delay_ms_min: u64,
    pub(crate) retry_delay_ms_max: u64,
    pub(crate) failures_max: Option<u32>,
}

/// What has happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Time has passed.
    Tick,
    /// All that a batch does before its commit is done; it had so many tuples.
    Processed { batch: BatchId, tuples: u64 },
    /// All states have committed the batch.
    Committed(BatchId),
    /// The commit is recorded.
    Recorded(BatchId),
    /// The batch can't be processed or committed, or its record failed. Nothing of this attempt runs any more.
    Failed { batch: BatchId, reason: String },
    /// A spout is ready for a new batch.
    Ready(u64),
    /// No spout is ready for a new batch.
    NotReady(u64),
    /// No batch may start any more.
    Stop,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Ask the spouts whether they are ready for a new batch.
    Ask(u64),
    /// Emit and process a batch.
    Start(BatchId),
    /// Let the states commit a batch.
    Commit(BatchId),
    /// Record durably that the batch is committed, and the attempts of those in flight.
    Record { batch: BatchId, attempts: BTreeMap<u64, u32> },
    /// The batch is done for good: tell the spouts.
    Succeeded(BatchId),
    /// Give up an attempt that is being processed: it will be started again.
    Cancel(BatchId),
    /// Show a failure: the how-manieth of this batch.
    Report { batch: BatchId, failures: u32, reason: String },
    /// The batch failed too often: nothing from it on will be tried again.
    Halt { txid: u64, failures: u32, reason: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// To be started (again) once the retry delay is over.
    Waiting,
    Processing,
    Processed,
    Committing,
    Recording,
    /// The record failed and is to be tried again.
    Unrecorded,
}

#[derive(Debug, Clone, Copy)]
struct Active {
    attempt: u32,
    status: Status,
    /// How often this batch itself failed.
    failures: u32,
}

/// Whether a new batch may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Always: the spouts aren't asked.
    Always,
    /// The spouts are to be asked.
    Unknown,
    /// They were asked for this txid.
    Asked(u64),
    /// One of them is ready for this txid.
    Ready(u64),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Coordinator {
    limits: Limits,
    readiness: Readiness,
    /// The txid that is the next to commit.
    next_commit: u64,
    /// The batches in flight: from `next_commit` on, without a gap.
    active: BTreeMap<u64, Active>,
    /// Attempts of batches that were in flight when the topology last ended.
    earlier_attempts: BTreeMap<u64, u32>,
    new_batch_at_ms: u64,
    retry_at_ms: u64,
    record_at_ms: u64,
    halted_at: Option<u64>,
    stopped: bool,
}

impl Coordinator {
    /// One that starts with a txid, 1 for a new topology.
    pub(crate) fn new(
        limits: Limits,
        readiness: Readiness,
        next_commit: u64,
        earlier_attempts: BTreeMap<u64, u32>,
    ) -> Coordinator {
        assert!(limits.in_flight_max > 0, "a coordinator needs room for a batch");
        Coordinator {
            limits,
            readiness,
            next_commit,
            active: BTreeMap::new(),
            earlier_attempts,
            new_batch_at_ms: 0,
            retry_at_ms: 0,
            record_at_ms: 0,
            halted_at: None,
            stopped: false,
        }
    }

    /// Takes an event. An event of another attempt than the current one changes nothing.
    pub(crate) fn handle(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Tick => {}
            Event::Processed { batch, tuples } => self.processed(now_ms, batch, tuples),
            Event::Committed(batch) => self.committed(batch, &mut effects),
            Event::Recorded(batch) => self.recorded(batch, &mut effects),
            Event::Failed { batch, reason } => self.failed(now_ms, batch, reason, &mut effects),
            Event::Ready(txid) if self.readiness == Readiness::Asked(txid) => self.readiness = Readiness::Ready(txid),
            Event::NotReady(txid) if self.readiness == Readiness::Asked(txid) => {
                self.readiness = Readiness::Unknown;
                // At least a moment, so that spouts aren't asked without a pause.
                self.new_batch_at_ms = self.new_batch_at_ms.max(now_ms + self.limits.idle_interval_ms.max(1));
            }
            Event::Ready(_) | Event::NotReady(_) => {}
            Event::Stop => self.stopped = true,
        }
        self.record_again(now_ms, &mut effects);
        self.commit_next(&mut effects);
        self.start_batches(now_ms, &mut effects);
        effects
    }

    /// When a tick would change something, unless an event comes first.
    pub(crate) fn wakeup_ms(&self) -> Option<u64> {
        if self.stopped {
            return None;
        }
        let start = match self.first_waiting() {
            Some(txid) if self.is_halted(txid) => None,
            Some(_) => Some(self.retry_at_ms),
            None if self.has_room() && !matches!(self.readiness, Readiness::Asked(_)) => Some(self.new_batch_at_ms),
            None => None,
        };
        let record = self.unrecorded().map(|_| self.record_at_ms);
        start.into_iter().chain(record).min()
    }

    /// Whether it is stopped and nothing is being committed.
    pub(crate) fn is_quiet(&self) -> bool {
        let commits = |active: &Active| matches!(active.status, Status::Committing | Status::Recording);
        self.stopped && !self.active.values().any(commits)
    }

    /// The last txid committed and recorded, 0 for none.
    pub(crate) fn last_committed(&self) -> u64 {
        self.next_commit - 1
    }

    fn current(&mut self, batch: BatchId, status: Status) -> Option<&mut Active> {
        let active = self.active.get_mut(&batch.txid)?;
        (active.attempt == batch.attempt && active.status == status).then_some(active)
    }

    fn processed(&mut self, now_ms: u64, batch: BatchId, tuples: u64) {
        if let Some(active) = self.current(batch, Status::Processing) {
            active.status = Status::Processed;
            if tuples == 0 {
                self.new_batch_at_ms = self.new_batch_at_ms.max(now_ms + self.limits.idle_interval_ms);
            }
        }
    }

    fn committed(&mut self, batch: BatchId, effects: &mut Vec<Effect>) {
        if let Some(active) = self.current(batch, Status::Committing) {
            active.status = Status::Recording;
            effects.push(self.record(batch));
        }
    }

    fn record(&self, batch: BatchId) -> Effect {
        let attempts = self.active.range(batch.txid + 1..).map(|(txid, active)| (*txid, active.attempt)).collect();
        Effect::Record { batch, attempts }
    }

    /// The batch whose record is to be tried again.
    fn unrecorded(&self) -> Option<BatchId> {
        let (txid, active) = self.active.first_key_value()?;
        let waits = active.status == Status::Unrecorded && !self.is_halted(*txid);
        waits.then_some(BatchId { txid: *txid, attempt: active.attempt })
    }

    fn record_again(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let Some(batch) = self.unrecorded().filter(|_| now_ms >= self.record_at_ms && !self.stopped) else { return };
        if let Some(active) = self.current(batch, Status::Unrecorded) {
            active.status = Status::Recording;
            effects.push(self.record(batch));
        }
    }

    fn recorded(&mut self, batch: BatchId, effects: &mut Vec<Effect>) {
        if self.current(batch, Status::Recording).is_some() {
            assert_eq!(batch.txid, self.next_commit, "txids commit in order");
            self.active.remove(&batch.txid);
            self.next_commit += 1;
            effects.push(Effect::Succeeded(batch));
        }
    }

    fn failed(&mut self, now_ms: u64, batch: BatchId, reason: String, effects: &mut Vec<Effect>) {
        let Some(active) = self.active.get_mut(&batch.txid) else { return };
        if active.attempt != batch.attempt || matches!(active.status, Status::Waiting | Status::Unrecorded) {
            return;
        }
        active.failures += 1;
        let failures = active.failures;
        effects.push(Effect::Report { batch, failures, reason: reason.clone() });
        if active.status == Status::Recording {
            active.status = Status::Unrecorded;
            self.record_at_ms = now_ms + self.retry_delay_ms(failures);
        } else {
            self.restart_from(batch.txid, effects);
            self.retry_at_ms = now_ms + self.retry_delay_ms(failures);
        }
        if self.limits.failures_max.is_some_and(|max| failures >= max) && !self.is_halted(batch.txid) {
            self.halted_at = Some(batch.txid);
            effects.push(Effect::Halt { txid: batch.txid, failures, reason });
        }
    }

    /// Gives up a txid and all later ones, to be started again.
    fn restart_from(&mut self, failed: u64, effects: &mut Vec<Effect>) {
        for (txid, active) in self.active.range_mut(failed..) {
            if *txid > failed && matches!(active.status, Status::Processing | Status::Processed) {
                effects.push(Effect::Cancel(BatchId { txid: *txid, attempt: active.attempt }));
            }
            if active.status != Status::Waiting {
                active.attempt += 1;
                active.status = Status::Waiting;
            }
        }
    }

    fn retry_delay_ms(&self, failures: u32) -> u64 {
        let doublings = (failures - 1).min(20);
        self.limits.retry_delay_ms_min.saturating_mul(1 << doublings).min(self.limits.retry_delay_ms_max)
    }

    fn is_halted(&self, txid: u64) -> bool {
        self.halted_at.is_some_and(|halted| txid >= halted)
    }

    fn first_waiting(&self) -> Option<u64> {
        self.active.iter().find(|(_, active)| active.status == Status::Waiting).map(|(txid, _)| *txid)
    }

    fn has_room(&self) -> bool {
        self.active.len() < self.limits.in_flight_max && self.halted_at.is_none()
    }

    fn commit_next(&mut self, effects: &mut Vec<Effect>) {
        if self.stopped {
            return;
        }
        let txid = self.next_commit;
        if let Some(active) = self.active.get_mut(&txid).filter(|active| active.status == Status::Processed) {
            active.status = Status::Committing;
            effects.push(Effect::Commit(BatchId { txid, attempt: active.attempt }));
        }
    }

    /// Whether a new batch may start; asks when that isn't known.
    fn is_ready(&mut self, txid: u64, effects: &mut Vec<Effect>) -> bool {
        match self.readiness {
            Readiness::Always => true,
            Readiness::Ready(ready) if ready == txid => {
                self.readiness = Readiness::Unknown;
                true
            }
            Readiness::Asked(asked) if asked == txid => false,
            Readiness::Unknown | Readiness::Ready(_) | Readiness::Asked(_) => {
                self.readiness = Readiness::Asked(txid);
                effects.push(Effect::Ask(txid));
                false
            }
        }
    }

    fn start_batches(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.stopped {
            return;
        }
        while let Some(txid) = self.first_waiting() {
            if now_ms < self.retry_at_ms || self.is_halted(txid) {
                return;
            }
            let Some(active) = self.active.get_mut(&txid) else { return };
            active.status = Status::Processing;
            effects.push(Effect::Start(BatchId { txid, attempt: active.attempt }));
        }
        while self.has_room() && now_ms >= self.new_batch_at_ms {
            let txid = self.next_commit + self.active.len() as u64;
            if !self.is_ready(txid, effects) {
                return;
            }
            let attempt = self.earlier_attempts.remove(&txid).map_or(0, |earlier| earlier + 1);
            self.active.insert(txid, Active { attempt, status: Status::Processing, failures: 0 });
            effects.push(Effect::Start(BatchId { txid, attempt }));
            self.new_batch_at_ms = now_ms + self.limits.batch_interval_ms;
        }
    }
}

#[cfg(test)]
mod tests;
