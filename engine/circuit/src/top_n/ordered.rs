//! `OrderedRows`: all rows of each partition in order; or, when rows are only added, the first of them.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};

use super::arrival::Arrival;
use super::change::{Change, Window};
use crate::row_store::{batch_of, some_if_not_ones};
use crate::{Result, WeightedBatch};

/// Bytes a row costs beside its encoding.
const ROW_OVERHEAD_BYTES: usize = 64;

/// The ordered rows of each partition.
pub(super) struct OrderedRows {
    window: Window,
    schema: SchemaRef,
    /// Whether rows beyond the window's end are dropped.
    is_bounded: bool,
    partitions: Vec<BTreeMap<Key, Slot>>,
    /// Encodes whole rows. `None` when there are no columns.
    converter: Option<RowConverter>,
    bytes: usize,
}

/// Order key, then the encoding of the whole row.
type Key = Arc<[u8]>;

#[derive(Debug, Clone, Copy)]
struct Slot {
    weight: i64,
    /// Where the row's encoding starts.
    row_start: u32,
}

/// A row of a partition's first ranks.
#[derive(Debug, Clone)]
struct Ranked {
    key: Key,
    row_start: u32,
    first: u64,
    copies: u64,
}

/// Rows to be decoded, with weights and ranks.
#[derive(Debug, Default)]
struct Moved {
    rows: Vec<(Key, u32)>,
    weights: Vec<i64>,
    ranks: Vec<u64>,
}

impl Moved {
    fn push(&mut self, ranked: &Ranked, weight: i64, rank: u64) {
        self.rows.push((Arc::clone(&ranked.key), ranked.row_start));
        self.weights.push(weight);
        self.ranks.push(rank);
    }
}

impl OrderedRows {
    pub(super) fn new(window: Window, schema: SchemaRef, is_bounded: bool) -> Result<OrderedRows> {
        let fields: Vec<_> = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = if fields.is_empty() { None } else { Some(RowConverter::new(fields)?) };
        Ok(OrderedRows { window, schema, is_bounded, partitions: Vec::new(), converter, bytes: 0 })
    }

    /// Adds the weights of rows. `partitions` is the number of partitions there are. Partitions left without rows are
    /// added to `empty`.
    pub(super) fn add(&mut self, arrival: &Arrival, partitions: usize, empty: &mut Vec<u32>) -> Result<Change> {
        self.partitions.resize_with(partitions.max(self.partitions.len()), BTreeMap::new);
        let candidates = self.candidates(arrival);
        let rows = arrival.rows.gather(&candidates)?;
        let encoded = self.converter.as_ref().map(|converter| converter.convert_columns(rows.columns())).transpose()?;
        let mut touched: Vec<(u32, Vec<Ranked>)> = Vec::new();
        let mut seen: HashSet<u32, ahash::RandomState> = HashSet::default();
        let mut key = Vec::new();
        for (place, &row) in candidates.iter().enumerate() {
            let row = row as usize;
            let partition = arrival.partitions[row];
            if seen.insert(partition) {
                touched.push((partition, self.first_ranks(partition)));
            }
            key.clear();
            key.extend_from_slice(arrival.order_key(row));
            let row_start = key.len() as u32;
            if let Some(encoded) = &encoded {
                key.extend_from_slice(encoded.row(place).data());
            }
            self.add_row(partition, &key, row_start, arrival.weights[row]);
        }
        let change = self.change(&touched)?;
        let is_empty = |&partition: &u32| self.partitions[partition as usize].is_empty();
        empty.extend(touched.iter().map(|(partition, _)| *partition).filter(is_empty));
        Ok(change)
    }

    /// The rows that aren't certain to be dropped.
    fn candidates(&self, arrival: &Arrival) -> Vec<u32> {
        let all = 0..arrival.len() as u32;
        if !self.is_bounded {
            return all.collect();
        }
        all.filter(|&row| {
            let ordered = &self.partitions[arrival.partitions[row as usize] as usize];
            // Fewer distinct rows than the bound: duplicates may fill it, but then the row is dropped later.
            let may_enter =
                |(last, slot): (&Key, &Slot)| arrival.order_key(row as usize) <= &last[..slot.row_start as usize];
            ordered.len() < self.window.end || ordered.last_key_value().is_none_or(may_enter)
        })
        .collect()
    }

    fn add_row(&mut self, partition: u32, key: &[u8], row_start: u32, weight: i64) {
        let ordered = &mut self.partitions[partition as usize];
        match ordered.get_mut(key) {
            Some(slot) => {
                slot.weight += weight;
                if slot.weight == 0 {
                    ordered.remove(key);
                    self.bytes -= key.len() + ROW_OVERHEAD_BYTES;
                }
            }
            None if weight != 0 => {
                ordered.insert(Arc::from(key), Slot { weight, row_start });
                self.bytes += key.len() + ROW_OVERHEAD_BYTES;
            }
            None => {}
        }
    }

    /// The rows of a partition up to the window's end.
    fn first_ranks(&self, partition: u32) -> Vec<Ranked> {
        let end = self.window.end as u64;
        let mut ranked = Vec::new();
        let mut first = 0;
        for (key, slot) in self.partitions[partition as usize].iter().filter(|(_, slot)| slot.weight > 0) {
            if first >= end {
                break;
            }
            let copies = (slot.weight as u64).min(end - first);
            ranked.push(Ranked { key: Arc::clone(key), row_start: slot.row_start, first, copies });
            first += copies;
        }
        ranked
    }

