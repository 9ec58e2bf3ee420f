//! A server process: started, asked, killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use tokio_postgres::{Client, NoTls};

/// No statement of these tests takes longer on a machine that is merely busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test: `MONSOON_BINARY`, or the one that was built beside this test.
pub fn binary() -> PathBuf {
    if let Ok(path) = std::env::var("MONSOON_BINARY") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    let path = test.ancestors().nth(2).expect("target/profile/deps/test").join("monsoon");
    assert!(path.exists(), "{} is missing: cargo build --release -p monsoon", path.display());
    path
}

/// Starts a server without waiting for it. What it logs is appended to `log`.
pub fn spawn(data: &Path, log: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    let child = Command::new(binary())
        .args(["server", "--postgres", "127.0.0.1:0", "--http", "off", "--data"])
        .arg(data)
        .env("MONSOON_LOG_LEVEL", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn();
    child.context("the server can't be started")
}

/// `monsoon check`, run to its end.
pub fn check(data: &Path) -> Result<Output> {
    Ok(Command::new(binary()).arg("check").arg(data).output()?)
}

/// A server that has said it is ready.
pub struct Server {
    child: Child,
    /// Kept open: a server whose reader has gone would fail at its next line.
    _output: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    /// Starts one; an error if it ends instead of becoming ready.
    pub async fn start(data: &Path, log: &Path) -> Result<Server> {
        let (data, log) = (data.to_owned(), log.to_owned());
        tokio::task::spawn_blocking(move || Server::await_ready(spawn(&data, &log)?)).await?
    }

    fn await_ready(mut child: Child) -> Result<Server> {
        let mut output = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let port = line.split_whitespace().skip_while(|word| *word != "-p").nth(1).and_then(|port| port.parse().ok());
        let Some(port) = port else {
            child.kill()?;
            return Err(anyhow!("the server refuses to start: {}, {line:?}", child.wait()?));
        };
        Ok(Server { child, _output: output, port })
    }

    /// Where it listens.
    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    /// A session of its own.
    pub async fn client(&self) -> Result<Client> {
        let config = format!("host=127.0.0.1 port={} user=ann dbname=monsoon", self.port);
        let (client, connection) = tokio::time::timeout(PATIENCE, tokio_postgres::connect(&config, NoTls)).await??;
        tokio::spawn(connection);
        Ok(client)
    }

    /// SIGKILL; returns when the process is gone and its lock with it.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Stops it as an operator would.
    pub fn stop(mut self) -> Result<()> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill -TERM fails");
        let status = self.child.wait()?;
        ensure!(status.success(), "a clean stop ends with {status}");
        Ok(())
    }

    /// Memory it has now, in kB.
    pub fn resident_kb(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after `kill` and `stop`; both calls are then refused without harm.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer within [`PATIENCE`]: a statement that hangs is a failure, not a test that never ends.
pub async fn within<T, E>(answer: impl Future<Output = std::result::Result<T, E>>) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    Ok(tokio::time::timeout(PATIENCE, answer).await.context("no answer")??)
}
