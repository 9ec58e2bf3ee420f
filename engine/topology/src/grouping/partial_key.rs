//! Partial key grouping: two tasks per key, so that a frequent key doesn't overload one (Nasir et al., "The power of both choices", ICDE 2015).

use super::key::key_hash;
use crate::Value;

/// The two tasks of a key, and how often this emitter has used each task.
pub(crate) struct PartialKey {
    key: Vec<usize>,
    used: Vec<u64>,
}

impl PartialKey {
    pub fn new(key: Vec<usize>, targets: u32) -> PartialKey {
        PartialKey { key, used: vec![0; targets as usize] }
    }

    /// The less used of the key's two tasks.
    pub fn choose(&mut self, values: &[Value]) -> u32 {
        let (first, second) = self.candidates(values);
        let chosen = if self.used[first] <= self.used[second] { first } else { second };
        self.used[chosen] += 1;
        chosen as u32
    }

    /// Two different tasks, if there are two.
    fn candidates(&self, values: &[Value]) -> (usize, usize) {
        let targets = self.used.len() as u64;
        let hash = key_hash(self.key.iter().map(|&field| &values[field]));
        let first = hash % targets;
        let second = match targets {
            1 => first,
            // One of the others, by bits that the first choice hardly depends on.
            _ => (first + 1 + (hash >> 32) % (targets - 1)) % targets,
        };
        (first as usize, second as usize)
    }
}
