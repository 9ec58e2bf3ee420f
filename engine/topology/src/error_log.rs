//! `ErrorLog`: the newest errors of a topology, per component.
//!
//! At most 5 per component are kept in 10 seconds (Storm's throttle), and as many of what the engine itself has to say of the component: that it goes
//! back to a checkpoint isn't lost among what took it there. The rest are counted.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use smol_str::SmolStr;

use crate::clock::Moment;

const PER_INTERVAL_MAX: usize = 5;
const INTERVAL: Duration = Duration::from_secs(10);
const KEPT_MAX: usize = 100;
const MESSAGE_BYTES_MAX: usize = 4096;

/// An error that a component reported, or that the engine saw it make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentError {
    /// When.
    pub at: Moment,
    /// What it said.
    pub message: String,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Component,
    Engine,
}

#[derive(Debug, Default)]
struct Kept {
    errors: VecDeque<(Origin, ComponentError)>,
    total: u64,
}

/// The newest errors of one component.
#[derive(Debug)]
pub struct ErrorLog {
    component: SmolStr,
    kept: Mutex<Kept>,
}

impl ErrorLog {
    pub(crate) fn new(component: SmolStr) -> ErrorLog {
        ErrorLog { component, kept: Mutex::default() }
    }

    /// Adds an error that the component made.
    pub(crate) fn report(&self, at: Moment, message: String) {
        self.add(Origin::Component, at, message);
    }

    /// Adds what the engine does because of the component.
    pub(crate) fn report_consequence(&self, at: Moment, message: String) {
        self.add(Origin::Engine, at, message);
    }

    fn add(&self, origin: Origin, at: Moment, mut message: String) {
        let mut kept = self.kept.lock();
        kept.total += 1;
        let lately = kept.errors.iter().rev().take_while(|(_, error)| at.since(error.at) < INTERVAL);
        let lately = lately.filter(|(by, _)| *by == origin).count();
        if lately >= PER_INTERVAL_MAX {
            return;
        }
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        tracing::warn!(component = %self.component, "{message}");
        if kept.errors.len() == KEPT_MAX {
            kept.errors.pop_front();
        }
        kept.errors.push_back((origin, ComponentError { at, message }));
    }

    /// The errors kept, oldest first.
    pub fn errors(&self) -> Vec<ComponentError> {
        self.kept.lock().errors.iter().map(|(_, error)| error.clone()).collect()
    }

    /// How many there have been.
    pub fn total(&self) -> u64 {
        self.kept.lock().total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_says_is_not_lost_in_a_flood() {
        let log = ErrorLog::new("bolt".into());
        (0..1000).for_each(|at| log.report(Moment(at), "no".into()));
        (0..1000).for_each(|at| log.report_consequence(Moment(1000 + at), "goes back".into()));
        let said: Vec<String> = log.errors().into_iter().map(|error| error.message).collect();
        assert_eq!(said, [["no"; 5], ["goes back"; 5]].concat());
        assert_eq!(log.total(), 2000);
        log.report(Moment(0).after(INTERVAL), "once more".into());
        assert_eq!(log.errors().len(), 11);
    }
}
