//! `Budget`: how many bytes all connections together may hold in unfinished or unprocessed messages.
//!
//! Bytes are charged as they arrive, not as they are announced: announcing a gigabyte costs a hostile client nothing,
//! so it must cost the server nothing either.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shared allowance of bytes.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl Budget {
    /// An allowance of `bytes_max`.
    pub fn new(bytes_max: usize) -> Budget {
        Budget { used: Arc::new(AtomicUsize::new(0)), bytes_max }
    }

    /// Bytes in use.
    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// An empty charge, to be grown.
    pub fn charge(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }

    fn take(&self, bytes: usize) -> bool {
        let previous = self.used.fetch_add(bytes, Ordering::Relaxed);
        if previous.saturating_add(bytes) > self.bytes_max {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        true
    }
}

/// Bytes held; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Charge {
    /// Holds exactly `bytes` from now on; `false` where growing to it would exceed the budget (nothing changes then).
    pub fn set(&mut self, bytes: usize) -> bool {
        if bytes > self.bytes {
            if !self.budget.take(bytes - self.bytes) {
                return false;
            }
        } else {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_beyond_the_budget_is_refused_and_all_is_given_back() {
        let budget = Budget::new(100);
        let mut first = budget.charge();
        let mut second = budget.charge();
        assert!(first.set(60));
        assert!(!second.set(41));
        assert!(second.set(40));
        assert!(first.set(10));
        assert_eq!(budget.used(), 50);
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }
}
