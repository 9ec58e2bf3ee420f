//! The tour in README.md: every statement goes through psql, and psql must print what the page says.
//!
//! How the page is read, from "## Five-minute tour" to the next heading of that size:
//! - a `text` block is what the `sql` block before it prints, statement after statement;
//! - `COPY (SUBSCRIBE ...` keeps running in a psql of its own; its `text` block is how it begins, and a `text` block that follows
//!   another `text` block is how it goes on;
//! - a block of one SELECT may take a while until it prints what the page says: a topology works beside the client;
//! - an `sh` block with `kill -9` kills the server and starts it again.
//!
//! The transactions of a subscription (its first column) count from wherever the server is; only which lines share one is compared.
//! Spaces at the ends of lines and empty lines around an output don't count: an editor may remove them.

mod server_process;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use server_process::ServerProcess;

/// How long a subscription may take to show a change.
const CHANGE_TIME_MAX: Duration = Duration::from_secs(30);

/// A fenced block of the page.
struct Block {
    language: String,
    text: String,
    /// Where its text starts in the page.
    line: usize,
}

#[test]
fn readme_says_what_psql_prints() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let page = std::fs::read_to_string(page).expect("README.md is there");
    let blocks = tour_blocks(&page);
    let mut tour = Tour { server: ServerProcess::start("tour"), subscription: None, differences: Vec::new() };
    let mut crashes = 0;
    let mut printed = None;
    let mut asked: Option<&String> = None;
    for block in &blocks {
        match block.language.as_str() {
            "sql" => {
                assert!(printed.is_none(), "README.md:{}: the block before this one has no output", block.line);
                printed = Some(tour.run(&block.text));
                asked = Some(&block.text);
            }
            "text" => {
                let printed = printed.take().unwrap_or(Printed::Live);
                let printed = tour.again(asked.take(), block, printed);
                tour.compare(block, printed);
            }
            "sh" if block.text.contains("kill -9") => {
                tour.server.crash_and_restart();
                crashes += 1;
            }
            _ => {}
        }
    }
    assert!(printed.is_none(), "README.md: the last block of the tour has no output");
    assert_eq!(crashes, 1, "README.md: the tour has one crash");
    assert!(tour.differences.is_empty(), "{}", tour.differences.join("\n"));
}

/// What a block of statements gave.
enum Printed {
    Text(String),
    /// The lines are to be taken from the running subscription.
    Live,
}

struct Tour {
    server: ServerProcess,
    subscription: Option<Subscription>,
    differences: Vec<String>,
}

impl Tour {
    fn run(&mut self, text: &str) -> Printed {
        if text.starts_with("COPY (SUBSCRIBE") {
            self.subscription = Some(Subscription::start(self.server.port(), text));
            return Printed::Live;
        }
        Printed::Text(statements(text).iter().map(|statement| self.psql(statement)).collect())
    }

    /// Asks a lone SELECT again until it prints what is expected, for a while.
    fn again(&self, asked: Option<&String>, block: &Block, mut printed: Printed) -> Printed {
        let Some(statement) = asked.filter(|text| text.starts_with("SELECT") && statements(text).len() == 1) else {
            return printed;
        };
        let deadline = std::time::Instant::now() + CHANGE_TIME_MAX;
        while let Printed::Text(text) = &printed
            && trimmed(text) != trimmed(&block.text)
            && std::time::Instant::now() < deadline
        {
            printed = Printed::Text(self.psql(statement));
        }
        printed
    }

    /// What psql shows for one statement. Notices and warnings come before the result, as on a screen.
    fn psql(&self, statement: &str) -> String {
        let output = psql("psql", &[], self.server.port(), statement).output().expect("psql is installed");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        text(&output.stderr) + &text(&output.stdout)
    }

    fn compare(&mut self, block: &Block, printed: Printed) {
        let (expected, printed) = match printed {
            Printed::Text(text) => (trimmed(&block.text), trimmed(&text)),
            Printed::Live => {
                let subscription = self.subscription.as_ref();
                let subscription = subscription.unwrap_or_else(|| panic!("README.md:{}: output of what?", block.line));
                let printed = subscription.lines(block.text.lines().count());
                (renumbered(&block.text), renumbered(&printed))
            }
        };
        if printed != expected {
            let line = block.line;
            self.differences.push(format!("README.md:{line} says\n{expected}\n----- psql prints\n{printed}\n-----"));
        }
    }
}

/// A psql that shows a subscription.
struct Subscription {
    psql: Child,
    lines: Receiver<String>,
}

impl Subscription {
    fn start(port: u16, statement: &str) -> Self {
        // Into a pipe psql would keep lines back until it has a few kB; on a screen it doesn't.
        let mut psql = psql("stdbuf", &["-oL", "psql"], port, statement);
        let mut psql =
            psql.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("stdbuf and psql are installed");
        let stdout = psql.stdout.take().expect("stdout is piped");
        let (sender, lines) = channel();
        // Ends with psql, or when nobody wants its lines any more.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { psql, lines }
    }

    /// The next lines, fewer if they don't come.
    fn lines(&self, count: usize) -> String {
        let lines = (0..count).map_while(|_| self.lines.recv_timeout(CHANGE_TIME_MAX).ok());
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}

fn psql(program: &str, first: &[&str], port: u16, statement: &str) -> Command {
    let port = port.to_string();
    let mut command = Command::new(program);
    command
        .args(first)
        .args(["-X", "-h", "127.0.0.1", "-p", &port, "-U", "monsoon", "-c", statement, "monsoon"])
        .env("LC_ALL", "C.UTF-8")
        .env_remove("PGOPTIONS")
        .stdin(Stdio::null());
    command
}

/// The fenced blocks of the tour.
fn tour_blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut is_tour = false;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, Some(language)) if is_tour => {
                open = Some(Block { language: language.to_owned(), text: String::new(), line: index + 2 });
            }
            (None, _) if line.starts_with("## ") => is_tour = line == "## Five-minute tour",
            (None, _) => {}
        }
    }
    assert!(!blocks.is_empty(), "README.md has no five-minute tour");
    blocks
}

/// A block's statements: each ends with a semicolon at the end of a line.
fn statements(text: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    for line in text.lines() {
        let last = statements.last_mut().expect("never empty");
        last.push_str(line);
        last.push('\n');
        if line.ends_with(';') {
            statements.push(String::new());
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

/// Lines of a subscription, with their transactions numbered from 1.
fn renumbered(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let (transaction, change) = line.split_once('\t').unwrap_or((line, ""));
        if !seen.contains(&transaction) {
            seen.push(transaction);
        }
        let number = seen.iter().position(|other| *other == transaction).map_or(0, |at| at + 1);
        lines.push(format!("{number}\t{change}"));
    }
    lines.join("\n")
}

fn trimmed(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    lines.trim_matches('\n').to_owned()
}
