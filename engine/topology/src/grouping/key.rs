//! The hash that fields grouping goes by.
//!
//! XXH3 (64 bits, seed 0; Yann Collet's specification, version 0.8) over the encoding of the values (`value_bytes`), which is fixed for all versions,
//! processes and machines: state that is kept by key is found again.

use twox_hash::XxHash3_64;

use crate::Value;
use crate::value::canonical_bits;
use crate::value_bytes::encode;

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
