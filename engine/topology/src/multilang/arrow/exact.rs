//! Values as JSON text that loses nothing, for columns whose values have no Arrow type in common.
//!
//! As in Storm's JSON, except for what JSON has no word for, which is an object with one key that begins with `$`:
//!
//! | value | text |
//! |---|---|
//! | timestamp | `{"$timestamp": microseconds since 1970}` |
//! | bytes | `{"$bytes": "two hexadecimal digits a byte"}` |
//! | NaN and the infinities | `{"$float": "NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | a map that has one key, which begins with `$`, or has a key twice | `{"$map": [[key, value], ...]}` |

use std::collections::HashSet;
use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap, Serializer};
use smol_str::SmolStr;

use crate::Value;
use crate::multilang::json;

/// A value that serializes so.
struct Exact<'a>(&'a Value);

/// The text of a value.
pub fn to_text(value: &Value) -> String {
    serde_json::to_string(&Exact(value)).expect("values have JSON for every kind, and memory takes it")
}

/// The value of a text.
pub fn parse(text: &str) -> Result<Value, String> {
    json::parse(text.as_bytes()).map_err(|error| error.to_string()).and_then(untagged)
}

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Timestamp(micros) => tagged(serializer, "$timestamp", micros),
            Value::Float(value) if value.is_nan() => tagged(serializer, "$float", "NaN"),
            Value::Float(f64::INFINITY) => tagged(serializer, "$float", "Infinity"),
            Value::Float(f64::NEG_INFINITY) => tagged(serializer, "$float", "-Infinity"),
            Value::Bytes(bytes) => tagged(serializer, "$bytes", &hexadecimal(bytes)),
            Value::List(items) => serializer.collect_seq(items.iter().map(Exact)),
            Value::Map(entries) if is_plain(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key.as_str(), Exact(value))))
            }
            Value::Map(entries) => {
                let pairs: Vec<_> = entries.iter().map(|(key, value)| (key.as_str(), Exact(value))).collect();
                tagged(serializer, "$map", &pairs)
            }
            plain => json::Json(plain).serialize(serializer),
        }
    }
}

fn tagged<S: Serializer>(serializer: S, tag: &str, content: &(impl Serialize + ?Sized)) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, content)?;
    map.end()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes it");
        text
    })
}

/// Whether a map is an object that reads back as this map, in languages that keep no key twice too.
fn is_plain(entries: &[(SmolStr, Value)]) -> bool {
    match entries {
        [] => true,
        [(key, _)] => !key.starts_with('$'),
        _ => {
            let mut keys = HashSet::with_capacity(entries.len());
            entries.iter().all(|(key, _)| keys.insert(key))
        }
    }
}

fn untagged(value: Value) -> Result<Value, String> {
    match value {
        Value::List(items) => items.iter().cloned().map(untagged).collect::<Result<Vec<_>, _>>().map(Value::from),
        Value::Map(entries) => match &*entries {
            [(tag, content)] if tag.starts_with('$') => {
                of_tag(tag, content).unwrap_or_else(|| Err(format!("{{{tag:?}: {content}}} stands for no value")))
            }
            entries => {
                let entry = |(key, value): &(SmolStr, Value)| Ok((key.clone(), untagged(value.clone())?));
                entries.iter().map(entry).collect::<Result<Vec<_>, String>>().map(|entries| Value::Map(entries.into()))
            }
        },
        plain => Ok(plain),
    }
}

/// The value of an object with one key that begins with `$`; none if it is of no use.
fn of_tag(tag: &str, content: &Value) -> Option<Result<Value, String>> {
    let value = match tag {
        "$timestamp" => Value::Timestamp(content.as_int()?),
        "$bytes" => Value::from(bytes(content.as_str()?)?),
        "$float" => Value::Float(match content.as_str()? {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return None,
        }),
        "$map" => {
            let entry = |pair: &Value| {
                let [Value::Text(key), value] = pair.as_list()? else { return None };
                Some(untagged(value.clone()).map(|value| (key.clone(), value)))
            };
            let entries: Option<Result<Vec<_>, String>> = content.as_list()?.iter().map(entry).collect();
            return Some(entries?.map(|entries| Value::Map(entries.into())));
        }
        _ => return None,
    };
    Some(Ok(value))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value, text: &str) {
        assert_eq!(to_text(&value), text);
        assert_eq!(parse(text), Ok(value));
    }

    fn map(entries: &[(&str, Value)]) -> Value {
        Value::Map(entries.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
    }

    #[test]
    fn every_kind_reads_back() {
        check(Value::Null, "null");
        check(Value::Int(i64::MIN), "-9223372036854775808");
        check(Value::Float(1.0), "1.0");
        check(Value::Float(-0.0), "-0.0");
        check(Value::Float(f64::NAN), r#"{"$float":"NaN"}"#);
        check(Value::Float(f64::NEG_INFINITY), r#"{"$float":"-Infinity"}"#);
        check(Value::Timestamp(-1), r#"{"$timestamp":-1}"#);
        check(Value::from(vec![0_u8, 255]), r#"{"$bytes":"00ff"}"#);
        check(vec![Value::from("人"), Value::Timestamp(0)].into(), r#"["人",{"$timestamp":0}]"#);
        check(map(&[("b", Value::Bool(true)), ("$a", Value::Null)]), r#"{"b":true,"$a":null}"#);
        check(map(&[("$a", Value::Null)]), r#"{"$map":[["$a",null]]}"#);
        check(
            map(&[("a", Value::Timestamp(1)), ("a", Value::Null)]),
            r#"{"$map":[["a",{"$timestamp":1}],["a",null]]}"#,
        );
    }

    #[test]
    fn an_object_with_an_unknown_tag_is_refused() {
        for text in
            [r#"{"$bytes":"0"}"#, r#"{"$bytes":"zz"}"#, r#"{"$date":1}"#, r#"[{"$float":1}]"#, r#"{"$map":[["a"]]}"#]
        {
            assert!(parse(text).unwrap_err().contains("stands for no value"), "{text}");
        }
        assert!(parse("{").unwrap_err().contains("not JSON"));
    }
}
