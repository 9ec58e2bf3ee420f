//! The order of values: numbers by size, text, bytes, truth values and timestamps among themselves.

use std::cmp::Ordering;

use monsoon_topology::{Failure, Outcome, Value};

/// Compares two values of one kind; an integer and a float compare as doubles. A failure for values that have no order.
pub fn compare(a: &Value, b: &Value) -> Outcome<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(a.cmp(b)),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            let (a, b) = (a.as_float().unwrap_or(f64::NAN), b.as_float().unwrap_or(f64::NAN));
            Ok(a.total_cmp(&b))
        }
        _ => Err(Failure::new(format!("{a:?} ({}) and {b:?} ({}) can't be ordered", a.kind(), b.kind()))),
    }
}

/// The sum of two numbers: an integer if both are. A failure for other kinds, and when an integer sum overflows.
pub(crate) fn add(a: &Value, b: &Value) -> Outcome<Value> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => {
            a.checked_add(*b).map(Value::Int).ok_or_else(|| Failure::new(format!("{a} + {b} overflows 64 bits")))
        }
        _ => match (a.as_float(), b.as_float()) {
            (Some(a), Some(b)) => Ok(Value::Float(a + b)),
            _ => Err(Failure::new(format!("{a:?} ({}) and {b:?} ({}) can't be added", a.kind(), b.kind()))),
        },
    }
}
