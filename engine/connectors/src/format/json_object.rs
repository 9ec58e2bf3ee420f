//! The keys and values of a JSON object's first level, as they stand in the text.
//!
//! Used where arrow's reader can't: to learn the columns in their written order, and to take a nested value as text.

use std::borrow::Cow;
use std::ops::Range;

/// One key (without its quotes) and its value, as ranges of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectEntry {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The entries of an object; `None` if the text isn't one. Values are delimited, not checked.
pub(crate) fn object_entries(text: &[u8]) -> Option<Vec<ObjectEntry>> {
    let mut at = skip_space(text, 0);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = skip_space(text, at + 1);
    let mut entries = Vec::new();
    if text.get(at) == Some(&b'}') {
        return only_space_after(text, at + 1).then_some(entries);
    }
    loop {
        let key_end = end_of_string(text, at)?;
        let colon = skip_space(text, key_end);
        if text.get(colon) != Some(&b':') {
            return None;
        }
        let value_start = skip_space(text, colon + 1);
        let value_end = end_of_value(text, value_start)?;
        entries.push(ObjectEntry { key: at + 1..key_end - 1, value: value_start..value_end });
        at = skip_space(text, value_end);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b'}') => return only_space_after(text, at + 1).then_some(entries),
            _ => return None,
        }
    }
}

/// A key with its escapes resolved.
pub(crate) fn object_key<'a>(text: &'a [u8], entry: &ObjectEntry) -> Option<Cow<'a, str>> {
    let raw = text.get(entry.key.clone())?;
    if raw.contains(&b'\\') {
        let quoted = text.get(entry.key.start - 1..entry.key.end + 1)?;
        return serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned);
    }
    std::str::from_utf8(raw).ok().map(Cow::Borrowed)
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

fn only_space_after(text: &[u8], at: usize) -> bool {
    skip_space(text, at) == text.len()
}

/// Past the closing quote of the string that starts here.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    if text.get(start) != Some(&b'"') {
        return None;
    }
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn end_of_value(text: &[u8], start: usize) -> Option<usize> {
    match text.get(start)? {
        b'"' => end_of_string(text, start),
        b'{' | b'[' => end_of_nested(text, start),
        _ => {
            let length = text[start..].iter().position(|byte| b",}] \t\r\n".contains(byte))?;
            (length > 0).then_some(start + length)
        }
    }
}

fn end_of_nested(text: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => at = end_of_string(text, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Option<Vec<(String, String)>> {
        let found = object_entries(text.as_bytes())?;
        Some(
            found
                .iter()
                .map(|entry| {
                    let key = object_key(text.as_bytes(), entry).expect("a key");
                    (key.into_owned(), text[entry.value.clone()].to_string())
                })
                .collect(),
        )
    }

    #[test]
    fn values_are_taken_as_they_stand() {
        let found = entries(r#" { "a" : 1.50 ,"b":{"c":[1,"}"]}, "d\u0065":"x\"y", "n":null } "#).unwrap();
        let expected = [("a", "1.50"), ("b", r#"{"c":[1,"}"]}"#), ("de", r#""x\"y""#), ("n", "null")];
        assert_eq!(found, expected.map(|(key, value)| (key.to_string(), value.to_string())));
        assert_eq!(entries("{}"), Some(vec![]));
    }

    #[test]
    fn anything_else_is_no_object() {
        for text in
            ["", "1", "[1]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1}x", "{\"a\":1,}", "{\"a\":[1}", "{\"a\\"]
        {
            assert_eq!(object_entries(text.as_bytes()), None, "{text}");
        }
    }
}
