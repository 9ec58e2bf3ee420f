//! `Options`: the WITH list of a statement, and what its values mean.
//!
//! Every message names the option, the value that was given and what was expected, so that the user can correct the
//! statement without opening a manual. Unknown names are refused: a misspelt option must not be ignored in silence.

use std::fmt::Display;
use std::str::FromStr;

use arrow::compute::kernels::cast_utils::string_to_datetime;

use crate::{Error, Result};

/// An ordered map from option name to its text. Names are kept in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    entries: Vec<(String, String)>,
}

impl Options {
    /// No options.
    pub fn new() -> Options {
        Options::default()
    }

    /// Sets an option, replacing an earlier value of the same name.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = name.to_lowercase();
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value.into(),
            None => self.entries.push((name, value.into())),
        }
    }

    /// The same list with one more option; for building a list in one expression.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Options {
        self.set(name, value);
        self
    }

    /// The list without the named options: those that belong to the caller, not to a connector.
    pub fn without(&self, names: &[&str]) -> Options {
        let kept = self.entries.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Options { entries: kept.cloned().collect() }
    }

    /// Names and values in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The text of an option.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The text of an option that must be there; `expected` says what it is, for the message.
    pub fn require(&self, name: &str, expected: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| Error::option(name, format!("option \"{name}\" is missing: expected {expected}")))
    }

    /// `true` or `false` (also on/off, yes/no, 1/0).
    pub fn boolean(&self, name: &str, default: bool) -> Result<bool> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.trim().to_lowercase().as_str() {
            "true" | "t" | "on" | "yes" | "1" => Ok(true),
            "false" | "f" | "off" | "no" | "0" => Ok(false),
            _ => Err(wrong_value(name, text, "true or false")),
        }
    }

    /// A whole number of at least `min`; digits may be grouped with `_`.
    pub fn unsigned(&self, name: &str, min: u64) -> Result<Option<u64>> {
        let expected = format!("a whole number of at least {min}");
        match self.number::<u64>(name, &expected)? {
            Some(value) if value < min => Err(wrong_value(name, self.get(name).unwrap_or(""), &expected)),
            value => Ok(value),
        }
    }

    /// A number of any kind that Rust can parse; digits may be grouped with `_`.
    pub fn number<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = text.trim().replace('_', "");
        digits.parse().map(Some).map_err(|_| wrong_value(name, text, expected))
    }

    /// One of a few words, compared without case.
    pub fn choice<'a>(&self, name: &str, words: &[&'a str]) -> Result<Option<&'a str>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match words.iter().find(|word| word.eq_ignore_ascii_case(text.trim())) {
            Some(word) => Ok(Some(word)),
            None => Err(wrong_value(name, text, &format!("one of {}", words.join(", ")))),
        }
    }

    /// A single ASCII character; `\t` stands for a tab.
    pub fn character(&self, name: &str, default: u8) -> Result<u8> {
        match self.get(name) {
            None => Ok(default),
            Some("\\t") => Ok(b'\t'),
            Some(text) if text.len() == 1 && text.is_ascii() => Ok(text.as_bytes()[0]),
            Some(text) => Err(wrong_value(name, text, "one ASCII character, or \\t for a tab")),
        }
    }

    /// A point in time, as microseconds since 1970 (UTC where no offset is written).
    pub fn timestamp_us(&self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        string_to_datetime(&chrono::Utc, text.trim())
            .map(|time| Some(time.timestamp_micros()))
            .map_err(|_| wrong_value(name, text, "a timestamp such as '2026-01-31 12:00:00'"))
    }

    /// Refuses options that nobody would read. A `known` entry may hold one `*`, as in `fields.*.kind`.
    pub fn reject_unknown(&self, owner: &str, known: &[&str]) -> Result<()> {
        let unknown = self.iter().find(|(name, _)| !known.iter().any(|pattern| name_matches(pattern, name)));
        let Some((name, _)) = unknown else { return Ok(()) };
        let advice = match closest(name, known) {
            Some(candidate) => format!("did you mean \"{candidate}\"?"),
            None => format!("known options: {}", known.join(", ")),
        };
        Err(Error::option(name, format!("{owner} has no option \"{name}\"; {advice}")))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Options {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Options {
        let mut options = Options::new();
        for (name, value) in entries {
            options.set(name.as_ref(), value);
        }
        options
    }
}

/// The error for a value that can't be used.
pub(crate) fn wrong_value(name: &str, value: impl Display, expected: &str) -> Error {
    Error::option(name, format!("option \"{name}\" is \"{value}\": expected {expected}"))
}

/// The candidate that is nearest to a misspelt name, if any is near enough to be what was meant.
pub(crate) fn closest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let limit = 1 + name.chars().count() / 4;
    candidates
        .iter()
        .map(|candidate| (edit_distance(name, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.len() > head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail),
    }
}

/// Levenshtein's distance, one row of the table at a time.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, left_char) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_char) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(left_char != *right_char);
            current.push(replaced.min(above[column + 1] + 1).min(current[column] + 1));
        }
        above = current;
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.expect_err("expected an error").to_string()
    }

    #[test]
    fn message_names_option_value_and_expectation() {
        let options = Options::new().with("rate", "fast");
        assert_eq!(
            message(options.unsigned("rate", 0)),
            "option \"rate\" is \"fast\": expected a whole number of at least 0"
        );
        assert_eq!(message(options.require("path", "a file")), "option \"path\" is missing: expected a file");
        assert_eq!(message(options.boolean("rate", true)), "option \"rate\" is \"fast\": expected true or false");
        assert_eq!(
            message(options.choice("rate", &["slow", "quick"])),
            "option \"rate\" is \"fast\": expected one of slow, quick"
        );
    }

    #[test]
    fn values_are_read_leniently() {
        let options: Options = [("Rate", "10_000"), ("header", "OFF"), ("delimiter", "\\t")].into_iter().collect();
        assert_eq!(options.unsigned("rate", 1).unwrap(), Some(10_000));
        assert!(!options.boolean("header", true).unwrap());
        assert_eq!(options.character("delimiter", b',').unwrap(), b'\t');
        assert_eq!(options.unsigned("seed", 0).unwrap(), None);
        assert_eq!(Options::new().with("start", "1970-01-01 00:00:01").timestamp_us("start").unwrap(), Some(1_000_000));
    }

    #[test]
    fn unknown_option_is_refused_with_the_nearest_name() {
        let known = ["connector", "rate", "fields.*.kind"];
        let refused = |name: &str| Options::new().with(name, "1").reject_unknown("datagen", &known);
        assert_eq!(message(refused("raet")), "datagen has no option \"raet\"; did you mean \"rate\"?");
        assert_eq!(
            message(refused("zzzzzz")),
            "datagen has no option \"zzzzzz\"; known options: connector, rate, fields.*.kind"
        );
        assert!(refused("fields.a.kind").is_ok());
        assert!(refused("fields..kind").is_err());
    }

    #[test]
    fn edit_distance_counts_single_changes() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("rate", "rate"), 0);
    }
}
