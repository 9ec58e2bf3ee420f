//! The example programs in clients/: other people's Postgres drivers against a real server.
//!
//! psycopg comes from PyPI into a virtual environment, pgjdbc from Maven; both stay under `target/tmp`. Without Java or Maven the JDBC
//! test says that it is skipped. `MONSOON_SKIP_DRIVERS=1` skips both.

mod server_process;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use server_process::{ServerProcess, scratch};

const PSYCOPG: &str = "psycopg[binary]==3.2.*";
const PGJDBC: &str = "org.postgresql:postgresql:42.7.4";
const PGJDBC_FILE: &str = "postgresql-42.7.4.jar";
const MAVEN_COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";

#[test]
fn psycopg_tour() {
    if is_skipped("psycopg") {
        return;
    }
    let python = python_with_psycopg();
    let server = ServerProcess::start("psycopg");
    run_tour(Command::new(python).arg(client("python/tour.py")), &server);
}

#[test]
fn jdbc_tour() {
    if is_skipped("JDBC") {
        return;
    }
    let missing: Vec<&str> = ["java", "mvn"].into_iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: the JDBC tour needs {}, which isn't installed", missing.join(" and "));
        return;
    }
    let jar = pgjdbc_jar();
    let server = ServerProcess::start("jdbc");
    run_tour(Command::new("java").arg("-cp").arg(jar).arg(client("java/Tour.java")), &server);
}

fn is_skipped(driver: &str) -> bool {
    let is_skipped = std::env::var_os("MONSOON_SKIP_DRIVERS").is_some_and(|value| value == "1");
    if is_skipped {
        eprintln!("SKIPPED: the {driver} tour, because MONSOON_SKIP_DRIVERS=1");
    }
    is_skipped
}

fn run_tour(program: &mut Command, server: &ServerProcess) {
    let printed = run(program.arg(server.port().to_string()), "the tour failed");
    assert_eq!(printed.trim(), "ok");
}

/// The Python of a virtual environment that has psycopg; kept for the next run.
fn python_with_psycopg() -> PathBuf {
    let environment = scratch().join("psycopg-environment");
    let python = environment.join("bin/python");
    let has_psycopg = |python: &Path| {
        let import = Command::new(python).args(["-c", "import psycopg"]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    };
    if !has_psycopg(&python) {
        let hint = "psycopg can't be installed; MONSOON_SKIP_DRIVERS=1 leaves the driver tests out";
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment), hint);
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PSYCOPG];
        run(Command::new(&python).args(pip), hint);
    }
    python
}

/// The driver, fetched with Maven and kept for the next run.
fn pgjdbc_jar() -> PathBuf {
    let directory = scratch().join("pgjdbc");
    let jar = directory.join(PGJDBC_FILE);
    if !jar.exists() {
        let hint = "pgjdbc can't be fetched; MONSOON_SKIP_DRIVERS=1 leaves the driver tests out";
        let output = format!("-DoutputDirectory={}", directory.display());
        let artifact = format!("-Dartifact={PGJDBC}");
        run(Command::new("mvn").args(["-q", "-B", MAVEN_COPY, &artifact, &output]).current_dir(scratch()), hint);
    }
    jar
}

fn client(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients").join(path)
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Runs a program to its end and returns what it printed; fails with all it said if it fails.
fn run(command: &mut Command, complaint: &str) -> String {
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{complaint}: {command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}: {command:?}\n{printed}{errors}");
    printed
}
