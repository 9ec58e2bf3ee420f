//! `Listing`: the files of a source, in name order.
//!
//! Files are read in the order of their names, and a file that is done is never looked at again: new files must come
//! with names after the old ones. Names that start with `.` or `_` or end with `.tmp` are taken for work in progress.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Which files of one directory belong to a source.
pub(super) struct Listing {
    directory: PathBuf,
    pattern: Pattern,
    /// Names found by the last look at the directory, in order.
    names: Vec<String>,
}

enum Pattern {
    /// Exactly this file.
    Name(String),
    /// `*` stands for any text, `?` for one character.
    Wildcard(String),
    /// Every file.
    Any,
}

impl Listing {
    /// From the `path` option: a file, a directory, or a directory with a pattern of names.
    pub(super) fn new(path: &str) -> Result<Listing> {
        let whole = Path::new(path);
        if path.is_empty() {
            return Err(Error::option("path", "option \"path\" is empty: expected a file, a directory or a pattern"));
        }
        if path.ends_with('/') || whole.is_dir() {
            return Ok(Listing { directory: whole.to_path_buf(), pattern: Pattern::Any, names: Vec::new() });
        }
        let name = whole.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        let directory = match whole.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_path_buf(),
            None => PathBuf::from("."),
        };
        if has_wildcard(&directory.to_string_lossy()) {
            return Err(Error::option(
                "path",
                format!("option \"path\" is \"{path}\": * and ? are allowed in the last part only"),
            ));
        }
        let pattern = if has_wildcard(&name) { Pattern::Wildcard(name) } else { Pattern::Name(name) };
        Ok(Listing { directory, pattern, names: Vec::new() })
    }

    /// Whether the files' directory is there.
    pub(super) fn has_directory(&self) -> bool {
        self.directory.is_dir()
    }

    /// Whether there can never be a second file.
    pub(super) fn is_single_file(&self) -> bool {
        matches!(self.pattern, Pattern::Name(_))
    }

    /// Where a file of this name is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The first file whose name comes after `name`.
    pub(super) fn after(&mut self, name: Option<&str>) -> Result<Option<String>> {
        if let Some(known) = self.known_after(name) {
            return Ok(Some(known));
        }
        self.names = self.look()?;
        Ok(self.known_after(name))
    }

    fn known_after(&self, name: Option<&str>) -> Option<String> {
        let first = name.map_or(0, |name| self.names.partition_point(|known| known.as_str() <= name));
        self.names.get(first).cloned()
    }

    fn look(&self) -> Result<Vec<String>> {
        if let Pattern::Name(name) = &self.pattern {
            return Ok(if self.path(name).is_file() { vec![name.clone()] } else { Vec::new() });
        }
        let failed = |error: std::io::Error| {
            Error::Retry(format!("directory {} can't be read: {error}", self.directory.display()))
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().map_err(|name| {
                Error::Retry(format!("the name of file {} is not UTF-8", self.directory.join(name).display()))
            })?;
            if self.matches(&name) && entry.path().is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn matches(&self, name: &str) -> bool {
        let in_progress = name.starts_with(['.', '_']) || name.ends_with(".tmp");
        match &self.pattern {
            Pattern::Name(wanted) => wanted == name,
            Pattern::Wildcard(pattern) => !in_progress && wildcard_matches(pattern.as_bytes(), name.as_bytes()),
            Pattern::Any => !in_progress,
        }
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Compares greedily, and on a mismatch lets the last `*` take one more byte.
fn wildcard_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut matched) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while matched < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, matched));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[matched] => {
                at += 1;
                matched += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    matched = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let matches = |pattern: &str, name: &str| wildcard_matches(pattern.as_bytes(), name.as_bytes());
        assert!(matches("*.json", "a.json") && matches("a*b*c", "aXbYbZc") && matches("*", "") && matches("a?", "ab"));
        assert!(!matches("*.json", "a.jsonl") && !matches("a*b", "ac") && !matches("a?", "a") && !matches("", "a"));
    }

    #[test]
    fn files_come_in_name_order() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", ".c.csv", "_d.csv", "e.csv.tmp", "f.txt"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let names = |path: String| {
            let mut listing = Listing::new(&path).unwrap();
            let mut names: Vec<String> = Vec::new();
            while let Some(name) = listing.after(names.last().map(String::as_str)).unwrap() {
                names.push(name);
            }
            names
        };
        let root = directory.path().display();
        assert_eq!(names(format!("{root}")), ["a.csv", "b.csv", "f.txt"]);
        assert_eq!(names(format!("{root}/*.csv")), ["a.csv", "b.csv"]);
        assert_eq!(names(format!("{root}/f.txt")), ["f.txt"]);
        assert_eq!(names(format!("{root}/g.txt")), Vec::<String>::new());
        assert!(Listing::new("/a*/b").is_err());
    }
}
