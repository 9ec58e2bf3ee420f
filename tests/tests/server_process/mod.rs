//! A server in a process of its own, over a directory of its own; it ends and its directory goes when it is dropped.
//!
//! Shared by the tests that need the real binary: one that can be killed, and clients that are not Rust.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running server.
pub struct ServerProcess {
    child: Child,
    data: PathBuf,
    port: u16,
    http_port: Option<u16>,
    flags: Vec<&'static str>,
}

impl ServerProcess {
    /// Starts a server over an empty directory and waits until it serves.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The same, with more flags. HTTP is off unless they say otherwise.
    #[allow(dead_code)] // Not every test that shares this file has flags.
    pub fn start_with(name: &str, flags: &[&'static str]) -> Self {
        let data = scratch().join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        let (child, port, http_port) = launch(&data, flags);
        Self { child, data, port, http_port, flags: flags.to_vec() }
    }

    /// The port of the Postgres protocol.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of HTTP, where it is on.
    #[allow(dead_code)] // Not every test that shares this file speaks HTTP.
    pub fn http_port(&self) -> Option<u16> {
        self.http_port
    }

    /// SIGKILL, in the middle of whatever it does, then a new process over the same directory.
    #[allow(dead_code)] // Not every test that shares this file crashes its server.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        (self.child, self.port, self.http_port) = launch(&self.data, &self.flags);
    }

    /// The same with other flags.
    #[allow(dead_code)] // Not every test that shares this file changes flags.
    pub fn crash_and_restart_with(&mut self, flags: &[&'static str]) {
        self.flags = flags.to_vec();
        self.crash_and_restart();
    }

    fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// Where tests may leave files; cargo makes it.
pub fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Starts the binary on free ports; its first line tells which one speaks Postgres, the second which one HTTP.
fn launch(data: &Path, flags: &[&str]) -> (Child, u16, Option<u16>) {
    let binary = binary();
    let with_http = flags.contains(&"--http");
    let mut child = Command::new(&binary)
        .args(["server", "--postgres", "127.0.0.1:0", "--tasks", "2", "--log-level", "error", "--data"])
        .arg(data)
        .args(if with_http { &[][..] } else { &["--http", "off"] })
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("can't run {}: {error}", binary.display()));
    let mut line = String::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut line).expect("the server says where it serves");
    let port = line.split_once(" -p ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let port = port.unwrap_or_else(|| {
        let _ = child.kill();
        panic!("the server said {line:?} instead of where it serves; more is on stderr")
    });
    line.clear();
    if with_http {
        stdout.read_line(&mut line).expect("the server says where it speaks HTTP");
    }
    (child, port, line.trim_end().rsplit_once(':').and_then(|(_, port)| port.parse().ok()))
}

/// `MONSOON_BIN`, or the binary that was built beside this test.
#[allow(dead_code)] // Not every test that shares this file runs commands.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MONSOON_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows where it is");
    let binary = test.parent().and_then(Path::parent).expect("a test lies in target/release/deps").join("monsoon");
    assert!(
        binary.exists(),
        "{} isn't built: run `cargo build --release --bin monsoon` first, or set MONSOON_BIN",
        binary.display()
    );
    binary
}
