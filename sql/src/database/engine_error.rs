//! Errors of the engine and of connectors as a client is told them.

use crate::error::SqlError;

/// An engine's error.
pub(crate) fn engine_error(error: monsoon_batch::Error) -> SqlError {
    use monsoon_batch::Error;
    let message = error.to_string();
    match error {
        Error::Rejected(_) => SqlError::new("55000", message),
        Error::Unsupported(_) => SqlError::unsupported(message),
        Error::NoRelation(_) => SqlError::new("42P01", "the relation has been dropped meanwhile"),
        Error::OutOfMemory { .. } => SqlError::new("53200", message),
        Error::SlowSubscriber { .. } => SqlError::new("53400", message),
        Error::DiskFull => SqlError::new("53100", message),
        Error::Damaged(_) => SqlError::new("XX001", message),
        Error::Stopped(_) | Error::PeerStopped => SqlError::new("58000", message),
    }
}

/// A connector's error.
pub(crate) fn connector_error(error: monsoon_connectors::Error) -> SqlError {
    use monsoon_connectors::Error;
    let message = error.to_string();
    match error {
        Error::Invalid { .. } => SqlError::new("22023", message),
        Error::Retry(_) | Error::NotReplayable(_) => SqlError::new("58030", message),
    }
}
