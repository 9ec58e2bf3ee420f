//! Values as bytes: an encoding that is fixed for all versions, processes and machines. Equal values have equal bytes.
//!
//! Per value one tag byte, then: nothing for null (0); 1 byte for a boolean (1); 8 bytes little endian for an integer (2), a double's bits (3) and a
//! timestamp's microseconds (4); length as 8 bytes and content for text (5) and bytes (6); number of items as 8 bytes and the items for a list (7)
//! and a map (8, each key as text before its value).
//!
//! There is one NaN, for a value can be a key. Only [`encode_exact`], for values that nobody looks up, keeps the bits of each.
//!
//! What is stored alone has a version byte, 1, in front. Bytes that no value has are told as [`Damage`]: nothing is guessed.

use smol_str::SmolStr;

use crate::Value;
use crate::value::canonical_bits;

const VERSION: u8 = 1;
/// Lists and maps within each other, at most: what is read back may not exhaust the stack.
pub(crate) const DEPTH_MAX: usize = 128;

/// Which NaNs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nan {
    /// The same bits for all.
    One,
    /// The bits of each.
    AsItIs,
}

impl Nan {
    fn bits(self, value: f64) -> u64 {
        match self {
            Nan::One => canonical_bits(value),
            Nan::AsItIs => value.to_bits(),
        }
    }
}

/// Appends a value.
pub(crate) fn encode(value: &Value, bytes: &mut Vec<u8>) {
    encode_with(value, Nan::One, bytes);
}

/// Appends a value that comes back as it is, to the bit of a NaN. It must not be deeper than [`DEPTH_MAX`].
pub(crate) fn encode_exact(value: &Value, bytes: &mut Vec<u8>) {
    debug_assert!(depth(value) <= DEPTH_MAX, "what is deeper can't be read back");
    encode_with(value, Nan::AsItIs, bytes);
}

fn encode_with(value: &Value, nan: Nan, bytes: &mut Vec<u8>) {
    let tagged = |tag: u8, content: &[u8], bytes: &mut Vec<u8>| {
        bytes.push(tag);
        bytes.extend_from_slice(content);
    };
    match value {
        Value::Null => tagged(0, &[], bytes),
        Value::Bool(value) => tagged(1, &[u8::from(*value)], bytes),
        Value::Int(value) => tagged(2, &value.to_le_bytes(), bytes),
        Value::Float(value) => tagged(3, &nan.bits(*value).to_le_bytes(), bytes),
        Value::Timestamp(value) => tagged(4, &value.to_le_bytes(), bytes),
        Value::Text(text) => sized(5, text.as_bytes(), bytes),
        Value::Bytes(content) => sized(6, content, bytes),
        Value::List(items) => {
            tagged(7, &(items.len() as u64).to_le_bytes(), bytes);
            items.iter().for_each(|item| encode_with(item, nan, bytes));
        }
        Value::Map(entries) => {
            tagged(8, &(entries.len() as u64).to_le_bytes(), bytes);
            for (key, value) in entries.iter() {
                sized(5, key.as_bytes(), bytes);
                encode_with(value, nan, bytes);
            }
        }
    }
}

fn sized(tag: u8, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(tag);
    bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
    bytes.extend_from_slice(content);
}

/// A value as it is stored. It must not be deeper than [`DEPTH_MAX`].
pub(crate) fn to_bytes(value: &Value) -> Vec<u8> {
    debug_assert!(depth(value) <= DEPTH_MAX, "what is deeper can't be read back");
    let mut bytes = vec![VERSION];
    encode(value, &mut bytes);
    bytes
}

/// How many lists and maps are within each other; looks no further than one more than [`DEPTH_MAX`].
pub(crate) fn depth(value: &Value) -> usize {
    fn below(value: &Value, left: usize) -> usize {
        let deepest = |items: &mut dyn Iterator<Item = &Value>| match left {
            0 => 1,
            _ => 1 + items.map(|item| below(item, left - 1)).max().unwrap_or(0),
        };
        match value {
            Value::List(items) => deepest(&mut items.iter()),
            Value::Map(entries) => deepest(&mut entries.iter().map(|(_, value)| value)),
            _ => 0,
        }
    }
    below(value, DEPTH_MAX)
}

/// Bytes that are no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored value of {length} bytes is damaged at byte {at}: {what}")]
pub(crate) struct Damage {
    length: usize,
    at: usize,
    what: &'static str,
}

