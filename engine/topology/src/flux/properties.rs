//! `Properties`: a Java `.properties` file, the source of `${key}` substitutions.
//!
//! The format is that of `java.util.Properties.load`: comments by `#` and `!`, a backslash at a line's end to continue it,
//! `=`, `:` or white space between key and value, the escapes `\t \n \r \f` and `\uXXXX`; a backslash before anything else
//! is dropped. The last of several lines with one key counts.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use super::error::{FluxError, Place};

/// Keys and values of a `.properties` file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    values: HashMap<String, String>,
}

impl Properties {
    /// Reads the text of a file; the file's name is for messages. Fails only on a `\u` without four hexadecimal digits.
    pub fn parse(file: &str, text: &str) -> Result<Properties, FluxError> {
        let file: Arc<str> = file.into();
        let mut values = HashMap::new();
        for (line, content) in logical_lines(text) {
            let place = Place { file: file.clone(), line, column: 1 };
            let (key, value) = entry(&content).map_err(|reason| place.error(reason))?;
            values.insert(key, value);
        }
        Ok(Properties { values })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Lines that are neither blank nor comments, with their continuations joined; each with its line number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    let text = text.replace("\r\n", "\n");
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        let line = line.trim_start_matches(is_blank);
        let (number, mut content) = match pending.take() {
            Some(begun) => begun,
            None if line.is_empty() || line.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            content.push_str(&line[..line.len() - 1]);
            pending = Some((number, content));
        } else {
            content.push_str(line);
            lines.push((number, content));
        }
    }
    lines.extend(pending);
    lines
}

/// Key and value of a logical line.
fn entry(line: &str) -> Result<(String, String), String> {
    let mut chars = line.chars().peekable();
    let key = unescaped(&mut chars, |c| is_blank(c) || c == '=' || c == ':')?;
    skip_blanks(&mut chars);
    if chars.next_if(|c| matches!(c, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    Ok((key, unescaped(&mut chars, |_| false)?))
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| is_blank(*c)).is_some() {}
}

/// The text up to an unescaped character at which `ends` holds.
fn unescaped(chars: &mut Peekable<Chars<'_>>, ends: impl Fn(char) -> bool) -> Result<String, String> {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|c| !ends(*c)) {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\u{c}'),
            Some('u') => text.push(unicode(chars)?),
            Some(other) => text.push(other),
            None => {}
        }
    }
    Ok(text)
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair.
fn unicode(chars: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    let first = code_unit(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).ok_or_else(|| format!("\\u{first:04x} is half a character"));
    }
    let second = match (chars.next(), chars.next()) {
        (Some('\\'), Some('u')) => code_unit(chars)?,
        _ => 0,
    };
    char::decode_utf16([first as u16, second as u16])
        .next()
        .and_then(Result::ok)
        .ok_or_else(|| format!("\\u{first:04x} is half a character"))
}

fn code_unit(chars: &mut Peekable<Chars<'_>>) -> Result<u32, String> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = chars.next().and_then(|c| c.to_digit(16));
        unit = unit * 16 + digit.ok_or("found \\u without four hexadecimal digits after it")?;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let properties = Properties::parse("test.properties", text).unwrap();
        let expected: HashMap<_, _> =
            expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        assert_eq!(properties.values, expected, "{text}");
    }

    #[test]
    fn every_separator_of_java_works() {
        check(
            "a=1\nb:2\nc 3\n d = 4 \ne\n=f\ng==h",
            &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4 "), ("e", ""), ("", "f"), ("g", "=h")],
        );
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        check("# a=1\n  ! b=2\n\n \t\nc=#3\r\nd=4\r", &[("c", "#3"), ("d", "4")]);
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line() {
        check("hosts = a,\\\n    b,\\\r\n  # c\nd=1\\\\\ne=2\\", &[("hosts", "a,b,# c"), ("d", "1\\"), ("e", "2")]);
    }

    #[test]
    fn escapes_are_undone() {
        check(r"a\:b\=c\ d=x\ty\n\u00e9\ud83d\ude00\q", &[("a:b=c d", "x\ty\né😀q")]);
    }

    #[test]
    fn a_broken_escape_names_its_line() {
        let error = Properties::parse("test.properties", "a=1\nb=\\u12g4").unwrap_err();
        assert_eq!(error.to_string(), "test.properties:2:1: found \\u without four hexadecimal digits after it");
        assert!(Properties::parse("p", "a=\\udc00").is_err());
        assert!(Properties::parse("p", "a=\\ud83dx").is_err());
    }
}
