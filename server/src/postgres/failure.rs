//! `Failure`: why a message could not be answered, by what happens to the connection.

use std::io;

use monsoon_sql::SqlError;

use super::frame::FrameError;

/// Result of a step of the protocol.
pub(super) type Flow<T> = Result<T, Failure>;

/// What went wrong, by what to do about it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Tell the client, and go on.
    Statement(SqlError),
    /// Tell the client, and close.
    Fatal(SqlError),
    /// There is nobody to tell: close.
    Gone,
}

impl Failure {
    /// A client that breaks the protocol.
    pub(super) fn protocol(message: impl Into<String>) -> Failure {
        Failure::Fatal(SqlError::new("08P01", message))
    }

    /// The server is stopping.
    pub(super) fn stopping() -> Failure {
        Failure::Fatal(SqlError::new("57P01", "terminating connection because the server is stopping"))
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Statement(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        tracing::debug!(%error, "connection lost");
        Failure::Gone
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Failure {
        match error {
            FrameError::Closed | FrameError::Io(_) => Failure::Gone,
            FrameError::OverBudget => Failure::Fatal(SqlError::new("53200", error.to_string())),
            FrameError::UnknownType(_)
            | FrameError::BadLength(_)
            | FrameError::TooLong { .. }
            | FrameError::Stalled => Failure::protocol(error.to_string()),
        }
    }
}
