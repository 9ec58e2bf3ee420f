//! `GroupedSet`: per group, a multiset of values with one or more counts each.
//!
//! What DISTINCT aggregates, min/max under deletions, and aggregates without a mergeable state are kept in.
//! A value is present for a count while that count is positive. Entries whose counts are all zero are removed at the
//! end of the step, after their change has been written down.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, SchemaRef};

use crate::Result;
use crate::key_index::{KeyIndex, NO_ID};

/// Values per group, with counts.
pub(crate) struct GroupedSet {
    index: KeyIndex,
    counts_per_entry: usize,
    counts: Vec<i64>,
    owner: Vec<u32>,
    /// The entries of each group, when they have to be listed.
    members: Option<Vec<Vec<u32>>>,
    changed: Changed,
}

/// Entries touched in this step and their counts before it.
#[derive(Default)]
struct Changed {
    entries: Vec<u32>,
    before: Vec<i64>,
    marked: Vec<bool>,
}

/// Whether the entries of a group can be listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    ByGroup,
    None,
}

impl GroupedSet {
    /// An empty set of rows of `types`, with `counts_per_entry` counts each.
    pub fn new(types: &[DataType], counts_per_entry: usize, listing: Listing) -> Result<GroupedSet> {
        let mut key_types = vec![DataType::UInt32];
        key_types.extend_from_slice(types);
        Ok(GroupedSet {
            index: KeyIndex::new(&key_types)?,
            counts_per_entry,
            counts: Vec::new(),
            owner: Vec::new(),
            members: (listing == Listing::ByGroup).then(Vec::new),
            changed: Changed::default(),
        })
    }

    /// Finds or makes the entry of each row. Rows of `groups` and `values` correspond.
    pub fn entries(&mut self, groups: &[u32], values: &[ArrayRef]) -> Result<Vec<u32>> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(groups.to_vec()))];
        columns.extend_from_slice(values);
        let mut entries = Vec::new();
        self.index.intern(&columns, groups.len(), &mut entries)?;
        self.grow();
        for (&entry, &group) in entries.iter().zip(groups) {
            if self.owner[entry as usize] == NO_ID {
                self.adopt(entry, group);
            }
        }
        Ok(entries)
    }

    fn grow(&mut self) {
        let capacity = self.index.capacity();
        self.counts.resize(capacity * self.counts_per_entry, 0);
        self.owner.resize(capacity, NO_ID);
        self.changed.marked.resize(capacity, false);
    }

    fn adopt(&mut self, entry: u32, group: u32) {
        self.owner[entry as usize] = group;
        if let Some(members) = &mut self.members {
            if group as usize >= members.len() {
                members.resize(group as usize + 1, Vec::new());
            }
            members[group as usize].push(entry);
        }
    }

    /// Adds to a count of an entry: +1 when that made the value present, -1 when it made it absent, else 0.
    pub fn add(&mut self, entry: u32, count: usize, weight: i64) -> i64 {
        self.note(entry);
        let place = entry as usize * self.counts_per_entry + count;
        let old = self.counts[place];
        let new = old + weight;
        self.counts[place] = new;
        i64::from(new > 0) - i64::from(old > 0)
    }

    /// A count of an entry.
    pub fn count(&self, entry: u32, count: usize) -> i64 {
        self.counts[entry as usize * self.counts_per_entry + count]
    }

    /// The listed entries of a group, present or not.
    pub fn members(&self, group: u32) -> &[u32] {
        self.members.as_ref().and_then(|members| members.get(group as usize)).map_or(&[], Vec::as_slice)
    }

    /// The value columns of these entries.
    pub fn values(&self, entries: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(self.index.columns(entries)?.split_off(1))
    }

    /// Some order of two entries of a group that depends on nothing but their values.
    pub fn compare(&self, a: u32, b: u32) -> std::cmp::Ordering {
        self.index.compare(a, b)
    }

    /// Takes every listed value of a group away.
    pub fn purge(&mut self, group: u32) {
        for entry in self.members(group).to_vec() {
            for count in 0..self.counts_per_entry {
                let present = self.count(entry, count);
                self.add(entry, count, -present);
            }
        }
    }

    fn note(&mut self, entry: u32) {
        if !self.changed.marked[entry as usize] {
            self.changed.marked[entry as usize] = true;
            self.changed.entries.push(entry);
            let start = entry as usize * self.counts_per_entry;
            self.changed.before.extend_from_slice(&self.counts[start..start + self.counts_per_entry]);
        }
    }

    /// What changed since the last call, as a chunk: the group's key columns, the values, the change of each count.
    pub fn changes(&self, groups: &KeyIndex, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        let width = self.counts_per_entry;
        let mut entries = Vec::new();
        let mut differences: Vec<Vec<i64>> = vec![Vec::new(); width];
        for (place, &entry) in self.changed.entries.iter().enumerate() {
            let start = entry as usize * width;
            let (now, before) =
                (&self.counts[start..start + width], &self.changed.before[place * width..(place + 1) * width]);
            if now != before {
                entries.push(entry);
                for count in 0..width {
                    differences[count].push(now[count] - before[count]);
                }
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let owners: Vec<u32> = entries.iter().map(|&entry| self.owner[entry as usize]).collect();
        let mut columns = if groups.capacity() == 0 { Vec::new() } else { groups.columns(&owners)? };
        columns.extend(self.values(&entries)?);
        columns.extend(differences.into_iter().map(|column| Arc::new(Int64Array::from(column)) as ArrayRef));
        Ok(Some(RecordBatch::try_new(schema.clone(), columns)?))
    }

    /// Ends the step: removes entries that are gone. Call after [`GroupedSet::changes`].
    pub fn end_step(&mut self) {
        let entries = std::mem::take(&mut self.changed.entries);
        self.changed.before.clear();
        let mut thinned: Vec<u32> = Vec::new();
        for entry in entries {
            self.changed.marked[entry as usize] = false;
            let start = entry as usize * self.counts_per_entry;
            if self.counts[start..start + self.counts_per_entry].iter().all(|&count| count == 0) {
                thinned.push(self.owner[entry as usize]);
                self.owner[entry as usize] = NO_ID;
                self.index.remove(entry);
            }
        }
        if let Some(members) = &mut self.members {
            thinned.sort_unstable();
            thinned.dedup();
            for group in thinned {
                members[group as usize].retain(|&entry| self.owner[entry as usize] == group);
            }
        }
    }

    /// Restores rows of a chunk. Call [`GroupedSet::end_step`] when all are loaded.
    pub fn load(&mut self, groups: &[u32], values: &[ArrayRef], counts: &[ArrayRef]) -> Result<Vec<u32>> {
        let entries = self.entries(groups, values)?;
        for (place, count) in counts.iter().enumerate() {
            let weights: &Int64Array = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(count);
            for (row, &entry) in entries.iter().enumerate() {
                self.add(entry, place, weights.value(row));
            }
        }
        Ok(entries)
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        let listed = self.members.as_ref().map_or(0, |members| members.capacity() * 24 + self.owner.len() * 4);
        self.index.memory() + self.counts.capacity() * 8 + self.owner.capacity() * 5 + listed
    }
}
