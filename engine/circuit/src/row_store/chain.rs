//! `Chains`: for each key id, the list of row positions that have this key.
//!
//! Lists are threaded through plain vectors: a head per key, a next per row, and a previous per row when rows can leave.
//! Newest first; the order means nothing.

/// The end of a list.
const END: u32 = u32::MAX;
/// In `previous`: the row is in no list.
const UNLINKED: u32 = u32::MAX - 1;

/// Lists of row positions by key id.
#[derive(Debug)]
pub(super) struct Chains {
    heads: Vec<u32>,
    next: Vec<u32>,
    /// Kept only when rows can leave.
    previous: Option<Vec<u32>>,
}

impl Chains {
    /// Lists that only grow.
    pub(super) fn growing() -> Chains {
        Chains { heads: Vec::new(), next: Vec::new(), previous: None }
    }

    /// Lists whose rows can leave.
    pub(super) fn removable() -> Chains {
        Chains { heads: Vec::new(), next: Vec::new(), previous: Some(Vec::new()) }
    }

    /// Puts rows `first`, `first + 1`, ... into the lists of these keys. Only for lists that grow.
    pub(super) fn append(&mut self, first: u32, keys: &[u32]) {
        self.grow_heads(keys.iter().copied().max());
        self.next.reserve(keys.len());
        for (row, &key) in keys.iter().enumerate() {
            let head = &mut self.heads[key as usize];
            self.next.push(*head);
            *head = first + row as u32;
        }
    }

    /// Puts a row into the list of a key, unless it is in it. Only for lists whose rows can leave.
    pub(super) fn link(&mut self, key: u32, position: u32) {
        self.grow_heads(Some(key));
        let place = position as usize;
        let Some(previous) = &mut self.previous else { return };
        if place >= previous.len() {
            previous.resize(place + 1, UNLINKED);
            self.next.resize(place + 1, END);
        }
        if previous[place] != UNLINKED {
            return;
        }
        let head = std::mem::replace(&mut self.heads[key as usize], position);
        self.next[place] = head;
        previous[place] = END;
        if head != END {
            previous[head as usize] = position;
        }
    }

    /// Takes a row out of the list of its key. Whether it was in it.
    pub(super) fn unlink(&mut self, key: u32, position: u32) -> bool {
        let place = position as usize;
        let Some(previous) = &mut self.previous else { return false };
        let before = std::mem::replace(&mut previous[place], UNLINKED);
        if before == UNLINKED {
            return false;
        }
        let after = std::mem::replace(&mut self.next[place], END);
        if after != END {
            previous[after as usize] = before;
        }
        if before == END {
            self.heads[key as usize] = after;
        } else {
            self.next[before as usize] = after;
        }
        true
    }

    /// Whether a row that can leave is in a list.
    pub(super) fn is_linked(&self, position: u32) -> bool {
        let previous = self.previous.as_ref().and_then(|previous| previous.get(position as usize));
        previous.is_some_and(|&before| before != UNLINKED)
    }

    /// The rows of a key.
    pub(super) fn positions(&self, key: u32) -> Positions<'_> {
        let at = self.heads.get(key as usize).copied().unwrap_or(END);
        Positions { next: &self.next, at }
    }

    pub(super) fn memory(&self) -> usize {
        let previous = self.previous.as_ref().map_or(0, Vec::capacity);
        4 * (self.heads.capacity() + self.next.capacity() + previous)
    }

    fn grow_heads(&mut self, key: Option<u32>) {
        if let Some(key) = key
            && key as usize >= self.heads.len()
        {
            self.heads.resize(key as usize + 1, END);
        }
    }
}

/// The positions of the rows of one key.
#[derive(Debug, Clone)]
pub struct Positions<'a> {
    next: &'a [u32],
    at: u32,
}

impl Iterator for Positions<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.at == END {
            return None;
        }
        let position = self.at;
        self.at = self.next[position as usize];
        Some(position)
    }
}
