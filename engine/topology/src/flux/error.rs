//! `FluxError`: what is wrong in a Flux file, and where.

use std::fmt;
use std::sync::Arc;

/// A place in a file. Cloning shares the file's name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file's name, as the caller gave it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1. Counted after substitution, which changes columns but never lines.
    pub column: usize,
}

impl Place {
    /// An error at this place.
    pub(super) fn error(&self, message: impl Into<String>) -> FluxError {
        FluxError { place: self.clone(), message: message.into() }
    }

    /// An error at this place unless the condition holds.
    pub(super) fn ensure(&self, holds: bool, message: impl FnOnce() -> String) -> Result<(), FluxError> {
        if holds { Ok(()) } else { Err(self.error(message())) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A Flux file is wrong: its author must correct it. Displayed as `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct FluxError {
    /// Where.
    pub place: Place,
    /// What was found, and what was expected.
    pub message: String,
}

impl From<FluxError> for crate::Error {
    fn from(error: FluxError) -> crate::Error {
        crate::Error::InvalidTopology(error.to_string())
    }
}
