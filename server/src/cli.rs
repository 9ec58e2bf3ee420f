//! The command line.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use tracing_subscriber::EnvFilter;

use crate::settings::{SettingError, Settings, Sources, flags};
use crate::start_error::StartError;
use crate::{bench, check, demo, server, topology};

/// A planner that recurses over a query needs room; address space only, pages are taken as they are touched.
const THREAD_STACK_BYTES: usize = 8 << 20;
/// How long the end of the process waits for threads that are of no use any more.
const END_WAIT: Duration = Duration::from_secs(1);

/// Runs the command that was given; one line on stderr says what went wrong.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    let result = match matches.subcommand() {
        Some(("server", matches)) => serve(matches, false),
        Some(("demo", matches)) => serve(matches, true),
        Some(("bench", matches)) => bench::run_command(matches),
        Some(("topology", matches)) => topology::run(matches),
        Some(("check", matches)) => check::run(matches.get_one::<PathBuf>("directory")),
        _ => Err(StartError::Setting(SettingError("no command was given; try `monsoon --help`".to_owned()))),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("monsoon: {error}");
            error.exit_code()
        }
    }
}

/// Every command and flag.
pub fn command() -> Command {
    let directory = Arg::new("directory").required(true).value_name("directory").value_parser(value_parser!(PathBuf));
    Command::new("monsoon")
        .about("A streaming SQL engine: materialized views that keep themselves up to date, exactly once")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("server").about("Run a server; connect to it with psql").args(flags()))
        .subcommand(
            Command::new("demo")
                .about("Run a server with generated auctions and bids, and views over them that change as you look")
                .args(flags()),
        )
        .subcommand(
            Command::new("check")
                .about("Verify a data directory that no server is using; exit code 0 only if it is whole")
                .arg(directory.help("The data directory")),
        )
        .subcommand(topology::command())
        .subcommand(bench::command())
}

fn serve(matches: &ArgMatches, with_demo: bool) -> Result<ExitCode, StartError> {
    let settings = Settings::read(&Sources::from_matches(matches)?)?;
    settings.check()?;
    start_logging(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(THREAD_STACK_BYTES)
        .build()
        .map_err(|error| StartError::Other(format!("can't start threads: {error}")))?;
    let served = runtime.block_on(serve_until_stopped(&settings, with_demo));
    // What still runs has nobody to tell: the database is closed, or has failed. But it may hold the store, and RocksDB must not be closed by another
    // thread while the process ends.
    runtime.shutdown_timeout(END_WAIT);
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve_until_stopped(settings: &Settings, with_demo: bool) -> Result<(), StartError> {
    let shutdown = server::shutdown_on_signals()?;
    let doors = server::listen(settings).await?;
    let address = doors.postgres.local_addr().unwrap_or(settings.postgres);
    let http = doors.http.as_ref().and_then(|listener| listener.local_addr().ok());
    let database = server::open(settings).await?;
    if with_demo {
        demo::create(&database).await?;
    }
    announce(address, http, with_demo);
    for address in [Some(address), http].into_iter().flatten().filter(|address| !address.ip().is_loopback()) {
        tracing::warn!(%address, "serving without password and without encryption on an address others can reach");
    }
    server::run(settings, doors, database, shutdown).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Says where to connect. A closed stdout is no reason not to serve.
fn announce(address: SocketAddr, http: Option<SocketAddr>, with_demo: bool) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "monsoon {} is ready: {}", env!("CARGO_PKG_VERSION"), server::connect_command(address));
    if let Some(http) = http {
        let _ = writeln!(out, "topologies and DRPC over HTTP: http://{http}");
    }
    if with_demo {
        let _ = writeln!(out, "{}", demo::HINT);
    }
}

fn start_logging(settings: &Settings) -> Result<(), StartError> {
    let filter = EnvFilter::try_new(&settings.log_level)
        .map_err(|error| SettingError(format!("log-level = {:?}: {error}", settings.log_level)))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let subscriber = subscriber.with_ansi(std::io::stderr().is_terminal());
    // Someone else's logger, as in a test, is as good.
    let _ = subscriber.try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_become_settings() {
        let line = ["monsoon", "server", "--tasks", "3", "--memory-limit=1GB", "--allow-insecure-remote"];
        let matches = command().try_get_matches_from(line).expect("a command line");
        let (_, matches) = matches.subcommand().expect("server");
        let settings = Settings::read(&Sources::from_matches(matches).expect("sources")).expect("settings");
        assert_eq!((settings.tasks.0, settings.memory_limit.0, settings.allow_insecure_remote), (3, 1 << 30, true));
    }
}
