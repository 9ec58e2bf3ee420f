//! What can go wrong with a Trident topology, by what the caller must do about it.

use std::time::Duration;

/// Result of an operation on Trident topologies.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The topology is wrong: correct it.
    #[error("invalid topology: {0}")]
    Invalid(String),
    /// The metadata store could not be read or written: repair it, then run the topology again.
    #[error("metadata store failed: {0}")]
    Metadata(String),
    /// A spout, a state or a function refused to start.
    #[error("{component} could not be prepared: {reason}")]
    Prepare {
        /// Which.
        component: String,
        /// What it said.
        reason: String,
    },
    /// A batch failed as often as [`crate::Options::failures_max`] allows; later txids can't be committed.
    #[error("txid {txid} failed {failures} times, the topology is halted; the last reason: {reason}")]
    Halted {
        /// The batch.
        txid: u64,
        /// How often it failed.
        failures: u32,
        /// Why it failed the last time.
        reason: String,
    },
    /// The txid wasn't committed in time.
    #[error("txid {txid} was not committed within {waited:?}; committed so far: {committed}")]
    Timeout {
        /// The txid waited for.
        txid: u64,
        /// How long.
        waited: Duration,
        /// The last txid committed, 0 for none.
        committed: u64,
    },
    /// The topology was stopped before that txid was committed.
    #[error("the topology is stopped; committed so far: {committed}")]
    Stopped {
        /// The last txid committed, 0 for none.
        committed: u64,
    },
}

impl Error {
    /// An [`Error::Invalid`].
    pub(crate) fn invalid(reason: impl Into<String>) -> Error {
        Error::Invalid(reason.into())
    }
}
