//! A virtual environment with the packages from PyPI that tests need, under `target/tmp`, which is kept. `MONSOON_SKIP_DRIVERS=1` skips the tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const PACKAGES: [&str; 3] = ["pystorm==3.1.4", "streamparse==5.0.1", "pyarrow==26.0.1"];
const MODULES: &str = "import pystorm, streamparse, pyarrow";

/// The programs of an environment that has all packages; none if the tests are to be skipped.
pub fn environment() -> Option<&'static Path> {
    static ENVIRONMENT: OnceLock<Option<PathBuf>> = OnceLock::new();
    ENVIRONMENT.get_or_init(make_environment).as_deref()
}

fn make_environment() -> Option<PathBuf> {
    if std::env::var_os("MONSOON_SKIP_DRIVERS").is_some_and(|value| value == "1") {
        eprintln!("SKIPPED: the tests with Python's packages, because MONSOON_SKIP_DRIVERS=1");
        return None;
    }
    let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pystorm-environment").join("bin");
    let python = programs.join("python");
    let import = Command::new(&python).args(["-c", MODULES]).stderr(Stdio::null()).status();
    if !import.is_ok_and(|status| status.success()) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(programs.parent()?));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(PACKAGES));
    }
    Some(programs)
}

fn run(command: &mut Command) {
    let hint = "packages can't be installed; MONSOON_SKIP_DRIVERS=1 leaves these tests out";
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{hint}: {command:?}: {error}"));
    assert!(output.status.success(), "{hint}: {command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}
