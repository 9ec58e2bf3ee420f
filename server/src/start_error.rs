//! `StartError`: why a server did not start or did not go on, or a check could not be made. One line for people, one exit code for scripts.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use monsoon_sql::OpenError;

use crate::settings::SettingError;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting can't be used (exit code 2).
    #[error("{0}")]
    Setting(#[from] SettingError),
    /// The address can't be listened on (exit code 3).
    #[error("can't listen on {address}: {reason}; stop what uses it, or choose another with --{setting}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The setting it comes from.
        setting: &'static str,
        /// The system's words.
        reason: String,
    },
    /// Another process has the data directory open (exit code 4).
    #[error("{0}")]
    Locked(String),
    /// The data directory was written by a newer Monsoon (exit code 5).
    #[error("{0}")]
    NewerFormat(String),
    /// The data directory is damaged (exit code 6).
    #[error("{0}; keep it as it is, and run `monsoon check` on it")]
    Damaged(String),
    /// The engine stopped while the server ran (exit code 7).
    #[error("{0}; nothing acknowledged is lost: start the server again")]
    EngineFailed(String),
    /// Anything else (exit code 1).
    #[error("{0}")]
    Other(String),
}

impl StartError {
    /// Sorts an error of opening a database by what caused it.
    pub fn from_open(error: &(dyn Error + 'static)) -> StartError {
        let message = error.to_string();
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(state) = current.downcast_ref::<monsoon_state::Error>() {
                return StartError::from_state(state, message);
            }
            if let Some(OpenError::NewerCatalog(_)) = current.downcast_ref::<OpenError>() {
                return StartError::NewerFormat(message);
            }
            cause = current.source();
        }
        StartError::Other(message)
    }

    /// Sorts an error of the state store.
    pub fn from_state(error: &monsoon_state::Error, message: String) -> StartError {
        use monsoon_state::Error as State;
        match error {
            State::Locked { .. } => StartError::Locked(message),
            State::NewerFormat { .. } => StartError::NewerFormat(message),
            State::Corrupt(_) | State::BehindWitness { .. } | State::CorruptChunk { .. } => {
                StartError::Damaged(message)
            }
            _ => StartError::Other(message),
        }
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            StartError::Other(_) => 1,
            StartError::Setting(_) => 2,
            StartError::Address { .. } => 3,
            StartError::Locked(_) => 4,
            StartError::NewerFormat(_) => 5,
            StartError::Damaged(_) => 6,
            StartError::EngineFailed(_) => 7,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("opening the database: {0}")]
    struct Wrapped(#[source] monsoon_state::Error);

    #[test]
    fn a_cause_is_found_behind_its_wrapping() {
        let wrapped = Wrapped(monsoon_state::Error::Locked { path: "/d".to_owned() });
        let error = StartError::from_open(&wrapped);
        assert!(matches!(error, StartError::Locked(_)), "{error:?}");
        assert!(error.to_string().contains("/d"));
        let unread = OpenError::Relation {
            kind: "table",
            name: "t".to_owned(),
            reason: "engine has stopped".to_owned(),
            source: Some(monsoon_state::Error::Corrupt("a block".to_owned())),
        };
        let error = StartError::from_open(&unread);
        assert!(matches!(error, StartError::Damaged(_)), "{error:?}");
        let newer =
            monsoon_sql::catalog::CatalogError::Newer { entry: "c/relation/1".to_owned(), found: 2, supported: 1 };
        let error = StartError::from_open(&OpenError::from(newer));
        assert!(matches!(error, StartError::NewerFormat(_)), "{error:?}");
        let other = StartError::from_open(&std::io::Error::other("x"));
        assert!(matches!(other, StartError::Other(_)));
    }
}
