//! When to begin a component anew after it has failed: at once, then after longer and longer waits.

use std::time::Duration;

use crate::clock::Moment;

const DELAY_MAX: Duration = Duration::from_secs(1);
/// A component that has run this long is well again.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// When to begin a component anew.
#[derive(Debug, Default)]
pub(crate) struct Restart {
    failures: u32,
    last: Moment,
    /// Not before.
    due: Moment,
}

impl Restart {
    /// It has failed.
    pub fn note_failure(&mut self, now: Moment) {
        if now.since(self.last) >= WELL_AFTER {
            self.failures = 0;
        }
        let delay = match self.failures {
            0 => Duration::ZERO,
            failures => (Duration::from_millis(5) * 2_u32.pow(failures.min(10))).min(DELAY_MAX),
        };
        self.failures += 1;
        self.last = now;
        self.due = now.after(delay);
    }

    /// The time to begin again; in the past if it is now.
    pub fn due(&self) -> Moment {
        self.due
    }
}
