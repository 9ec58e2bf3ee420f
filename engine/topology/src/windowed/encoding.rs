//! Records of checkpoints and spilled pages as bytes. What is read is exactly what was written, to the bit of a NaN.
//!
//! A record is a version byte and its fields: integers of 8 bytes little endian, lengths in LEB128, values as [`value_bytes`] has them. A record of
//! another version, cut short or with bytes behind its end, is damaged, and told.

use std::sync::Arc;

use smol_str::SmolStr;

use super::item::Item;
use crate::stream::TaskId;
use crate::{Error, Result, Value, value_bytes};

/// The version of every record. None before it had a version byte.
const VERSION: u8 = 1;

/// A record without fields.
pub(super) fn record() -> Vec<u8> {
    vec![VERSION]
}

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

/// Appends values with their number. They must not be deeper than an [`Item`]'s may be.
pub(super) fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    put_len(out, values.len() as u64);
    values.iter().for_each(|value| value_bytes::encode_exact(value, out));
}

/// Appends an item with its timestamp.
pub(super) fn put_item(out: &mut Vec<u8>, ts: i64, item: &Item) {
    put_i64(out, ts);
    put_i64(out, item.number as i64);
    put_len(out, item.input.into());
    put_i64(out, item.source.0.into());
    put_values(out, &item.values);
}

/// Reads the fields of a record, from the front.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// At the first field. [`Error::Checkpoint`] when the record is of another version.
    pub fn of(record: &'a [u8]) -> Result<Reader<'a>> {
        let mut reader = Reader(record);
        match reader.byte()? {
            VERSION => Ok(reader),
            version => Err(corrupt(&format!("version {version} of its records is not known, only {VERSION}"))),
        }
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(corrupt("there is more than the record")) }
    }

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
            1 => self.i64().map(Some),
            flag => Err(corrupt(&format!("a flag is {flag}, neither 0 nor 1"))),
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
        let (value, rest) = value_bytes::decode_exact(self.0).map_err(|damage| corrupt(&damage.to_string()))?;
        self.0 = rest;
        Ok(value)
    }

    /// An item and its timestamp.
    pub fn item(&mut self) -> Result<(i64, Item)> {
        let (ts, number) = (self.i64()?, self.i64()? as u64);
        let input = u32::try_from(self.len()?).map_err(|_| corrupt("an input beyond all"))?;
        let source = i32::try_from(self.i64()?).map_err(|_| corrupt("a task beyond all"))?;
        let values = self.values()?;
        Ok((ts, Item::restored(number, input, TaskId(source), values)))
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
    use crate::value_bytes::DEPTH_MAX;

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
        let item = Item::new(u64::MAX, 300, TaskId(-1), values).unwrap();
        let mut out = record();
        put_item(&mut out, -7, &item);
        let mut reader = Reader::of(&out).unwrap();
        assert_eq!(reader.item().unwrap(), (-7, item));
        reader.finish().unwrap();
        for end in 0..out.len() {
            let read = Reader::of(&out[..end]).and_then(|mut reader| reader.item());
            assert!(matches!(read, Err(Error::Checkpoint(_))), "cut at {end}");
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

    #[test]
    fn what_is_too_deep_is_refused_before_and_after() {
        let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::from(vec![value]));
        let item = |depth| Item::new(0, 0, TaskId(1), [nested(depth)].into());
        let mut out = record();
        put_item(&mut out, 0, &item(DEPTH_MAX).unwrap());
        assert_eq!(Reader::of(&out).unwrap().item().unwrap().1.values[..], [nested(DEPTH_MAX)]);
        let refused = item(DEPTH_MAX + 1).unwrap_err().to_string();
        assert_eq!(refused, "windows can't hold lists and maps more than 128 deep");
        // One value, and then a list of one within each other, far deeper than any stack.
        let mut out = vec![1];
        (0..1_000_000).for_each(|_| out.extend_from_slice(&[7, 1, 0, 0, 0, 0, 0, 0, 0]));
        let error = Reader(&out).values().unwrap_err().to_string();
        assert!(error.contains("lists and maps are too deep"), "{error}");
    }

    #[test]
    fn a_record_of_another_version_is_told() {
        for bytes in [&[][..], &[0], &[2, 0], &[10, 0, 0]] {
            assert!(matches!(Reader::of(bytes), Err(Error::Checkpoint(_))), "{bytes:?}");
        }
        let said = Reader::of(&[7]).err().map(|error| error.to_string()).unwrap();
        assert!(said.ends_with("version 7 of its records is not known, only 1"), "{said}");
        assert!(Reader::of(&[VERSION, 0]).unwrap().finish().is_err());
    }
}
