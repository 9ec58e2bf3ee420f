//! `monsoon check`: is a data directory whole?

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use monsoon_state::Report;

use crate::start_error::StartError;

/// Exit code for a damaged directory; the same as of a server that refuses to start on it.
const DAMAGED: u8 = 6;

/// Prints what was found. Exit code 0 only if the directory is whole.
pub fn run(directory: Option<&PathBuf>) -> Result<ExitCode, StartError> {
    let directory = directory.ok_or_else(|| StartError::Other("no directory was given".to_owned()))?;
    if !directory.is_dir() {
        return Err(StartError::Other(format!("{} is not a directory", directory.display())));
    }
    let report = monsoon_state::check(directory).map_err(|error| StartError::from_state(&error, error.to_string()))?;
    // Who only wants the exit code may have closed stdout.
    let _ = std::io::stdout().write_all(describe(&report).as_bytes());
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

/// The report, a fact per line.
fn describe(report: &Report) -> String {
    let mut lines = vec![format!(
        "last commit {}, {} state tables, {} chunks, {} bytes",
        report.last_txid, report.tables, report.chunks, report.bytes
    )];
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(report.problems.iter().map(|problem| format!("damaged: {problem}")));
    lines.push(if report.is_whole() { "whole".to_owned() } else { "NOT whole".to_owned() });
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_whether_the_directory_is_whole() {
        let mut report = Report::default();
        assert!(describe(&report).ends_with("\nwhole\n"));
        report.problems.push("block 3 of x.sst".to_owned());
        assert!(describe(&report).ends_with("damaged: block 3 of x.sst\nNOT whole\n"));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        assert!(run(Some(&PathBuf::from("/no/such/place"))).is_err());
    }
}
