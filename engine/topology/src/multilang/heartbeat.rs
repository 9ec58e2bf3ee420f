//! `Heartbeat`: when a bolt's child is asked for a sign of life, and when it has given none for too long.

use std::time::{Duration, Instant};

use crate::clock::Moment;

/// As often as Storm asks.
const INTERVAL: Duration = Duration::from_secs(1);

/// When a child is asked for a sign of life, and when it has given none for too long. Whatever the child says is one.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    /// When to ask next.
    next: Moment,
    /// The first question since it was last heard: by the engine's clock, and by the one that tells when it was heard.
    unanswered: Option<(Moment, Instant)>,
}

/// What to do about a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Nothing now.
    Wait,
    /// Ask it.
    Ask,
    /// It has been silent for too long.
    Lost,
}

impl Heartbeat {
    /// What to do about a child that was last heard then; [`Pulse::Ask`] counts as asked. Time in which nobody asked doesn't count.
    pub fn check(&mut self, now: Moment, last_heard: Instant, timeout: Duration) -> Pulse {
        if self.unanswered.is_some_and(|(_, asked)| last_heard > asked) {
            self.unanswered = None;
        }
        if self.unanswered.is_some_and(|(asked, _)| now.since(asked) >= timeout) {
            return Pulse::Lost;
        }
        if now < self.next {
            return Pulse::Wait;
        }
        self.next = now.after(INTERVAL);
        self.unanswered.get_or_insert((now, Instant::now()));
        Pulse::Ask
    }

    /// When to check next.
    pub fn due(&self, timeout: Duration) -> Moment {
        self.unanswered.map_or(self.next, |(asked, _)| self.next.min(asked.after(timeout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const TIMEOUT: Duration = Duration::from_secs(3);

    #[test]
    fn it_asks_every_second_and_loses_who_does_not_answer() {
        let mut heartbeat = Heartbeat::default();
        let heard = Instant::now();
        let mut check = |seconds: u64| heartbeat.check(Moment(10 * SECOND + seconds * SECOND), heard, TIMEOUT);
        assert_eq!(check(0), Pulse::Ask);
        assert_eq!(check(0), Pulse::Wait);
        assert_eq!([check(1), check(2), check(3)], [Pulse::Ask, Pulse::Ask, Pulse::Lost]);
        assert_eq!(heartbeat.due(TIMEOUT), Moment(13 * SECOND));
    }

    #[test]
    fn time_in_which_nobody_asked_does_not_count() {
        let mut heartbeat = Heartbeat::default();
        assert_eq!(heartbeat.check(Moment(SECOND), Instant::now(), TIMEOUT), Pulse::Ask);
        let answered = Instant::now() + Duration::from_millis(1);
        assert_eq!(heartbeat.check(Moment(60 * SECOND), answered, TIMEOUT), Pulse::Ask);
    }
}
