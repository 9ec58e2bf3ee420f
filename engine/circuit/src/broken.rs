//! A fault on demand, so that the oracle can be shown to find one. Only with the feature `broken-operator`, and off until
//! it is switched on.

use std::sync::atomic::{AtomicBool, Ordering};

static JOIN: AtomicBool = AtomicBool::new(false);

/// From now on joins forget to pair rows that arrive on the right.
pub fn break_joins() {
    JOIN.store(true, Ordering::Relaxed);
}

/// Whether they do.
pub(crate) fn joins_are_broken() -> bool {
    JOIN.load(Ordering::Relaxed)
}
