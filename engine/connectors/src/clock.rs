//! The wall clock, as something a test can turn by hand.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send {
    /// Microseconds since 1970.
    fn now_us(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }
}

impl<F: Fn() -> i64 + Send> Clock for F {
    fn now_us(&self) -> i64 {
        self()
    }
}
