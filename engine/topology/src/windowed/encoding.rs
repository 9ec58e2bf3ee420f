//! Values and items as bytes, for checkpoints and spilled pages. What is read is exactly what was written, to the bit of a NaN.
//!
//! Integers are 8 bytes little endian; lengths are LEB128. Per value a tag byte, then: nothing for null (0), false (1) and true (2); 8 bytes for an
//! integer (3), a double's bits (4) and a timestamp (5); length and content for text (6) and bytes (7); number of items and the items for a list
//! (8); number of entries, each a text without tag and a value, for a map (9).

use std::sync::Arc;

use smol_str::SmolStr;

use super::item::Item;
use crate::stream::TaskId;
use crate::{Error, Result, Value};

/// Appends an unsigned number, short if it is small.
pub(super) fn put_len(out: &mut Vec<u8>, mut len: u64) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

/// Appends an integer.
pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends an integer that may be missing.
pub(super) fn put_optional(out: &mut Vec<u8>, value: Option<i64>) {
    out.push(u8::from(value.is_some()));
    value.into_iter().for_each(|value| put_i64(out, value));
}

/// Appends bytes with their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends values with their number.
pub(super) fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    put_len(out, values.len() as u64);
    values.iter().for_each(|value| put_value(out, value));
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(value) => out.push(1 + u8::from(*value)),
        Value::Int(value) => put_tagged(out, 3, *value),
        Value::Float(value) => put_tagged(out, 4, value.to_bits() as i64),
        Value::Timestamp(value) => put_tagged(out, 5, *value),
        Value::Text(text) => {
            out.push(6);
            put_bytes(out, text.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.push(7);
            put_bytes(out, bytes);
        }
        Value::List(items) => {
            out.push(8);
            put_values(out, items);
        }
        Value::Map(entries) => {
            out.push(9);
            put_len(out, entries.len() as u64);
            for (key, value) in entries.iter() {
                put_bytes(out, key.as_bytes());
                put_value(out, value);
            }
        }
    }
}

fn put_tagged(out: &mut Vec<u8>, tag: u8, value: i64) {
    out.push(tag);
    put_i64(out, value);
}

/// Appends an item with its timestamp.
pub(super) fn put_item(out: &mut Vec<u8>, ts: i64, item: &Item) {
    put_i64(out, ts);
    put_i64(out, item.number as i64);
    put_len(out, item.input.into());
    put_i64(out, item.source.0.into());
    put_values(out, &item.values);
}

/// Reads what was written, from the front.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub fn len(&mut self) -> Result<u64> {
        let mut len = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            len |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(len);
            }
        }
        Err(corrupt("a length of more than 64 bits"))
    }

    pub fn i64(&mut self) -> Result<i64> {
        let bytes = self.take(8)?.try_into().expect("eight bytes were taken");
        Ok(i64::from_le_bytes(bytes))
    }

    pub fn optional(&mut self) -> Result<Option<i64>> {
        match self.byte()? {
            0 => Ok(None),
            _ => self.i64().map(Some),
        }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = usize::try_from(self.len()?).map_err(|_| corrupt("a length beyond memory"))?;
        self.take(len)
    }

    pub fn text(&mut self) -> Result<SmolStr> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| corrupt("text that isn't UTF-8"))?;
        Ok(text.into())
    }

    pub fn values(&mut self) -> Result<Arc<[Value]>> {
        (0..self.len()?).map(|_| self.value()).collect()
    }

    fn value(&mut self) -> Result<Value> {
        Ok(match self.byte()? {
            0 => Value::Null,
            tag @ (1 | 2) => Value::Bool(tag == 2),
            3 => Value::Int(self.i64()?),
            4 => Value::Float(f64::from_bits(self.i64()? as u64)),
            5 => Value::Timestamp(self.i64()?),
            6 => Value::Text(self.text()?),
            7 => Value::Bytes(self.bytes()?.into()),
            8 => Value::List(self.values()?),
            9 => {
                let entries = (0..self.len()?).map(|_| Ok((self.text()?, self.value()?)));
                Value::Map(entries.collect::<Result<_>>()?)
            }
            tag => return Err(corrupt(&format!("a value of kind {tag}"))),
        })
    }

    /// An item and its timestamp.
    pub fn item(&mut self) -> Result<(i64, Item)> {
        let (ts, number) = (self.i64()?, self.i64()? as u64);
        let input = u32::try_from(self.len()?).map_err(|_| corrupt("an input beyond all"))?;
        let source = i32::try_from(self.i64()?).map_err(|_| corrupt("a task beyond all"))?;
        Ok((ts, Item { number, input, source: TaskId(source), values: self.values()? }))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(|| corrupt("an end too early"))?;
        self.0 = rest;
        Ok(taken)
    }
}

/// What was read can't have been written.
pub(super) fn corrupt(what: &str) -> Error {
    Error::Checkpoint(format!("the content of a window is damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_survives() {
        let values: Arc<[Value]> = [
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Float(-0.0),
            Value::Timestamp(1_700_000_000_000_001),
            Value::from("a text that is longer than what is held in place"),
            Value::from(vec![0_u8; 300]),
            Value::from(vec![Value::Int(1), Value::from(Vec::<Value>::new())]),
            Value::Map([("b".into(), Value::Null), ("a".into(), Value::from("x"))].into()),
        ]
        .into();
        let item = Item { number: u64::MAX, input: 300, source: TaskId(-1), values };
        let mut out = Vec::new();
        put_item(&mut out, -7, &item);
        let mut reader = Reader(&out);
        assert_eq!(reader.item().unwrap(), (-7, item));
        assert!(reader.is_empty());
        for end in 0..out.len() {
            assert!(matches!(Reader(&out[..end]).item(), Err(Error::Checkpoint(_))), "cut at {end}");
        }
    }

    #[test]
    fn a_nan_keeps_its_bits() {
        let bits = 0x7ff8_0000_0000_1234;
        let mut out = Vec::new();
        put_values(&mut out, &[Value::Float(f64::from_bits(bits))]);
        let values = Reader(&out).values().unwrap();
        assert!(matches!(values[0], Value::Float(value) if value.to_bits() == bits));
    }
}
