//! `Random`: the one source of chance in a simulation. Clones share it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::anchor::EdgeIds;

/// The one source of chance in a simulation.
#[derive(Clone, Debug)]
pub(super) struct Random(Arc<Mutex<EdgeIds>>);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(Arc::new(Mutex::new(EdgeIds::new(seed))))
    }

    pub fn next(&self) -> u64 {
        self.0.lock().next()
    }

    /// From 0 up to, not including, `bound`.
    pub fn below(&self, bound: usize) -> usize {
        ((self.next() >> 16) % bound as u64) as usize
    }

    /// True this often in a thousand.
    pub fn chance(&self, per_mille: u32) -> bool {
        self.below(1000) < per_mille as usize
    }

    pub fn pick<T: Clone>(&self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}
