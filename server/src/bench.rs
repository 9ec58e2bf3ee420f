//! `monsoon bench`: the benchmarks, one JSON object per line on stdout.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use monsoon_benchmarks::{nexmark, tuple};
use serde::Serialize;

use crate::start_error::StartError;

/// The subcommand and its flags.
pub fn command() -> Command {
    let bench = Command::new("bench").about("Measure").subcommand_required(true).arg_required_else_help(true);
    bench.subcommand(nexmark_command()).subcommand(tuple_command())
}

fn nexmark_command() -> Command {
    Command::new("nexmark")
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
        .arg(
            Arg::new("data").long("data").value_parser(value_parser!(PathBuf)).help(
                "Directory for the live side's state, emptied afterwards [default: a new one among temporary files]",
            ),
        )
}

fn tuple_command() -> Command {
    let list = |name: &'static str, value: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_delimiter(',').default_value(default).help(help)
    };
    let shapes = tuple::Shape::ALL.map(tuple::Shape::name);
    Command::new("tuple")
        .about("Run small topologies of spouts and bolts at full speed, and on a schedule for their latency")
        .arg(
            list(
                "shapes",
                "shape,...",
                "constant,identity,word_count",
                "Topologies; `sleeping` shows memory under back-pressure",
            )
            .value_parser(shapes),
        )
        .arg(list("acking", "off,on", "off,on", "Whether tuples are tracked").value_parser(["off", "on"]))
        .arg(
            list("batch", "1,100,...", "1,100,1000", "Tuples gathered into one message, at most")
                .value_parser(value_parser!(u64).range(1..=1_000_000)),
        )
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .default_value("3")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .help("Seconds of each run"),
        )
        .arg(
            Arg::new("rate")
                .long("rate")
                .value_name("events per second")
                .value_parser(value_parser!(u64).range(1..))
                .help("Rate of the latency beside full speed [default: half of full speed]"),
        )
}

/// Runs what was asked for.
pub fn run_command(matches: &ArgMatches) -> Result<ExitCode, StartError> {
    match matches.subcommand() {
        Some(("nexmark", matches)) => run_nexmark(matches),
        Some(("tuple", matches)) => run_tuple(matches),
        _ => Err(StartError::Other("no benchmark was given; try `monsoon bench --help`".to_owned())),
    }
}

fn run_nexmark(matches: &ArgMatches) -> Result<ExitCode, StartError> {
    let own = std::env::temp_dir().join(format!("monsoon-bench-{}", std::process::id()));
    let options = nexmark::Options {
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
    let outcome = runtime.block_on(nexmark::run(&options, &mut |report| print(report)));
    let _ = std::fs::remove_dir(&own);
    outcome.map(|()| ExitCode::SUCCESS).map_err(|error| StartError::Other(format!("{error:#}")))
}

fn run_tuple(matches: &ArgMatches) -> Result<ExitCode, StartError> {
    let texts = |name| matches.get_many::<String>(name).into_iter().flatten();
    let options = tuple::Options {
        shapes: texts("shapes").filter_map(|name| tuple::Shape::from_name(name)).collect(),
        acking: texts("acking").map(|acking| acking == "on").collect(),
        batch_tuples: matches.get_many::<u64>("batch").into_iter().flatten().map(|&tuples| tuples as usize).collect(),
        seconds: matches.get_one::<u64>("seconds").copied().unwrap_or(3) as f64,
        rate_per_s: matches.get_one::<u64>("rate").map(|&rate| rate as f64),
    };
    let outcome = tuple::run(&options, &mut |report| print(report));
    outcome.map(|()| ExitCode::SUCCESS).map_err(|error| StartError::Other(error.to_string()))
}

/// A closed stdout ends the output, not the benchmark.
fn print(report: &impl Serialize) {
    if let Ok(line) = serde_json::to_string(report) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
