//! Time: a `Moment`, and where it comes from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time, in microseconds since 1970 UTC. Within a process it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// This much later.
    pub fn after(self, delay: Duration) -> Moment {
        Moment(self.0.saturating_add(micros(delay)))
    }

    /// How long ago `earlier` was; zero if it is in the future.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// In milliseconds since 1970 UTC.
    pub fn as_millis(self) -> i64 {
        (self.0 / 1000) as i64
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Moment;
}

/// The machine's clock at the start, moved on by its monotonic clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Moment,
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        SystemClock { start: Moment(micros(since_1970)), started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        self.start.after(self.started.elapsed())
    }
}

/// A clock that only moves when it is told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(micros(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment(self.0.load(Ordering::SeqCst))
    }
}
