//! What tasks count. Every tuple is counted: nothing is sampled.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::streak::Streak;

/// Latencies in buckets that grow by a quarter of a power of two: a quantile is at most 19 % too high.
#[derive(Debug)]
pub struct Latencies {
    buckets: Box<[AtomicU64]>,
}

const STEPS_PER_DOUBLING: u32 = 4;
const BUCKETS: usize = 40 * STEPS_PER_DOUBLING as usize;

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { buckets: std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect() }
    }
}

impl Latencies {
    pub(crate) fn record(&self, latency: Duration) {
        let micros = latency.as_micros() as u64;
        // One writer: the task.
        let bucket = &self.buckets[bucket_of(micros)];
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The latency that this share of them (0 to 1) doesn't exceed; zero if there is none.
    pub fn quantile(&self, share: f64) -> Duration {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return Duration::from_micros(upper_bound_us(bucket));
            }
        }
        Duration::ZERO
    }

    /// Forgets everything recorded.
    pub fn clear(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }
}

fn bucket_of(micros: u64) -> usize {
    if micros < u64::from(STEPS_PER_DOUBLING) {
        return micros as usize;
    }
    let doubling = micros.ilog2();
    let step = (micros >> (doubling - 2)) & 3;
    (((doubling - 1) * STEPS_PER_DOUBLING) as usize + step as usize).min(BUCKETS - 1)
}

fn upper_bound_us(bucket: usize) -> u64 {
    let steps = STEPS_PER_DOUBLING as usize;
    if bucket < steps {
        return bucket as u64;
    }
    let (doubling, step) = (bucket / steps + 1, bucket % steps);
    ((4 + step as u64 + 1) << (doubling - 2)) - 1
}

/// What one task has counted since it started.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    pub(crate) emitted: AtomicU64,
    pub(crate) transferred: AtomicU64,
    pub(crate) executed: AtomicU64,
    pub(crate) acked: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) pending: AtomicU64,
    pub(crate) restarts: AtomicU64,
    /// Failures in a row. Locked where something has failed, and by who asks.
    pub(crate) streak: Mutex<Streak>,
    /// Of a spout: from the emission of a tracked tuple until its tree was complete.
    pub complete_latency: Latencies,
}

/// Counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tuples emitted.
    pub emitted: u64,
    /// Copies of them sent to tasks.
    pub transferred: u64,
    /// Tuples executed by a bolt.
    pub executed: u64,
    /// Tuples acked by a bolt, or trees of a spout that are complete.
    pub acked: u64,
    /// Tuples failed by a bolt, or trees of a spout that failed or timed out.
    pub failed: u64,
    /// Tuples that a bolt wasn't given again, having failed them too often; they are among those acked.
    pub skipped: u64,
    /// Trees of a spout that are open.
    pub pending: u64,
    /// How often the task was begun anew after a panic, and how often its child process was.
    pub restarts: u64,
}

impl TaskMetrics {
    /// The counters now.
    pub fn counts(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // First: the task stores it last, so the others are no older.
        let pending = self.pending.load(Ordering::Acquire);
        Counts {
            emitted: load(&self.emitted),
            transferred: load(&self.transferred),
            executed: load(&self.executed),
            acked: load(&self.acked),
            failed: load(&self.failed),
            skipped: load(&self.skipped),
            pending,
            restarts: load(&self.restarts),
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.emitted += other.emitted;
        self.transferred += other.transferred;
        self.executed += other.executed;
        self.acked += other.acked;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.pending += other.pending;
        self.restarts += other.restarts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say() {
        for micros in (0..10_000).chain([1 << 20, 123_456_789]) {
            let bucket = bucket_of(micros);
            assert!(micros <= upper_bound_us(bucket), "{micros}");
            assert!(bucket == 0 || micros > upper_bound_us(bucket - 1), "{micros}");
        }
    }

    #[test]
    fn quantiles_are_close() {
        let latencies = Latencies::default();
        (1..=1000).for_each(|micros| latencies.record(Duration::from_micros(micros)));
        let median = latencies.quantile(0.5).as_micros();
        assert!((500..=600).contains(&median), "{median}");
        assert!(latencies.quantile(1.0) >= Duration::from_micros(1000));
    }
}
