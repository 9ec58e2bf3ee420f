//! What can go wrong with a child.

/// Result of an operation on a child.
pub type Result<T> = std::result::Result<T, Error>;

/// One variant per thing the caller can do. After any of them the child is of no more use: kill it, start another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The command can't be run: correct the topology.
    #[error("cannot start {command:?} in {directory:?}: {reason}")]
    Spawn {
        /// The program.
        command: String,
        /// Where it was to run.
        directory: String,
        /// What the system said.
        reason: String,
    },
    /// No `{"pid":n}` within the time allowed.
    #[error("the child did not send its pid within {limit_ms} ms; its last lines of standard error: {stderr:?}")]
    Handshake {
        /// The time allowed.
        limit_ms: u64,
        /// What it had to say.
        stderr: String,
    },
    /// It has not answered a heartbeat, or not ended a spout's turn, within the time allowed.
    #[error("the child has said nothing for {limit_ms} ms; its last lines of standard error: {stderr:?}")]
    Silent {
        /// The time allowed.
        limit_ms: u64,
        /// What it had to say.
        stderr: String,
    },
    /// What the child sent isn't the protocol: the component's fault.
    #[error("{0}")]
    Protocol(String),
    /// The child's output ended within a message, of which this is the beginning.
    #[error("the child's output ended within a message: {0:?}")]
    Truncated(String),
    /// The child reads nothing, and more waits for it than is allowed.
    #[error("{waiting} bytes of replies wait for the child, of at most {limit}: it emits without reading its task ids")]
    Deaf {
        /// How much waits.
        waiting: usize,
        /// How much may.
        limit: usize,
    },
    /// The child has ended by itself.
    #[error("the child ended with {status}; its last lines of standard error: {stderr:?}")]
    Exited {
        /// Exit code or signal, in words.
        status: String,
        /// What it had to say.
        stderr: String,
    },
    /// Reading from the child, or writing to it, or waiting for it failed.
    #[error("{what}: {reason}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
    /// The child has been killed by [`crate::multilang::ChildProcess::kill`].
    #[error("the child has been killed")]
    Killed,
}

impl Error {
    pub(crate) fn io(what: &'static str, error: &std::io::Error) -> Error {
        Error::Io { what, reason: error.to_string() }
    }
}

/// The beginning of a text, for messages.
pub(crate) fn beginning(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 200;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]).into_owned();
    if bytes.len() > SHOWN_BYTES_MAX { format!("{text}... ({} bytes)", bytes.len()) } else { text }
}
