//! `BlackholeSink`: takes everything, keeps nothing but counts. For measuring, and for trying a query out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Change, Guarantee, Result, Sink};

/// Counts the rows it is given.
#[derive(Debug, Default)]
pub struct BlackholeSink {
    rows: Arc<AtomicU64>,
}

impl BlackholeSink {
    /// A sink that has seen nothing.
    pub fn new() -> BlackholeSink {
        BlackholeSink::default()
    }

    /// How many rows it was given so far; readable while the engine owns the sink.
    pub fn rows(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.rows)
    }
}

impl Sink for BlackholeSink {
    /// Nothing is visible outside, so nothing is visible twice.
    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }

    fn needs_replay(&self) -> bool {
        false
    }

    fn publish(&mut self, _txid: u64, changes: &[Change]) -> Result<()> {
        let rows: usize = changes.iter().map(|change| change.rows.num_rows()).sum();
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nexmark::{NexmarkConfig, NexmarkTable, generate};

    #[test]
    fn rows_are_counted() {
        let rows = generate(&NexmarkConfig::default(), NexmarkTable::Bid, 0, 50);
        let mut sink = BlackholeSink::new();
        let count = sink.rows();
        sink.publish(1, &[Change { rows: rows.clone(), weights: None }, Change { rows, weights: None }]).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 92);
        assert!(!sink.needs_replay());
    }
}
