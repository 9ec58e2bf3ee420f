//! Standard error of a child: cut into lines, logged, the last lines kept for the error when it dies.
//!
//! It is read as fast as it comes, whatever happens to it: a line is kept up to a length, lines are logged up to a number a
//! second, and those left out are counted.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What is kept of a line.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Lines logged in a second.
const LOGGED_LINES_MAX: u32 = 500;
/// Last lines kept.
const TAIL_LINES_MAX: usize = 20;
/// What is kept of each of them.
const TAIL_LINE_BYTES_MAX: usize = 500;

/// The last lines, oldest first.
#[derive(Default)]
pub(crate) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    /// The lines as one text.
    pub fn text(&self) -> String {
        let lines = self.0.lock();
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn push(&self, line: &str) {
        let mut lines = self.0.lock();
        if lines.len() == TAIL_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line[..line.floor_char_boundary(TAIL_LINE_BYTES_MAX)].to_owned());
    }
}

/// Reads to the end; `log` is given each line that is to be logged.
pub(crate) fn drain(mut input: impl Read, tail: &Tail, mut log: impl FnMut(&str)) {
    let mut splitter = Splitter::default();
    let mut budget = Budget::new(Instant::now());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let now = Instant::now();
        splitter.feed(&buffer[..read], &mut |line| take(line, now, tail, &mut budget, &mut log));
    }
    let now = Instant::now();
    splitter.finish(&mut |line| take(line, now, tail, &mut budget, &mut log));
    report(budget.left_out, &mut log);
}

fn take(line: &[u8], now: Instant, tail: &Tail, budget: &mut Budget, log: &mut impl FnMut(&str)) {
    let text = String::from_utf8_lossy(line);
    tail.push(&text);
    report(budget.next_second(now), log);
    if budget.spend() {
        log(&text);
    }
}

fn report(left_out: u64, log: &mut impl FnMut(&str)) {
    if left_out > 0 {
        log(&format!("({left_out} lines of standard error left out, at more than {LOGGED_LINES_MAX} a second)"));
    }
}

/// Cuts bytes into lines of at most [`LINE_BYTES_MAX`]; the rest of a longer one is dropped.
#[derive(Default)]
struct Splitter {
    line: Vec<u8>,
}

impl Splitter {
    fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = LINE_BYTES_MAX - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.finish(each);
            }
        }
    }

    fn finish(&mut self, each: &mut impl FnMut(&[u8])) {
        let line = self.line.trim_ascii_end();
        if !line.is_empty() {
            each(line);
        }
        self.line.clear();
    }
}

/// How many lines may be logged yet in this second.
struct Budget {
    second_start: Instant,
    logged: u32,
    left_out: u64,
}

impl Budget {
    fn new(now: Instant) -> Budget {
        Budget { second_start: now, logged: 0, left_out: 0 }
    }

    /// Begins a new second if it is time; how many lines the last one left out.
    fn next_second(&mut self, now: Instant) -> u64 {
        if now.duration_since(self.second_start) < Duration::from_secs(1) {
            return 0;
        }
        std::mem::replace(self, Budget::new(now)).left_out
    }

    fn spend(&mut self) -> bool {
        let granted = self.logged < LOGGED_LINES_MAX;
        if granted {
            self.logged += 1;
        } else {
            self.left_out += 1;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(input: &[u8]) -> (Vec<String>, String) {
        let (tail, mut lines) = (Tail::default(), Vec::new());
        drain(input, &tail, |line| lines.push(line.to_owned()));
        (lines, tail.text())
    }

    #[test]
    fn lines_are_logged_and_the_last_are_kept() {
        let (lines, tail) = logged(b"one\r\n\ntwo\nthree without end");
        assert_eq!(lines, ["one", "two", "three without end"]);
        assert_eq!(tail, "one\ntwo\nthree without end");
    }

    #[test]
    fn a_long_line_is_cut() {
        let input = [vec![b'x'; 1_000_000], b"\nnext\n".to_vec()].concat();
        let (lines, tail) = logged(&input);
        assert_eq!(lines, ["x".repeat(LINE_BYTES_MAX), "next".into()]);
        assert_eq!(tail, format!("{}\nnext", "x".repeat(TAIL_LINE_BYTES_MAX)));
    }

    #[test]
    fn a_flood_is_counted_instead_of_logged() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let granted = (0..2_000).filter(|_| budget.spend()).count();
        assert_eq!(granted, 500);
        assert_eq!(budget.next_second(start + Duration::from_millis(999)), 0);
        assert_eq!(budget.next_second(start + Duration::from_secs(1)), 1_500);
        assert!(budget.spend());
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(logged(b"a\xffb\n").0, ["a\u{fffd}b"]);
    }
}
