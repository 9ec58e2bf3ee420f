//! Kinds of values, how they are written and shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A value of a setting.
pub trait Value: Sized {
    /// What a value looks like, in a word.
    const KIND: &'static str;

    /// Reads a value; the error says what was expected.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes a value as `read` takes it.
    fn show(&self) -> String;
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// A duration in milliseconds; 0 often means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millis(pub u64);

impl Millis {
    /// As a duration, or `None` for 0.
    pub fn duration(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_millis(self.0))
    }
}

/// The address of a way in that can be turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door(pub Option<SocketAddr>);

/// A number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tasks(pub usize);

impl Value for PathBuf {
    const KIND: &'static str = "path";

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a path".to_owned()) } else { Ok(PathBuf::from(text)) }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for SocketAddr {
    const KIND: &'static str = "address";

    fn read(text: &str) -> Result<Self, String> {
        let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        numeric
            .as_deref()
            .unwrap_or(text)
            .parse()
            .map_err(|_| "an IP address and a port, such as 127.0.0.1:5440".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Door {
    const KIND: &'static str = "address or off";

    fn read(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Door(None));
        }
        SocketAddr::read(text).map(|address| Door(Some(address))).map_err(|expected| format!("{expected}, or off"))
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| "off".to_owned(), |address| address.show())
    }
}

impl Value for bool {
    const KIND: &'static str = "true or false";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            _ => Err("true or false".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    const KIND: &'static str = "number";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "a whole number".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const KIND: &'static str = "text";

    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for Tasks {
    const KIND: &'static str = "number or cores";

    fn read(text: &str) -> Result<Self, String> {
        if text == "cores" {
            return Ok(Tasks(std::thread::available_parallelism().map_or(1, usize::from)));
        }
        text.parse().map(Tasks).map_err(|_| "a whole number, or cores".to_owned())
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A number and its unit; the unit may be missing.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// Picks the largest unit that shows the value exactly.
fn show_with_unit(value: u64, units: &[(&str, u64)]) -> String {
    let exact = |(_, size): &&(&str, u64)| value > 0 && value % size == 0;
    match units.iter().rev().find(exact) {
        Some((unit, size)) => format!("{}{unit}", value / size),
        None => value.to_string(),
    }
}

/// Powers of 1024, as Postgres means these words.
const BYTE_UNITS: [(&str, u64); 5] = [("B", 1), ("kB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];
const TIME_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = number_and_unit(text.trim())?;
    let known = |(name, _): &&(&str, u64)| unit.eq_ignore_ascii_case(name);
    let size = if unit.is_empty() { 1 } else { units.iter().find(known)?.1 };
    number.checked_mul(size)
}

impl Value for Bytes {
    const KIND: &'static str = "bytes";

    fn read(text: &str) -> Result<Self, String> {
        with_unit(text, &BYTE_UNITS).map(Bytes).ok_or_else(|| "a number of bytes, such as 512MB or 4GB".to_owned())
    }

    fn show(&self) -> String {
        show_with_unit(self.0, &BYTE_UNITS)
    }
}

impl Value for Millis {
    const KIND: &'static str = "duration";

    fn read(text: &str) -> Result<Self, String> {
        with_unit(text, &TIME_UNITS).map(Millis).ok_or_else(|| "a duration, such as 500ms or 10s".to_owned())
    }

    fn show(&self) -> String {
        show_with_unit(self.0, &TIME_UNITS)
    }
}
