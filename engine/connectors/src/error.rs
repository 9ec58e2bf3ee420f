//! What can go wrong with a connector, by what the caller must do about it.

/// Result of a connector operation.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's fault: refuse the statement. `option` is the WITH option at fault, if one is.
    #[error("{message}")]
    Invalid {
        /// The option of the WITH list that is wrong or missing.
        option: Option<String>,
        /// What is wrong, what was expected.
        message: String,
    },
    /// The outside system failed; try again later.
    #[error("{0}")]
    Retry(String),
    /// The input changed in a way that breaks replay (a file shrank, a position is unknown): stop this source.
    #[error("{0}")]
    NotReplayable(String),
}

impl Error {
    /// A wrong or missing option.
    pub fn option(option: &str, message: impl Into<String>) -> Error {
        Error::Invalid { option: Some(option.to_string()), message: message.into() }
    }
}
