//! Lists of tuples' ids: `[1, [3, 5], 9]` are 1, 3, 4, 5 and 9. Tuples of a batch have ids one after the other, so a list of any length is
//! mostly one range.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// Ids of one frame, at most.
pub const IDS_MAX: usize = 1 << 20;

/// Ids `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: i64,
    last: i64,
}

/// Ids in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids(Vec<Range>);

impl Ids {
    /// How many.
    pub fn len(&self) -> usize {
        // No range has more than `IDS_MAX`.
        self.0.iter().map(|range| (range.last - range.first + 1) as usize).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.0.iter().flat_map(|range| range.first..=range.last)
    }
}

impl FromIterator<i64> for Ids {
    fn from_iter<I: IntoIterator<Item = i64>>(ids: I) -> Ids {
        let mut ranges: Vec<Range> = Vec::new();
        for id in ids {
            match ranges.last_mut() {
                Some(range) if range.last.checked_add(1) == Some(id) => range.last = id,
                _ => ranges.push(Range { first: id, last: id }),
            }
        }
        Ids(ranges)
    }
}

impl Serialize for Ids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for range in &self.0 {
            match range.first == range.last {
                true => list.serialize_element(&range.first)?,
                false => list.serialize_element(&[range.first, range.last])?,
            }
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ids, D::Error> {
        let ids = Ids(Vec::deserialize(deserializer)?);
        match ids.len() {
            0..=IDS_MAX => Ok(ids),
            count => Err(D::Error::custom(format!("{count} ids, of at most {IDS_MAX}"))),
        }
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Range, D::Error> {
        deserializer.deserialize_any(RangeVisitor)
    }
}

struct RangeVisitor;

impl<'de> Visitor<'de> for RangeVisitor {
    type Value = Range;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id, or the first and the last of at most {IDS_MAX} ids")
    }

    fn visit_i64<E>(self, id: i64) -> Result<Range, E> {
        Ok(Range { first: id, last: id })
    }

    fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<Range, E> {
        let id = i64::try_from(id).map_err(|_| E::custom("an id of more than 63 bits"))?;
        self.visit_i64(id)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Range, A::Error> {
        let wrong = || A::Error::invalid_length(0, &self);
        let first: i64 = list.next_element()?.ok_or_else(wrong)?;
        let last: i64 = list.next_element()?.ok_or_else(wrong)?;
        let is_over = list.next_element::<i64>()?.is_none();
        match last.checked_sub(first) {
            Some(0..IDS_MAX_I64) if is_over => Ok(Range { first, last }),
            _ => Err(A::Error::custom(format!("[{first}, {last}] is no range of ids"))),
        }
    }
}

const IDS_MAX_I64: i64 = IDS_MAX as i64;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[i64], text: &str) {
        let list: Ids = ids.iter().copied().collect();
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
        let read: Ids = serde_json::from_str(text).unwrap();
        assert_eq!((read.len(), read.iter().collect::<Vec<_>>()), (ids.len(), ids.to_vec()));
    }

    #[test]
    fn runs_are_ranges() {
        check(&[], "[]");
        check(&[7], "[7]");
        check(&[1, 3, 4, 5, 9, 8, -1, 0], "[1,[3,5],9,8,[-1,0]]");
        check(&[i64::MAX, i64::MIN], "[9223372036854775807,-9223372036854775808]");
    }

    #[test]
    fn what_is_no_list_of_ids_is_refused() {
        let refused = |text: &str| serde_json::from_str::<Ids>(text).unwrap_err().to_string();
        for text in ["[[1]]", "[[1,2,3]]", "[\"1\"]", "[null]", "7", "[1.0]"] {
            refused(text);
        }
        assert!(refused("[[2,1]]").contains("no range of ids"));
        assert!(refused("[[0,9223372036854775807]]").contains("no range of ids"));
        assert!(refused("[[-9223372036854775808,9223372036854775807]]").contains("no range of ids"));
        assert!(refused("[18446744073709551615]").contains("more than 63 bits"));
        assert!(refused("[[1,1048576],7]").contains("1048577 ids, of at most 1048576"));
    }
}
