//! The user's functions of single tuples, as traits that closures implement.
//!
//! One function serves all partitions and all batches at once, so it is called through `&self`.

use monsoon_topology::{Outcome, Value};

use crate::tuple::{Collector, Tuple};

/// What an operation learns before its first tuple.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationContext {
    /// The topology's name.
    pub topology: String,
    /// How many partitions the operation runs in.
    pub partitions: usize,
}

/// Emits any number of tuples for one; their values are appended to those of the tuple.
pub trait Function: Send + Sync + 'static {
    /// Called once before the first batch.
    fn prepare(&self, _context: &OperationContext) -> Outcome {
        Ok(())
    }

    /// Called for each tuple, which shows the input fields only. A failure fails the batch.
    fn execute(&self, tuple: &Tuple<'_>, out: &mut Collector) -> Outcome;

    /// Called once after the last batch.
    fn cleanup(&self) {}
}

impl<F: Fn(&Tuple<'_>, &mut Collector) -> Outcome + Send + Sync + 'static> Function for F {
    fn execute(&self, tuple: &Tuple<'_>, out: &mut Collector) -> Outcome {
        self(tuple, out)
    }
}

/// Keeps or drops a tuple.
pub trait Filter: Send + Sync + 'static {
    /// Called once before the first batch.
    fn prepare(&self, _context: &OperationContext) -> Outcome {
        Ok(())
    }

    /// Whether to keep the tuple, which shows the input fields only. A failure fails the batch.
    fn keeps(&self, tuple: &Tuple<'_>) -> Outcome<bool>;

    /// Called once after the last batch.
    fn cleanup(&self) {}
}

impl<F: Fn(&Tuple<'_>) -> Outcome<bool> + Send + Sync + 'static> Filter for F {
    fn keeps(&self, tuple: &Tuple<'_>) -> Outcome<bool> {
        self(tuple)
    }
}

/// Replaces a tuple by one other.
pub trait MapFunction: Send + Sync + 'static {
    /// The values of the new tuple.
    fn map(&self, tuple: &Tuple<'_>) -> Outcome<Vec<Value>>;
}

impl<F: Fn(&Tuple<'_>) -> Outcome<Vec<Value>> + Send + Sync + 'static> MapFunction for F {
    fn map(&self, tuple: &Tuple<'_>) -> Outcome<Vec<Value>> {
        self(tuple)
    }
}

/// Replaces a tuple by any number of others.
pub trait FlatMapFunction: Send + Sync + 'static {
    /// The values of the new tuples.
    fn flat_map(&self, tuple: &Tuple<'_>) -> Outcome<Vec<Vec<Value>>>;
}

impl<F: Fn(&Tuple<'_>) -> Outcome<Vec<Vec<Value>>> + Send + Sync + 'static> FlatMapFunction for F {
    fn flat_map(&self, tuple: &Tuple<'_>) -> Outcome<Vec<Vec<Value>>> {
        self(tuple)
    }
}

/// Looks at a tuple.
pub trait Consumer: Send + Sync + 'static {
    /// Called for each tuple of each attempt, so more than once for a tuple whose batch is replayed.
    fn accept(&self, tuple: &Tuple<'_>) -> Outcome;
}

impl<F: Fn(&Tuple<'_>) -> Outcome + Send + Sync + 'static> Consumer for F {
    fn accept(&self, tuple: &Tuple<'_>) -> Outcome {
        self(tuple)
    }
}
