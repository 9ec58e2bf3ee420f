//! What can go wrong in a circuit, by what the caller must do about it.

/// Result of a circuit operation.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query needs something circuits can't keep incrementally: refuse it at CREATE.
    #[error("{0}")]
    Unsupported(String),
    /// A state chunk doesn't decode: stop, and keep the evidence.
    #[error("state of operator {operator} does not decode: {reason}")]
    Corrupt {
        /// The operator's name.
        operator: String,
        /// What was wrong.
        reason: String,
    },
    /// The task at the other end of an exchange is gone; it has the reason.
    #[error("another task has stopped")]
    PeerStopped,
    /// The circuit's own invariant is broken: stop the topology.
    #[error("internal error in {operator}: {reason}")]
    Bug {
        /// The operator's name.
        operator: String,
        /// What was wrong.
        reason: String,
    },
    /// Arrow refused.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// DataFusion refused.
    #[error(transparent)]
    DataFusion(#[from] datafusion::error::DataFusionError),
}
