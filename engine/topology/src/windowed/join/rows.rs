//! The join of rows: pure, over rows that stay where they are.
//!
//! Invariants:
//! - A joined row has a part per stream joined so far; a part that is missing is `None`.
//! - Joined rows come in the order of the left rows, for each in that of the right rows it matches, and last the right rows that match none.

use std::collections::HashMap;

use crate::Value;

/// Which rows without a match are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

impl Kind {
    fn keeps_left(self) -> bool {
        matches!(self, Kind::Left | Kind::Full)
    }

    fn keeps_right(self) -> bool {
        matches!(self, Kind::Right | Kind::Full)
    }
}

/// A row of each side, by number; `None`: there is no match on that side.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// Joins rows by their keys: a hash table of the right side is probed with the left side. Null keys match nothing.
pub(super) fn pairs(kind: Kind, left: &[&Value], right: &[&Value]) -> Vec<Pair> {
    let mut by_key: HashMap<&Value, Vec<usize>> = HashMap::new();
    for (row, key) in right.iter().enumerate().filter(|(_, key)| !key.is_null()) {
        by_key.entry(key).or_default().push(row);
    }
    let mut matched = vec![false; right.len()];
    let mut pairs = Vec::new();
    for (row, key) in left.iter().enumerate() {
        match by_key.get(key) {
            Some(matches) => matches.iter().for_each(|&other| {
                matched[other] = true;
                pairs.push((Some(row), Some(other)));
            }),
            None if kind.keeps_left() => pairs.push((Some(row), None)),
            None => {}
        }
    }
    if kind.keeps_right() {
        let unmatched = (0..right.len()).filter(|&row| !matched[row]);
        pairs.extend(unmatched.map(|row| (None, Some(row))));
    }
    pairs
}

/// Rows joined so far, one after the other in one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined<'a> {
    /// Streams joined so far: parts per row. At least 1.
    width: usize,
    parts: Vec<Option<&'a [Value]>>,
}

impl<'a> Joined<'a> {
    /// The rows of one stream.
    pub fn new(rows: &[&'a [Value]]) -> Joined<'a> {
        Joined { width: 1, parts: rows.iter().copied().map(Some).collect() }
    }

    /// The rows: a part per stream.
    pub fn iter(&self) -> impl Iterator<Item = &[Option<&'a [Value]>]> {
        self.parts.chunks_exact(self.width)
    }

    /// With the rows of another stream, put together as `pairs` says.
    pub fn with(&self, right: &[&'a [Value]], pairs: &[Pair]) -> Joined<'a> {
        let mut parts = Vec::with_capacity(pairs.len() * (self.width + 1));
        for (left, other) in pairs {
            match left {
                Some(row) => parts.extend_from_slice(&self.parts[row * self.width..(row + 1) * self.width]),
                None => parts.extend(std::iter::repeat_n(None, self.width)),
            }
            parts.push(other.map(|row| right[row]));
        }
        Joined { width: self.width + 1, parts }
    }
}
