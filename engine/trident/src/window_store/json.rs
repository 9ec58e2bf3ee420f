//! Values as JSON that reads back as the same value.
//!
//! Null, booleans, integers, text and lists are JSON's own. The others are objects of one key: `{"float": <bits>}`,
//! `{"timestamp": <microseconds>}`, `{"bytes": [..]}`, `{"map": [[key, value], ..]}`.

use monsoon_topology::{Failure, Outcome, Value};
use serde_json::{Value as Json, json};

/// Lists and maps within each other, at most: JSON that is nested deeper than 128 can't be read back, and a map takes 3.
const DEPTH_MAX: usize = 40;

/// The JSON of a value; a failure for one that is nested too deep.
pub(super) fn to_json(value: &Value) -> Outcome<Json> {
    encoded(value, DEPTH_MAX)
}

fn encoded(value: &Value, depth_left: usize) -> Outcome<Json> {
    let within = || {
        let too_deep = || Failure::new(format!("a value in a window is nested deeper than {DEPTH_MAX}"));
        depth_left.checked_sub(1).ok_or_else(too_deep)
    };
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Text(text) => json!(text.as_str()),
        Value::Float(value) => json!({ "float": value.to_bits() }),
        Value::Timestamp(micros) => json!({ "timestamp": micros }),
        Value::Bytes(bytes) => json!({ "bytes": &bytes[..] }),
        Value::List(items) => {
            let within = within()?;
            Json::Array(items.iter().map(|item| encoded(item, within)).collect::<Outcome<_>>()?)
        }
        Value::Map(entries) => {
            let within = within()?;
            let entry = |(key, value): &(_, Value)| Ok(json!([key, encoded(value, within)?]));
            json!({ "map": entries.iter().map(entry).collect::<Outcome<Vec<Json>>>()? })
        }
    })
}

/// The value of what [`to_json`] made; a failure for other JSON.
pub(super) fn from_json(json: Json) -> Outcome<Value> {
    let unknown = |json: &Json| Failure::new(format!("{json} is no value of a window"));
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => Value::Int(number.as_i64().ok_or_else(|| unknown(&json!(number)))?),
        Json::String(text) => Value::from(text),
        Json::Array(items) => Value::from(items.into_iter().map(from_json).collect::<Outcome<Vec<Value>>>()?),
        Json::Object(mut object) => {
            let (kind, content) = match object.len() {
                1 => object.iter_mut().next().map(|(kind, content)| (kind.as_str(), content.take())),
                _ => None,
            }
            .ok_or_else(|| Failure::new("a value of a window has no kind"))?;
            match (kind, &content) {
                ("float", Json::Number(bits)) => {
                    Value::Float(f64::from_bits(bits.as_u64().ok_or_else(|| unknown(&content))?))
                }
                ("timestamp", Json::Number(micros)) => {
                    Value::Timestamp(micros.as_i64().ok_or_else(|| unknown(&content))?)
                }
                ("bytes", Json::Array(_)) => Value::Bytes(serde_json::from_value::<Vec<u8>>(content)?.into()),
                ("map", Json::Array(_)) => {
                    let entries = serde_json::from_value::<Vec<(String, Json)>>(content)?.into_iter();
                    let entry = |(key, value): (String, Json)| Ok((key.into(), from_json(value)?));
                    Value::Map(entries.map(entry).collect::<Outcome<Vec<_>>>()?.into())
                }
                _ => return Err(unknown(&content)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(value: &Value) -> Value {
        let text = serde_json::to_vec(&to_json(value).unwrap()).unwrap();
        from_json(serde_json::from_slice(&text).unwrap()).unwrap()
    }

    #[test]
    fn every_value_reads_back_as_itself() {
        let bytes = Value::Bytes(vec![0, 255].into());
        let map = Value::Map(vec![("b".into(), Value::Int(1)), ("a".into(), bytes.clone())].into());
        let values =
            crate::values![Value::Null, true, i64::MIN, i64::MAX, "", "\u{0}\"", 0.1, -0.0, f64::NAN, f64::INFINITY];
        let values: Vec<Value> = values.into_iter().chain([Value::Timestamp(-1), bytes, map]).collect();
        values.iter().for_each(|value| assert_eq!(there_and_back(value), *value));
        assert_eq!(there_and_back(&Value::from(values.clone())), Value::from(values));
    }

    #[test]
    fn a_value_that_could_not_be_read_back_is_refused() {
        let nested =
            |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::Map(vec![("deeper".into(), inner)].into()));
        assert_eq!(there_and_back(&nested(DEPTH_MAX)), nested(DEPTH_MAX));
        assert!(to_json(&nested(DEPTH_MAX + 1)).is_err());
        for unknown in [json!(1.5), json!({}), json!({"float": 1, "map": []}), json!({"float": "x"}), json!({"x": 1})] {
            assert!(from_json(unknown.clone()).is_err(), "{unknown}");
        }
    }
}
