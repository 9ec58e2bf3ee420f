//! `ShellSpec`: what a component in another language is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::Launch;
use super::dialect::ARROW;
use crate::stream::Streams;
use crate::{Config, Failure, Outcome};

/// Storm's `topology.shellbolt.max.pending`.
const PENDING_MAX: usize = 100;
/// The same in the Arrow dialect, where a tuple costs little and a batch is worth having.
const ARROW_PENDING_MAX: usize = 8192;
/// A child has at least so long to begin: an interpreter that starts for the first time can be slow.
const HANDSHAKE_WAIT_MIN: Duration = Duration::from_secs(30);

/// A component in another language: the program, and what the engine can't ask it.
#[derive(Clone, Debug, Default)]
pub struct ShellSpec {
    /// The program and its arguments. A program without a slash is looked for in `PATH`, one with a slash is best absolute.
    pub command: Vec<String>,
    /// Where it runs; none is where the engine runs. For Storm's components the directory `resources` of the topology.
    pub directory: Option<PathBuf>,
    /// Added to the engine's environment.
    pub environment: BTreeMap<String, String>,
    /// The streams it emits on.
    pub outputs: Streams,
    /// Where it puts a file named by its process id; none is a directory of its own that goes with it.
    pub pid_dir: Option<PathBuf>,
    /// Where such directories of their own are made; none is the system's directory for temporary files.
    pub scratch: Option<PathBuf>,
    /// Settings of its own; those given when the topology is built go before them.
    pub config: Config,
}

impl ShellSpec {
    /// A command that emits nothing.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> ShellSpec {
        ShellSpec { command: command.into_iter().map(Into::into).collect(), ..ShellSpec::default() }
    }

    /// How its child is started, by the settings of its task.
    pub(super) fn launch(&self, config: &Config) -> Launch {
        Launch {
            directory: self.directory.clone(),
            environment: self.environment.clone(),
            tuples_waiting_max: pending_max(config, PENDING_MAX),
            arrow_tuples_waiting_max: pending_max(config, ARROW_PENDING_MAX),
            handshake_wait: timeout(config).max(HANDSHAKE_WAIT_MIN),
            ..Launch::new(&self.command)
        }
    }

    /// The directory for the pid file, and what removes it if it is the child's own.
    pub(super) fn pid_dir(&self) -> Outcome<(PathBuf, Option<TempDir>)> {
        if let Some(directory) = &self.pid_dir {
            return Ok((absolute(directory)?, None));
        }
        let mut named = tempfile::Builder::new();
        named.prefix("monsoon-pid-");
        let own = match &self.scratch {
            Some(scratch) => std::fs::create_dir_all(scratch).and_then(|()| named.tempdir_in(scratch)),
            None => named.tempdir(),
        };
        let own = own.map_err(|error| Failure::new(format!("no directory for the pid file: {error}")))?;
        Ok((absolute(own.path())?, Some(own)))
    }
}

/// The child may run elsewhere.
fn absolute(directory: &Path) -> Outcome<PathBuf> {
    std::path::absolute(directory)
        .map_err(|error| Failure::new(format!("the pid directory {}: {error}", directory.display())))
}

/// How long a child may say nothing when it has been asked something.
pub(super) fn timeout(config: &Config) -> Duration {
    config.duration("subprocess_timeout").unwrap_or(HANDSHAKE_WAIT_MIN)
}

/// How many tuples may wait for a child.
fn pending_max(config: &Config, default: usize) -> usize {
    config.integer("shell_max_pending").map_or(default, |pending| usize::try_from(pending).unwrap_or(usize::MAX))
}

/// What a child is offered besides JSON.
pub(super) fn dialects(config: &Config) -> Vec<String> {
    config.boolean("shell_arrow").then(|| ARROW.to_owned()).into_iter().collect()
}
