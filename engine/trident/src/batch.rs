//! `BatchId`: which batch, and which try at it.

use std::fmt;

/// A batch and the attempt at it. The txid stays the same for every replay; the attempt grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId {
    /// The transaction id: 1 for a topology's first batch. For a DRPC request, the number of the request.
    pub txid: u64,
    /// 0 for the first try.
    pub attempt: u32,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.txid, self.attempt)
    }
}
