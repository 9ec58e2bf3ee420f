//! `SqlError`: what a client is told, with SQLSTATE and position.

/// Result of a statement.
pub type Result<T> = std::result::Result<T, SqlError>;

/// An error as Postgres reports it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// Five characters, Postgres's table.
    pub sqlstate: &'static str,
    /// Lower case, names the thing, the value, the limit.
    pub message: String,
    /// More, if there is more.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Place of the fault in the statement text, in characters from 1.
    pub position: Option<usize>,
}

impl SqlError {
    /// An error without detail, hint or position.
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> SqlError {
        SqlError { sqlstate, message: message.into(), detail: None, hint: None, position: None }
    }

    /// With a hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> SqlError {
        self.hint = Some(hint.into());
        self
    }

    /// With a detail.
    pub fn with_detail(mut self, detail: impl Into<String>) -> SqlError {
        self.detail = Some(detail.into());
        self
    }

    /// At a place in the statement text, in characters from 1.
    pub fn at(mut self, position: usize) -> SqlError {
        self.position = Some(position);
        self
    }

    /// At a place in the statement text, where it is known.
    /// With a place where it has none.
    pub fn at_place_if_none(mut self, position: usize) -> SqlError {
        self.position.get_or_insert(position);
        self
    }

    /// With a place, if there is one.
    pub fn at_place(self, position: Option<usize>) -> SqlError {
        match position {
            Some(position) => self.at(position),
            None => self,
        }
    }

    /// Something that is not supported (0A000).
    pub fn unsupported(message: impl Into<String>) -> SqlError {
        SqlError::new("0A000", message)
    }

    /// A syntax error (42601).
    pub fn syntax(message: impl Into<String>) -> SqlError {
        SqlError::new("42601", message)
    }

    /// Our own fault (XX000).
    pub fn internal(message: impl Into<String>) -> SqlError {
        SqlError::new("XX000", message)
    }
}
