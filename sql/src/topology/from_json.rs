//! Values that went out as Storm's JSON and have come back, for columns whose type JSON lacks.
//!
//! | column | went out as | comes back as |
//! |---|---|---|
//! | bytes | a list of integers from -128 to 127 | bytes |
//! | timestamp | microseconds since 1970 | a timestamp |
//! | array | Postgres' text; a program may also give a list | the array |

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field};
use monsoon_topology::Value;

/// Reads a value for a column, if it isn't one that goes there as it is.
type Read = fn(&Value) -> Option<Cow<'_, Value>>;

/// How values for a column are read; `None`: as they are.
pub(super) fn reads(field: &Field) -> Option<Read> {
    match field.data_type() {
        DataType::Binary => Some(bytes),
        DataType::Timestamp(..) => Some(timestamp),
        DataType::List(_) => Some(array),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<Cow<'_, Value>> {
    let Value::List(items) = value else { return None };
    let byte = |item: &Value| i8::try_from(item.as_int()?).ok().map(i8::cast_unsigned);
    let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
    bytes.map(|bytes| Cow::Owned(Value::from(bytes.as_slice())))
}

fn timestamp(value: &Value) -> Option<Cow<'_, Value>> {
    value.as_int().map(|micros| Cow::Owned(Value::Timestamp(micros)))
}

fn array(value: &Value) -> Option<Cow<'_, Value>> {
    let Value::List(items) = value else { return None };
    let mut text = String::new();
    write_array(items, &mut text);
    Some(Cow::Owned(Value::from(text.as_str())))
}

/// As Postgres writes an array.
fn write_array(items: &[Value], text: &mut String) {
    text.push('{');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        match item {
            Value::Null => text.push_str("NULL"),
            Value::List(items) => write_array(items, text),
            item => {
                text.push('"');
                for letter in item.to_string().chars() {
                    if matches!(letter, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(letter);
                }
                text.push('"');
            }
        }
    }
    text.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[Value]) -> Value {
        Value::List(items.to_vec().into())
    }

    #[test]
    fn bytes_come_back_from_their_list() {
        let went = list(&[Value::Int(0), Value::Int(-1), Value::Int(-128)]);
        assert_eq!(bytes(&went).as_deref(), Some(&Value::from([0, 255, 128].as_slice())));
        assert_eq!(bytes(&list(&[])).as_deref(), Some(&Value::from([].as_slice())));
        for other in [list(&[Value::Int(128)]), list(&[Value::Null]), Value::from("text")] {
            assert_eq!(bytes(&other), None, "{other:?}");
        }
    }

    #[test]
    fn lists_are_arrays_in_postgres_text() {
        let nested = list(&[list(&[Value::Int(1), Value::Null]), list(&[Value::from("a\"b\\c, {d}")])]);
        let expected = r#"{{"1",NULL},{"a\"b\\c, {d}"}}"#;
        assert_eq!(array(&nested).as_deref(), Some(&Value::from(expected)));
    }
}
