//! Values of tuples as JSON, and JSON as values of tuples.
//!
//! | value | JSON | and back |
//! |---|---|---|
//! | null, boolean, text, list | the same | the same |
//! | integer | all its digits | the same |
//! | float | the shortest text that reads back as the same double; NaN and the infinities, which JSON lacks, are `null` | the same; `1.0` stays a float |
//! | map | an object, keys in order | the same order; of a key given twice both are kept |
//! | timestamp | microseconds since 1970, as an integer | an integer |
//! | bytes | a list of integers from -128 to 127, as Storm's serializer writes a `byte[]` | a list of integers |
//!
//! An integer outside 64 bits becomes the nearest double. Python's `NaN` and `Infinity` and halves of surrogate pairs are
//! no JSON: the message is malformed.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use smol_str::SmolStr;

use super::error::beginning;
use super::{Error, Result};
use crate::Value;

/// Appends a value as JSON text, on one line.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &Json(value)).expect("values have JSON for every kind, and memory takes it");
}

/// A value as JSON text.
pub(crate) fn to_text(value: &Value) -> String {
    serde_json::to_string(&Json(value)).expect("values have JSON for every kind, and memory takes it")
}

/// The value a JSON text stands for.
pub fn parse(text: &[u8]) -> Result<Value> {
    let parsed: FromJson = serde_json::from_slice(text)
        .map_err(|error| Error::Protocol(format!("not JSON: {error}: {:?}", beginning(text))))?;
    Ok(parsed.0)
}

/// As a value of `serde_json`, which sorts the keys of objects.
pub fn to_json(value: &Value) -> serde_json::Value {
    serde_json::to_value(Json(value)).expect("values have JSON for every kind")
}

/// From a value of `serde_json`.
pub fn from_json(json: &serde_json::Value) -> Value {
    FromJson::deserialize(json).expect("every JSON value is a value").0
}

/// A value that serializes as JSON.
pub(crate) struct Json<'a>(pub &'a Value);

/// Values that serialize as a JSON list.
pub(crate) struct JsonList<'a>(pub &'a [Value]);

/// A value read from JSON.
pub(crate) struct FromJson(pub Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) | Value::Timestamp(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.collect_seq(bytes.iter().map(|byte| *byte as i8)),
            Value::List(items) => JsonList(items).serialize(serializer),
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries.iter() {
                    map.serialize_entry(key.as_str(), &Json(value))?;
                }
                map.end()
            }
        }
    }
}

impl Serialize for JsonList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for item in self.0 {
            list.serialize_element(&Json(item))?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for FromJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<FromJson, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(FromJson)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> std::result::Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(FromJson(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::from(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut entries: Vec<(SmolStr, Value)> = Vec::new();
        while let Some((key, FromJson(value))) = map.next_entry::<SmolStr, FromJson>()? {
            entries.push((key, value));
        }
        Ok(Value::Map(entries.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn check(value: Value, text: &str) {
        assert_eq!(written(&value), text);
        assert_eq!(parse(text.as_bytes()).unwrap(), value);
        assert_eq!(from_json(&serde_json::from_str(text).unwrap()), value);
    }

    #[test]
    fn what_json_knows_goes_there_and_back() {
        check(Value::Null, "null");
        check(Value::Bool(true), "true");
        check(Value::from("bertels人\n\""), r#""bertels人\n\"""#);
        check(Value::from(vec![Value::Int(1), Value::from("a"), Value::Null]), r#"[1,"a",null]"#);
        check(Value::from(Vec::<Value>::new()), "[]");
    }

    #[test]
    fn every_digit_of_an_integer_is_kept() {
        check(Value::Int(i64::MAX), "9223372036854775807");
        check(Value::Int(i64::MIN), "-9223372036854775808");
        check(Value::Int((1 << 53) + 1), "9007199254740993");
    }

    #[test]
    fn a_float_stays_the_same_float() {
        check(Value::Float(1.0), "1.0");
        check(Value::Float(-0.0), "-0.0");
        check(Value::Float(0.1), "0.1");
        check(Value::Float(f64::MIN_POSITIVE), "2.2250738585072014e-308");
        // A double that the fast way of parsing misses by one bit.
        check(Value::Float(423.209_170_872_713_23), "423.20917087271323");
        assert_eq!(written(&Value::Float(f64::NAN)), "null");
    }

    #[test]
    fn integers_beyond_64_bits_are_floats() {
        assert_eq!(parse(b"9223372036854775808").unwrap(), Value::Float(9_223_372_036_854_775_808.0));
        assert_eq!(parse(b"100000000000000000000").unwrap(), Value::Float(1e20));
    }

    #[test]
    fn keys_keep_their_order() {
        let entries = [("z".into(), Value::Int(1)), ("a".into(), Value::Null)];
        let value = Value::Map(entries.into());
        assert_eq!(written(&value), r#"{"z":1,"a":null}"#);
        assert_eq!(parse(br#"{"z":1,"a":null}"#).unwrap(), value);
    }

    #[test]
    fn kinds_that_json_lacks_are_integers() {
        assert_eq!(written(&Value::Timestamp(1_500_000)), "1500000");
        assert_eq!(written(&Value::from(vec![0_u8, 127, 128, 255])), "[0,127,-128,-1]");
        assert_eq!(to_json(&Value::from(vec![255_u8])), serde_json::json!([-1]));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["NaN", "", "[1", r#""\ud800""#, "\"\u{1}\"", "1 2"] {
            assert!(matches!(parse(text.as_bytes()), Err(Error::Protocol(_))), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}
