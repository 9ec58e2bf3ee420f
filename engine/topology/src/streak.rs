//! `Streak`: how often a task has failed in a row, without one success since. It is what a topology is said to be failing by.
//!
//! What counts is a step of the task's in which something failed and nothing succeeded: a child that ends takes a hundred tuples with it, and that is one
//! failure. A step in which anything succeeded is a success.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Moment;
use crate::metrics::TaskMetrics;

/// A task that has failed so often in a row is failing.
pub(crate) const FAILING_FAILURES: u32 = 3;

/// Failures are forgotten when there has been none for twice as long as the longest time between two of them, and at least for so long.
const FORGOTTEN_AFTER_MIN: Duration = Duration::from_secs(10);
/// And at most for so long, as is the first one.
const FORGOTTEN_AFTER_MAX: Duration = Duration::from_secs(600);

/// Failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Streak {
    failures: u32,
    last: Moment,
    /// The longest time between two of them.
    gap_max: Duration,
}

impl Streak {
    /// The task has failed.
    pub fn note_failure(&mut self, now: Moment) {
        if self.is_forgotten(now) {
            *self = Streak::default();
        }
        if self.failures > 0 {
            self.gap_max = self.gap_max.max(now.since(self.last));
        }
        self.failures = self.failures.saturating_add(1);
        self.last = now;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether the task fails again and again.
    pub fn is_failing(&self, now: Moment) -> bool {
        self.failures >= FAILING_FAILURES && !self.is_forgotten(now)
    }

    fn is_forgotten(&self, now: Moment) -> bool {
        let after = match self.failures {
            0 | 1 => FORGOTTEN_AFTER_MAX,
            _ => self.gap_max.saturating_mul(2).clamp(FORGOTTEN_AFTER_MIN, FORGOTTEN_AFTER_MAX),
        };
        now.since(self.last) >= after
    }
}

/// What a task has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tuples acked, or emitted without anybody telling what becomes of them.
    pub succeeded: u64,
    /// Tuples failed.
    pub failed: u64,
    /// How often the component itself, or its child process, has failed and was to be begun anew.
    pub mishaps: u64,
}

/// Follows what a task counts. Costs a comparison where all goes well.
#[derive(Debug)]
pub(crate) struct Judge {
    last: Tally,
    /// Of the task's streak, which outlives this.
    failures: u32,
}

impl Judge {
    /// Of a task that begins to count, maybe anew.
    pub fn new(metrics: &TaskMetrics) -> Judge {
        Judge { last: Tally::default(), failures: metrics.streak.lock().failures() }
    }

    /// A step has come to this. Returns how often the task has failed in a row, if it has failed once more.
    #[inline]
    pub fn note(&mut self, tally: Tally, now: Moment, metrics: &TaskMetrics) -> Option<u32> {
        if tally.mishaps != self.last.mishaps {
            metrics.restarts.fetch_add(tally.mishaps - self.last.mishaps, Ordering::Relaxed);
        }
        let has_succeeded = tally.succeeded > self.last.succeeded;
        let has_failed = tally.failed > self.last.failed || tally.mishaps > self.last.mishaps;
        self.last = tally;
        match () {
            () if has_succeeded && self.failures == 0 => None,
            () if has_succeeded => {
                self.failures = 0;
                *metrics.streak.lock() = Streak::default();
                None
            }
            () if has_failed => {
                let mut streak = metrics.streak.lock();
                streak.note_failure(now);
                self.failures = streak.failures();
                Some(self.failures)
            }
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(1_000_000_000).after(Duration::from_secs(seconds))
    }

    fn streak(failures: impl IntoIterator<Item = u64>) -> Streak {
        let mut streak = Streak::default();
        failures.into_iter().for_each(|second| streak.note_failure(at(second)));
        streak
    }

    #[test]
    fn three_failures_in_a_row_are_failing() {
        assert!(!streak([0, 0]).is_failing(at(0)));
        assert!(streak([0, 0, 0]).is_failing(at(0)));
    }

    #[test]
    fn failures_are_forgotten_after_twice_the_time_between_them() {
        let often = streak([0, 1, 2]);
        assert!(often.is_failing(at(11)) && !often.is_failing(at(12)), "at least ten seconds");
        let seldom = streak([0, 30, 60]);
        assert!(seldom.is_failing(at(119)) && !seldom.is_failing(at(120)));
        assert!(!streak([0, 700, 1400, 2100]).is_failing(at(2100)), "each is forgotten before the next");
    }

    #[test]
    fn one_success_in_a_step_ends_it() {
        let metrics = TaskMetrics::default();
        let mut judge = Judge::new(&metrics);
        let tally = |succeeded, failed, mishaps| Tally { succeeded, failed, mishaps };
        assert_eq!(judge.note(tally(0, 100, 0), at(0), &metrics), Some(1), "a hundred tuples at once are one failure");
        assert_eq!(judge.note(tally(0, 100, 2), at(0), &metrics), Some(2));
        assert_eq!(judge.note(tally(0, 100, 2), at(0), &metrics), None);
        // The topology goes back to its checkpoint.
        let mut judge = Judge::new(&metrics);
        assert_eq!(judge.note(tally(0, 1, 0), at(0), &metrics), Some(3));
        assert!(metrics.streak.lock().is_failing(at(0)));
        assert_eq!(judge.note(tally(1, 2, 0), at(0), &metrics), None);
        assert!(!metrics.streak.lock().is_failing(at(0)));
        assert_eq!(metrics.counts().restarts, 2);
    }
}
