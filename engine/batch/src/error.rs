//! What can go wrong in the engine, by what the caller must do about it.

/// Result of an engine operation.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The user's fault or a limit: refuse the statement.
    #[error("{0}")]
    Rejected(String),
    /// The query can't be kept incrementally: refuse it at CREATE.
    #[error("{0}")]
    Unsupported(String),
    /// The relation isn't there (dropped meanwhile).
    #[error("relation {0} does not exist any more")]
    NoRelation(u32),
    /// Memory for state is used up: refuse writes until something is dropped.
    #[error("state needs more than memory_limit ({limit_mb} MB); drop a view or raise memory_limit")]
    OutOfMemory {
        /// The limit, in MB.
        limit_mb: u64,
    },
    /// The subscriber reads too slowly and was cut off.
    #[error(
        "subscriber is too slow: more than {rows_max} changed rows are waiting; subscribe again for a new snapshot"
    )]
    SlowSubscriber {
        /// The bound.
        rows_max: usize,
    },
    /// The disk is full: what asked for the store can be tried again when there is room.
    #[error("the disk is full; try again when there is room")]
    DiskFull,
    /// What the store holds is not what was written: refuse, and keep the evidence.
    #[error("{0}")]
    Damaged(String),
    /// A task can't go on because another one has stopped, which says why.
    #[error("another task has stopped")]
    PeerStopped,
    /// The engine has stopped: nothing more is written; the server should end.
    #[error("engine has stopped: {0}")]
    Stopped(String),
}

impl Error {
    /// Our own fault: the engine stops.
    pub(crate) fn bug(reason: impl std::fmt::Display) -> Error {
        Error::Stopped(format!("internal error: {reason}"))
    }

    /// What the store holds doesn't decode.
    pub(crate) fn corrupt(reason: impl std::fmt::Display) -> Error {
        Error::Damaged(format!("data directory is damaged: {reason}"))
    }

    /// Whether the engine can't go on after it.
    pub(crate) fn stops_engine(&self) -> bool {
        matches!(self, Error::Stopped(_) | Error::PeerStopped)
    }
}

impl From<monsoon_circuit::Error> for Error {
    fn from(error: monsoon_circuit::Error) -> Error {
        match error {
            monsoon_circuit::Error::Unsupported(reason) => Error::Unsupported(reason),
            monsoon_circuit::Error::PeerStopped => Error::PeerStopped,
            other => Error::Stopped(other.to_string()),
        }
    }
}

impl From<monsoon_state::Error> for Error {
    fn from(error: monsoon_state::Error) -> Error {
        match error {
            monsoon_state::Error::DiskFull => Error::DiskFull,
            monsoon_state::Error::Corrupt(_) | monsoon_state::Error::CorruptChunk { .. } => {
                Error::Damaged(error.to_string())
            }
            other => Error::Stopped(other.to_string()),
        }
    }
}