    fn change(&mut self, touched: &[(u32, Vec<Ranked>)]) -> Result<Change> {
        let (mut emitted, mut kept) = (Moved::default(), Moved::default());
        for (partition, old) in touched {
            if self.is_bounded {
                self.cut(*partition);
            }
            let new = self.first_ranks(*partition);
            merge(old, &new, |old, new| {
                self.window.diff(old, new, &mut emitted);
                if self.is_bounded {
                    kept_diff(old, new, &mut kept);
                }
            });
        }
        let mut change = Change::default();
        let batch = self.decode(&emitted)?;
        change.emitted.push(self.window.output(batch, &emitted.ranks)?);
        if self.is_bounded {
            change.kept.push(self.decode(&kept)?);
        }
        Ok(change)
    }

    /// Drops the rows beyond the window's end.
    fn cut(&mut self, partition: u32) {
        let ordered = &mut self.partitions[partition as usize];
        let mut total: i64 = ordered.values().map(|slot| slot.weight).sum();
        // Without a limit the window ends at usize::MAX.
        let end = i64::try_from(self.window.end).unwrap_or(i64::MAX);
        while total > end
            && let Some(mut last) = ordered.last_entry()
        {
            let excess = total - end;
            if last.get().weight > excess {
                last.get_mut().weight -= excess;
                return;
            }
            total -= last.get().weight;
            self.bytes -= last.key().len() + ROW_OVERHEAD_BYTES;
            last.remove();
        }
    }

    /// Whether no row of a partition is kept.
    pub(super) fn is_without(&self, partition: u32) -> bool {
        self.partitions.get(partition as usize).is_none_or(BTreeMap::is_empty)
    }

    /// Drops the rows of partitions. Gives them, with their weights negated.
    pub(super) fn forget(&mut self, partitions: &[u32]) -> Result<WeightedBatch> {
        let mut gone = Moved::default();
        for &partition in partitions {
            for (key, slot) in std::mem::take(&mut self.partitions[partition as usize]) {
                self.bytes -= key.len() + ROW_OVERHEAD_BYTES;
                gone.rows.push((key, slot.row_start));
                gone.weights.push(-slot.weight);
            }
        }
        self.decode(&gone)
    }

    fn decode(&self, moved: &Moved) -> Result<WeightedBatch> {
        let mut columns = Vec::new();
        if let Some(converter) = &self.converter {
            let parser = converter.parser();
            columns =
                converter.convert_rows(moved.rows.iter().map(|(key, start)| parser.parse(&key[*start as usize..])))?;
        }
        for (column, field) in columns.iter_mut().zip(self.schema.fields()) {
            // The row form forgets dictionaries.
            if column.data_type() != field.data_type() {
                *column = cast(column, field.data_type())?;
            }
        }
        let rows = batch_of(&self.schema, columns, moved.rows.len())?;
        Ok(WeightedBatch { rows, weights: some_if_not_ones(Int64Array::from(moved.weights.clone())) })
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes + self.partitions.capacity() * size_of::<BTreeMap<Key, Slot>>()
    }
}

impl Window {
    /// What changes in the output for a row that stood at some ranks before and stands at others now.
    fn diff(&self, old: Option<&Ranked>, new: Option<&Ranked>, moved: &mut Moved) {
        let (before, now) = (self.ranks(old), self.ranks(new));
        let Some(ranked) = old.or(new) else { return };
        if self.with_rank {
            before.clone().filter(|rank| !now.contains(rank)).for_each(|rank| moved.push(ranked, -1, rank));
            now.clone().filter(|rank| !before.contains(rank)).for_each(|rank| moved.push(ranked, 1, rank));
            return;
        }
        let difference = (now.end - now.start) as i64 - (before.end - before.start) as i64;
        if difference != 0 {
            moved.push(ranked, difference, 0);
        }
    }

    /// The ranks of a row that are yielded.
    fn ranks(&self, ranked: Option<&Ranked>) -> std::ops::Range<u64> {
        let Some(ranked) = ranked else { return 0..0 };
        let end = ranked.first + ranked.copies;
        ranked.first.max(self.offset as u64).min(end)..end
    }
}

fn kept_diff(old: Option<&Ranked>, new: Option<&Ranked>, moved: &mut Moved) {
    let copies = |ranked: Option<&Ranked>| ranked.map_or(0, |ranked| ranked.copies as i64);
    let difference = copies(new) - copies(old);
    if let Some(ranked) = old.or(new).filter(|_| difference != 0) {
        moved.push(ranked, difference, 0);
    }
}

/// Goes through two ordered lists, equal rows together.
fn merge<'a>(old: &'a [Ranked], new: &'a [Ranked], mut each: impl FnMut(Option<&'a Ranked>, Option<&'a Ranked>)) {
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.key.cmp(&new.key),
        };
        let old = if order.is_le() { olds.next() } else { None };
        let new = if order.is_ge() { news.next() } else { None };
        each(old, new);
    }
}
