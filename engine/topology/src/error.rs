//! What can go wrong in a topology, by what the caller must do about it.

/// Result of an operation on topologies.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The topology or its configuration is wrong: correct it.
    #[error("invalid topology: {0}")]
    InvalidTopology(String),
    /// There is one of that name: kill it first, or take another name.
    #[error("topology {0:?} already exists")]
    AlreadyAlive(String),
    /// There is none of that name.
    #[error("topology {0:?} does not exist")]
    NotAlive(String),
    /// A component could not be started or has failed for good.
    #[error("component {component:?} failed: {reason}")]
    Component {
        /// Which.
        component: String,
        /// What it said.
        reason: String,
    },
    /// The store could not keep a checkpoint.
    #[error("checkpoint failed: {0}")]
    Checkpoint(String),
}

impl Error {
    /// An [`Error::InvalidTopology`].
    pub fn invalid(reason: impl Into<String>) -> Error {
        Error::InvalidTopology(reason.into())
    }
}

/// Why a component could not do what it was asked: an error with a message. Any [`std::error::Error`] converts by `?`.
#[derive(Debug)]
pub struct Failure(pub String);

impl Failure {
    /// From a message.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.to_string())
    }
}

/// What a component's method returns.
pub type Outcome<T = ()> = std::result::Result<T, Failure>;
