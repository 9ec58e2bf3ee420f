//! The hash that fields grouping goes by.
//!
//! XXH3 (64 bits, seed 0; Yann Collet's specification, version 0.8) over an encoding of the values that is fixed for all versions, processes and
//! machines: state that is kept by key is found again. Per value one tag byte, then: nothing for null (0); 1 byte for a boolean (1); 8 bytes little
//! endian for an integer (2), a double's bits with one NaN (3) and a timestamp's microseconds (4); length as 8 bytes and content for text (5) and
//! bytes (6); number of items as 8 bytes and the items for a list (7) and a map (8, each key as text before its value).

use twox_hash::XxHash3_64;

use crate::Value;
use crate::value::canonical_bits;

/// The hash of a key: of these values in this order.
pub fn key_hash<'a>(values: impl Iterator<Item = &'a Value>) -> u64 {
    let mut short = Short { bytes: [0; SHORT], len: 0 };
    let mut long = Vec::new();
    for value in values {
        if !long.is_empty() || !short.encode(value) {
            if long.is_empty() {
                long.extend_from_slice(&short.bytes[..short.len]);
            }
            encode(value, &mut long);
        }
    }
    XxHash3_64::oneshot(if long.is_empty() { &short.bytes[..short.len] } else { &long })
}

const SHORT: usize = 64;

/// An encoding that fits on the stack, which that of nearly every key does.
struct Short {
    bytes: [u8; SHORT],
    len: usize,
}

impl Short {
    /// Appends a value if it fits.
    fn encode(&mut self, value: &Value) -> bool {
        match value {
            Value::Null => self.put(0, &[]),
            Value::Bool(value) => self.put(1, &[u8::from(*value)]),
            Value::Int(value) => self.put(2, &value.to_le_bytes()),
            Value::Float(value) => self.put(3, &canonical_bits(*value).to_le_bytes()),
            Value::Timestamp(value) => self.put(4, &value.to_le_bytes()),
            Value::Text(text) => self.put_sized(5, text.as_bytes()),
            Value::Bytes(bytes) => self.put_sized(6, bytes),
            Value::List(_) | Value::Map(_) => false,
        }
    }

    fn put_sized(&mut self, tag: u8, content: &[u8]) -> bool {
        if self.len + 9 + content.len() > SHORT {
            return false;
        }
        self.put(tag, &(content.len() as u64).to_le_bytes());
        self.append(content);
        true
    }

    fn put(&mut self, tag: u8, content: &[u8]) -> bool {
        if self.len + 1 + content.len() > SHORT {
            return false;
        }
        self.append(&[tag]);
        self.append(content);
        true
    }

    fn append(&mut self, content: &[u8]) {
        self.bytes[self.len..self.len + content.len()].copy_from_slice(content);
        self.len += content.len();
    }
}

fn encode(value: &Value, bytes: &mut Vec<u8>) {
    let tagged = |tag: u8, content: &[u8], bytes: &mut Vec<u8>| {
        bytes.push(tag);
        bytes.extend_from_slice(content);
    };
    match value {
        Value::Null => tagged(0, &[], bytes),
        Value::Bool(value) => tagged(1, &[u8::from(*value)], bytes),
        Value::Int(value) => tagged(2, &value.to_le_bytes(), bytes),
        Value::Float(value) => tagged(3, &canonical_bits(*value).to_le_bytes(), bytes),
        Value::Timestamp(value) => tagged(4, &value.to_le_bytes(), bytes),
        Value::Text(text) => sized(5, text.as_bytes(), bytes),
        Value::Bytes(content) => sized(6, content, bytes),
        Value::List(items) => {
            tagged(7, &(items.len() as u64).to_le_bytes(), bytes);
            items.iter().for_each(|item| encode(item, bytes));
        }
        Value::Map(entries) => {
            tagged(8, &(entries.len() as u64).to_le_bytes(), bytes);
            for (key, value) in entries.iter() {
                sized(5, key.as_bytes(), bytes);
                encode(value, bytes);
            }
        }
    }
}

fn sized(tag: u8, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    bytes.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both encodings of every kind of value are the same bytes.
    #[test]
    fn the_short_encoding_is_the_long_one() {
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(-5),
            Value::Float(1.5),
            Value::Timestamp(7),
            Value::from("word"),
            Value::from(vec![1_u8, 2]),
        ];
        for value in &values {
            let mut short = Short { bytes: [0; SHORT], len: 0 };
            assert!(short.encode(value));
            let mut long = Vec::new();
            encode(value, &mut long);
            assert_eq!(short.bytes[..short.len], long[..]);
        }
    }

    /// The hash of a fixed key never changes: what the reference implementation of XXH3 (xxHash 0.8, by way of Python's `xxhash`) gives for the bytes.
    #[test]
    fn the_hash_is_fixed_for_all_versions() {
        let key = [Value::from("word"), Value::Int(-1)];
        let bytes = [&[5, 4, 0, 0, 0, 0, 0, 0, 0][..], b"word", &[2], &[0xff; 8]].concat();
        assert_eq!(XxHash3_64::oneshot(&bytes), 8_396_435_674_037_693_155);
        assert_eq!(key_hash(key.iter()), 8_396_435_674_037_693_155);
    }
}
