//! `ErrorLog`: the newest errors of a topology, per component.
//!
//! At most 5 per component are kept in 10 seconds (Storm's throttle); the rest are counted.

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

#[derive(Debug, Default)]
struct Kept {
    errors: VecDeque<ComponentError>,
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

    /// Adds an error.
    pub(crate) fn report(&self, at: Moment, mut message: String) {
        let mut kept = self.kept.lock();
        kept.total += 1;
        let lately = kept.errors.iter().rev().take_while(|error| at.since(error.at) < INTERVAL).count();
        if lately >= PER_INTERVAL_MAX {
            return;
        }
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        tracing::warn!(component = %self.component, "{message}");
        if kept.errors.len() == KEPT_MAX {
            kept.errors.pop_front();
        }
        kept.errors.push_back(ComponentError { at, message });
    }

    /// The errors kept, oldest first.
    pub fn errors(&self) -> Vec<ComponentError> {
        self.kept.lock().errors.iter().cloned().collect()
    }

    /// How many there have been.
    pub fn total(&self) -> u64 {
        self.kept.lock().total
    }
}
