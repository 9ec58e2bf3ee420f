//! `monsoon bench`: the benchmarks, one JSON object per line on stdout.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use monsoon_benchmarks::nexmark::{Options, run};

use crate::start_error::StartError;

/// The subcommand and its flags.
pub fn command() -> Command {
    let nexmark = Command::new("nexmark")
        .about("Run the Nexmark queries: as DataFusion batch queries, and live with commits to RocksDB")
        .arg(
            Arg::new("queries")
                .long("queries")
                .value_name("q0,q1,...")
                .value_delimiter(',')
                .help("Queries to run [default: all that can be kept]"),
        )
        .arg(
            Arg::new("events")
                .long("events")
                .default_value("1000000")
                .value_parser(value_parser!(u64).range(1..))
                .help("Events, of all three kinds together"),
        )
        .arg(
            Arg::new("tasks")
                .long("tasks")
                .default_value("2")
                .value_parser(value_parser!(u64).range(1..=128))
                .help("Tasks of the engine, and partitions of DataFusion"),
        )
        .arg(Arg::new("data").long("data").value_parser(value_parser!(PathBuf)).help(
            "Directory for the live side's state, emptied afterwards [default: a new one among temporary files]",
        ));
    Command::new("bench").about("Measure").subcommand_required(true).arg_required_else_help(true).subcommand(nexmark)
}

/// Runs what was asked for.
pub fn run_command(matches: &ArgMatches) -> Result<ExitCode, StartError> {
    let Some(("nexmark", matches)) = matches.subcommand() else {
        return Err(StartError::Other("no benchmark was given; try `monsoon bench --help`".to_owned()));
    };
    let own = std::env::temp_dir().join(format!("monsoon-bench-{}", std::process::id()));
    let options = Options {
        queries: matches.get_many::<String>("queries").map(|names| names.cloned().collect()).unwrap_or_default(),
        events: matches.get_one("events").copied().unwrap_or(1_000_000),
        tasks: matches.get_one::<u64>("tasks").copied().unwrap_or(2) as usize,
        data: matches.get_one::<PathBuf>("data").cloned().unwrap_or_else(|| own.clone()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.tasks)
        .enable_all()
        .build()
        .map_err(|error| StartError::Other(format!("can't start threads: {error}")))?;
    let outcome = runtime.block_on(run(&options, &mut |report| {
        // A closed stdout ends the output, not the benchmark.
        if let Ok(line) = serde_json::to_string(report) {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }));
    let _ = std::fs::remove_dir(&own);
    outcome.map(|()| ExitCode::SUCCESS).map_err(|error| StartError::Other(format!("{error:#}")))
}
