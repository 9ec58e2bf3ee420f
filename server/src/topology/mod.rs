//! `monsoon topology`: topologies of a running server, from the command line. Everything goes through the server's SQL.

mod flux_file;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::start_error::StartError;
use flux_file::FluxFile;

/// The command and its flags.
pub fn command() -> Command {
    let named = |name: &'static str, about: &'static str| {
        Command::new(name).about(about).arg(Arg::new("name").required(true).value_name("topology"))
    };
    let wait = || {
        let help = "How long tuples under way have, in seconds, after the spouts have stopped";
        Arg::new("wait").short('w').long("wait").value_name("seconds").value_parser(value_parser!(u64)).help(help)
    };
    let executors = Arg::new("executors").short('e').long("executors").value_name("component=n").required(true);
    Command::new("topology")
        .about("Submit and operate topologies of a running server")
        .arg(
            Arg::new("server")
                .long("server")
                .env("MONSOON_SERVER")
                .default_value("127.0.0.1:5440")
                .value_name("host:port")
                .global(true)
                .help("The server's Postgres address"),
        )
        .subcommand_required(true)
        .subcommand(submit())
        .subcommand(Command::new("list").about("List topologies"))
        .subcommand(named("describe", "Show the components of a topology and what they have counted"))
        .subcommand(named("activate", "Have its spouts emit"))
        .subcommand(named("deactivate", "Have its spouts emit no more"))
        .subcommand(named("restart", "Begin it anew from its last checkpoint"))
        .subcommand(named("kill", "End it").arg(wait()))
        .subcommand(
            named("rebalance", "Change the executors of components")
                .arg(executors.action(ArgAction::Append).help("May be given several times")),
        )
}

fn submit() -> Command {
    let flag = |name: &'static str, short: char, help: &'static str| {
        Arg::new(name).long(name).short(short).action(ArgAction::SetTrue).help(help)
    };
    let filter = "A properties file: ${key} in the YAML stands for its value";
    Command::new("submit")
        .about("Start a topology of a Flux YAML file")
        .arg(Arg::new("file").required(true).value_name("file").value_parser(value_parser!(PathBuf)))
        .arg(
            Arg::new("filter")
                .long("filter")
                .short('f')
                .value_name("file")
                .value_parser(value_parser!(PathBuf))
                .help(filter),
        )
        .arg(flag("env-filter", 'e', "${ENV-NAME} in the YAML stands for the environment variable's value"))
        .arg(flag("inactive", 'i', "Don't have its spouts emit yet"))
        .arg(flag("replace", 'r', "Take the place of a topology of the same name, going on from its last checkpoint"))
        .arg(flag("dry-run", 'd', "Check the file and show what it describes, and do nothing"))
}

/// Runs it.
pub fn run(matches: &ArgMatches) -> Result<ExitCode, StartError> {
    let server = matches.get_one::<String>("server").cloned().unwrap_or_default();
    let statement = match matches.subcommand() {
        Some(("submit", matches)) => {
            let file = FluxFile::read(matches)?;
            if matches.get_flag("dry-run") {
                print(&file.describe());
                return Ok(ExitCode::SUCCESS);
            }
            file.statement(matches.get_flag("replace"), matches.get_flag("inactive"))
        }
        Some((verb, matches)) => statement(verb, matches)?,
        None => return Err(StartError::Other("no command was given; try `monsoon topology --help`".into())),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| StartError::Other(format!("can't start threads: {error}")))?;
    print(&runtime.block_on(ask(&server, &statement))?);
    Ok(ExitCode::SUCCESS)
}

fn statement(verb: &str, matches: &ArgMatches) -> Result<String, StartError> {
    let name = || quoted_name(matches.get_one::<String>("name").map_or("", String::as_str));
    Ok(match verb {
        "list" => "SHOW TOPOLOGIES".to_owned(),
        "kill" => {
            let wait = matches.get_one::<u64>("wait").map(|seconds| format!(" WAIT '{seconds} s'"));
            format!("KILL TOPOLOGY {}{}", name(), wait.unwrap_or_default())
        }
        "rebalance" => {
            let given = matches.get_many::<String>("executors").into_iter().flatten();
            let option = |text: &String| {
                let (component, executors) = text
                    .split_once('=')
                    .ok_or_else(|| StartError::Other(format!("{text:?} is not component=n, as in split=4")))?;
                Ok(format!("{} = '{}'", quoted_name(component), executors.replace('\'', "''")))
            };
            let options = given.map(option).collect::<Result<Vec<String>, StartError>>()?;
            format!("ALTER TOPOLOGY {} REBALANCE ({})", name(), options.join(", "))
        }
        verb => format!("{} TOPOLOGY {}", verb.to_uppercase(), name()),
    })
}

/// A name as SQL takes it, whatever is in it.
pub(crate) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn ask(server: &str, statement: &str) -> Result<String, StartError> {
    let (host, port) = server.rsplit_once(':').unwrap_or((server, "5440"));
    let config = format!("host={host} port={port} user=monsoon dbname=monsoon");
    let unreachable = |error| StartError::Other(format!("no server answers at {server}: {error}"));
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.map_err(unreachable)?;
    let connection = tokio::spawn(connection);
    let answer = client.simple_query(statement).await.map_err(|error| StartError::Other(refusal(&error)))?;
    drop(client);
    // The connection ends with its client; how it ends doesn't matter any more.
    let _ = connection.await;
    Ok(table(&answer))
}

fn refusal(error: &tokio_postgres::Error) -> String {
    let Some(error) = error.as_db_error() else { return error.to_string() };
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{}{hint}", error.message())
}

/// Rows as aligned columns.
fn table(answer: &[SimpleQueryMessage]) -> String {
    let mut lines: Vec<Vec<String>> = Vec::new();
    for message in answer {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                lines.push(columns.iter().map(|column| column.name().to_owned()).collect());
            }
            SimpleQueryMessage::Row(row) => {
                lines.push((0..row.len()).map(|place| row.get(place).unwrap_or("").to_owned()).collect());
            }
            _ => {}
        }
    }
    let columns = lines.first().map_or(0, Vec::len);
    let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

/// Prints an answer; who only wants the exit code may have closed stdout.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement_of(line: &[&str]) -> String {
        let matches = command().try_get_matches_from(line).expect("a command line");
        let (verb, matches) = matches.subcommand().expect("a command");
        statement(verb, matches).expect("a statement")
    }

    #[test]
    fn commands_become_statements() {
        assert_eq!(statement_of(&["topology", "list"]), "SHOW TOPOLOGIES");
        assert_eq!(
            statement_of(&["topology", "kill", "word-count", "-w", "5"]),
            "KILL TOPOLOGY \"word-count\" WAIT '5 s'"
        );
        assert_eq!(statement_of(&["topology", "activate", "a\"b"]), "ACTIVATE TOPOLOGY \"a\"\"b\"");
        let rebalance = ["topology", "rebalance", "t", "-e", "split=4", "-e", "count=2"];
        assert_eq!(statement_of(&rebalance), "ALTER TOPOLOGY \"t\" REBALANCE (\"split\" = '4', \"count\" = '2')");
    }
}