/// The value that was stored.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Value, Damage> {
    let mut reader = Reader { bytes, at: 0, nan: Nan::One };
    if reader.byte()? != VERSION {
        return Err(Damage { at: 0, ..reader.damage("its version is not known") });
    }
    let value = reader.value(DEPTH_MAX)?;
    if reader.at != bytes.len() {
        return Err(reader.damage("there is more than the value"));
    }
    Ok(value)
}

/// The value that [`encode_exact`] has put in front, and the bytes behind it.
pub(crate) fn decode_exact(bytes: &[u8]) -> Result<(Value, &[u8]), Damage> {
    let mut reader = Reader { bytes, at: 0, nan: Nan::AsItIs };
    let value = reader.value(DEPTH_MAX)?;
    Ok((value, &bytes[reader.at..]))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nan: Nan,
}

impl<'a> Reader<'a> {
    fn damage(&self, what: &'static str) -> Damage {
        Damage { length: self.bytes.len(), at: self.at, what }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Damage> {
        match self.byte()? {
            0 => Ok(Value::Null),
            1 => match self.byte()? {
                0 => Ok(Value::Bool(false)),
                1 => Ok(Value::Bool(true)),
                _ => Err(self.damage("a boolean is neither 0 nor 1")),
            },
            2 => Ok(Value::Int(i64::from_le_bytes(self.eight()?))),
            3 => self.float(),
            4 => Ok(Value::Timestamp(i64::from_le_bytes(self.eight()?))),
            5 => Ok(Value::Text(self.text()?)),
            6 => Ok(Value::Bytes(self.content()?.into())),
            7 | 8 if depth == 0 => Err(self.damage("lists and maps are too deep")),
            7 => {
                let items = self.count(1)?;
                let items: Result<Vec<Value>, Damage> = (0..items).map(|_| self.value(depth - 1)).collect();
                Ok(Value::List(items?.into()))
            }
            8 => {
                let entries = self.count(10)?;
                let entries: Result<Vec<_>, Damage> = (0..entries).map(|_| self.entry(depth - 1)).collect();
                Ok(Value::Map(entries?.into()))
            }
            _ => Err(self.damage("there is no such kind of value")),
        }
    }

    fn float(&mut self) -> Result<Value, Damage> {
        let bits = u64::from_le_bytes(self.eight()?);
        let value = f64::from_bits(bits);
        // Any other NaN would make equal keys with different bytes.
        match self.nan.bits(value) == bits {
            true => Ok(Value::Float(value)),
            false => Err(self.damage("a NaN is not the one NaN there is")),
        }
    }

    fn entry(&mut self, depth: usize) -> Result<(SmolStr, Value), Damage> {
        if self.byte()? != 5 {
            return Err(self.damage("the key of a map is not text"));
        }
        Ok((self.text()?, self.value(depth)?))
    }

    fn text(&mut self) -> Result<SmolStr, Damage> {
        let content = self.content()?;
        std::str::from_utf8(content).map(SmolStr::new).map_err(|_| self.damage("text is not UTF-8"))
    }

    fn content(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.count(1)?;
        let content = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(content)
    }

    /// A number of things that have at least `each` bytes: no more than there is room for.
    fn count(&mut self, each: usize) -> Result<usize, Damage> {
        let count = u64::from_le_bytes(self.eight()?);
        let room = (self.bytes.len() - self.at) / each;
        match usize::try_from(count) {
            Ok(count) if count <= room => Ok(count),
            _ => Err(self.damage("it ends too early")),
        }
    }

    fn eight(&mut self) -> Result<[u8; 8], Damage> {
        let Some((eight, _)) = self.bytes[self.at..].split_first_chunk() else {
            return Err(self.damage("it ends too early"));
        };
        self.at += 8;
        Ok(*eight)
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        let byte = self.bytes.get(self.at).copied().ok_or_else(|| self.damage("it ends too early"))?;
        self.at += 1;
        Ok(byte)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::anchor::EdgeIds;

    /// Any value, from a random sequence.
    pub(crate) fn any_value(random: &mut EdgeIds, depth: usize) -> Value {
        let some = random.next();
        let small = (random.next() % 40) as usize;
        let text = |random: &mut EdgeIds| -> SmolStr {
            (0..small).map(|_| char::from_u32((random.next() % 0x3000) as u32).unwrap_or('x')).collect()
        };
        match some % if depth == 0 { 8 } else { 10 } {
            0 => Value::Null,
            1 => Value::Bool(some & 16 == 0),
            2 => Value::Int(random.next() as i64),
            3 => Value::Float(f64::from_bits(random.next())),
            4 => Value::Float([0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY][small % 5]),
            5 => Value::Timestamp(random.next() as i64),
            6 => Value::Text(text(random)),
            7 => Value::from((0..small).map(|_| random.next() as u8).collect::<Vec<u8>>()),
            8 => (0..small % 5).map(|_| any_value(random, depth - 1)).collect::<Vec<_>>().into(),
            _ => Value::Map((0..small % 5).map(|_| (text(random), any_value(random, depth - 1))).collect()),
        }
    }

    #[test]
    fn every_value_comes_back() {
        for seed in 0..20_000 {
            let value = any_value(&mut EdgeIds::new(seed), 4);
            assert_eq!(from_bytes(&to_bytes(&value)), Ok(value), "seed {seed}");
        }
    }

    #[test]
    fn every_value_comes_back_exactly_from_among_others() {
        for seed in 0..5_000 {
            let (mut random, mut bytes) = (EdgeIds::new(seed), Vec::new());
            let values = [any_value(&mut random, 4), any_value(&mut random, 4)];
            values.iter().for_each(|value| encode_exact(value, &mut bytes));
            let (first, rest) = decode_exact(&bytes).unwrap();
            let (second, rest) = decode_exact(rest).unwrap();
            assert_eq!(([first, second], rest), (values, &[][..]), "seed {seed}");
        }
    }

    #[test]
    fn equal_values_have_equal_bytes() {
        assert_eq!(to_bytes(&Value::Float(f64::NAN)), to_bytes(&Value::Float(-f64::NAN)));
        assert_ne!(to_bytes(&Value::Float(0.0)), to_bytes(&Value::Float(-0.0)));
        assert_ne!(to_bytes(&Value::Int(1)), to_bytes(&Value::Timestamp(1)));
    }

    /// Written by hand from the description above.
    #[test]
    fn the_bytes_are_fixed_for_all_versions() {
        assert_eq!(to_bytes(&Value::Int(258)), [1, 2, 2, 1, 0, 0, 0, 0, 0, 0]);
        let map = Value::Map([("k".into(), vec![Value::Null, Value::Bool(true)].into())].into());
        let expected = [&[1, 8, 1, 0, 0, 0, 0, 0, 0, 0][..], &[5, 1, 0, 0, 0, 0, 0, 0, 0, b'k']];
        let expected = [&expected.concat()[..], &[7, 2, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 1]].concat();
        assert_eq!(to_bytes(&map), expected);
        assert_eq!(from_bytes(&expected), Ok(map));
    }

    #[test]
    fn every_cut_is_told() {
        for seed in 0..200 {
            let bytes = to_bytes(&any_value(&mut EdgeIds::new(seed), 3));
            (0..bytes.len()).for_each(|length| assert!(from_bytes(&bytes[..length]).is_err(), "seed {seed}, {length}"));
            assert!(from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "seed {seed}");
        }
    }

    /// Whatever bytes: they are told as damage, or are the bytes of the value they give.
    #[test]
    fn a_changed_byte_is_told_or_makes_another_value() {
        let mut random = EdgeIds::new(1);
        for seed in 0..5_000 {
            let mut bytes = to_bytes(&any_value(&mut EdgeIds::new(seed), 3));
            let place = (random.next() % bytes.len() as u64) as usize;
            bytes[place] ^= (random.next() % 255) as u8 + 1;
            if let Ok(value) = from_bytes(&bytes) {
                assert_eq!(to_bytes(&value), bytes, "seed {seed}");
            }
        }
    }

    #[test]
    fn what_is_too_deep_is_told() {
        let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::from(vec![value]));
        assert_eq!(depth(&nested(3)), 3);
        assert_eq!(from_bytes(&to_bytes(&nested(DEPTH_MAX))), Ok(nested(DEPTH_MAX)));
        assert!(depth(&nested(DEPTH_MAX + 1)) > DEPTH_MAX);
        let mut bytes = vec![VERSION];
        (0..100_000).for_each(|_| bytes.extend_from_slice(&[7, 1, 0, 0, 0, 0, 0, 0, 0]));
        bytes.push(0);
        assert!(from_bytes(&bytes).unwrap_err().to_string().contains("too deep"));
        assert!(decode_exact(&bytes[1..]).unwrap_err().to_string().contains("too deep"));
    }
}
