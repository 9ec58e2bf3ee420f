//! `Pace`: how many events of a generator are due by now.
//!
//! Counted from the first read after a start or a seek, so that a generator that was down for an hour goes on at its
//! rate instead of flooding the engine with an hour of events.

use std::time::Duration;

use crate::Clock;

/// No wait is longer: a clock that was set back must not silence a source.
const WAIT_MS_MAX: u64 = 1_000;

/// Holds a generator to `rate` events per wall second.
pub(crate) struct Pace {
    /// Events per second; 0 = no limit.
    rate: u64,
    clock: Box<dyn Clock>,
    /// When the count began, and the event that was next then.
    origin: Option<(i64, u64)>,
}

impl Pace {
    pub(crate) fn new(rate: u64, clock: Box<dyn Clock>) -> Pace {
        Pace { rate, clock, origin: None }
    }

    /// Forgets when it began; the next question starts a new count.
    pub(crate) fn restart(&mut self) {
        self.origin = None;
    }

    /// From now on every event is due at once.
    pub(crate) fn lift(&mut self) {
        self.rate = 0;
    }

    /// The events due by now are those below the returned number. The first event is due at once.
    pub(crate) fn due(&mut self, next_event: u64) -> u64 {
        if self.rate == 0 {
            return u64::MAX;
        }
        let now = self.clock.now_us();
        let (began, first) = *self.origin.get_or_insert((now, next_event));
        let elapsed_us = now.saturating_sub(began).max(0) as u128;
        let due = elapsed_us * u128::from(self.rate) / 1_000_000;
        first.saturating_add(1).saturating_add(due.min(u128::from(u64::MAX)) as u64)
    }

    /// How long until this event is due.
    pub(crate) fn wait(&self, event: u64) -> Duration {
        let Some((began, first)) = self.origin else { return Duration::ZERO };
        let due_us = u128::from(event.saturating_sub(first)) * 1_000_000 / u128::from(self.rate.max(1));
        let elapsed_us = self.clock.now_us().saturating_sub(began).max(0) as u128;
        let wait_us = due_us.saturating_sub(elapsed_us).min(u128::from(WAIT_MS_MAX) * 1_000) as u64;
        Duration::from_micros(wait_us.max(1_000))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn events_fall_due_with_the_clock() {
        let time = Arc::new(AtomicI64::new(5_000_000));
        let shared = Arc::clone(&time);
        let mut pace = Pace::new(10, Box::new(move || shared.load(Ordering::Relaxed)));
        assert_eq!(pace.due(100), 101);
        assert_eq!(pace.wait(101), Duration::from_millis(100));
        time.store(5_250_000, Ordering::Relaxed);
        assert_eq!(pace.due(101), 103);
        pace.restart();
        assert_eq!(pace.due(103), 104);
    }

    #[test]
    fn a_clock_set_back_silences_nobody_for_long() {
        let time = Arc::new(AtomicI64::new(5_000_000));
        let shared = Arc::clone(&time);
        let mut pace = Pace::new(10, Box::new(move || shared.load(Ordering::Relaxed)));
        pace.due(0);
        time.store(0, Ordering::Relaxed);
        assert_eq!(pace.due(1), 1);
        assert!(pace.wait(1_000) <= Duration::from_secs(1));
    }

    #[test]
    fn no_rate_is_no_limit() {
        assert_eq!(Pace::new(0, Box::new(|| 0)).due(3), u64::MAX);
    }
}
