//! `BestRows`: the few best rows of each partition, when rows are only added.
//!
//! A row that isn't among the best now never will be, so only the best are kept: `keep` slots per partition in one flat vector,
//! best first. A row that doesn't beat the last slot costs one comparison of order keys. Rows are compared as they arrive
//! and copied only at the end of the batch, when they have stayed. The kept rows are Arrow blocks, and a slot
//! is a row's position; blocks are rewritten when most of their rows have been pushed out.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::arrival::Arrival;
use super::change::{Change, Window};
use super::tie::{Place, Ties};
use crate::row_store::Blocks;
use crate::{Error, Result, WeightedBatch};

/// A slot without a row.
const EMPTY: u32 = u32::MAX;
/// Marks a slot whose row is one of the delta at work, not yet kept.
const ARRIVED: u32 = 1 << 31;
/// Rows pushed out before blocks are rewritten.
const DEAD_ROWS_MIN: usize = 1 << 16;
/// Rows copied at once when blocks are rewritten.
const REWRITE_ROWS: usize = 1 << 16;
/// No more rows than this per partition: slots are searched one after the other.
pub(super) const KEEP_MAX: usize = 32;

/// The best rows of each partition.
pub(super) struct BestRows {
    window: Window,
    /// Slots per partition.
    keep: usize,
    slots: Vec<u32>,
    /// Whether a partition has changed in the batch at work.
    is_touched: Vec<bool>,
    rows: Blocks,
    keys: OrderKeys,
    dead: usize,
    ties: Ties,
}

/// Order keys of the kept rows, by position.
#[derive(Debug, Default)]
struct OrderKeys {
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// Partitions changed by the batch at work, with their slots from before it.
#[derive(Debug, Default)]
struct Touched {
    partitions: Vec<u32>,
    slots: Vec<u32>,
}

/// Positions of rows that enter or leave, with their ranks.
#[derive(Debug, Default)]
struct Moved {
    positions: Vec<u32>,
    ranks: Vec<u64>,
}

impl Moved {
    fn push(&mut self, position: u32, rank: usize) {
        self.positions.push(position);
        self.ranks.push(rank as u64);
    }
}

impl OrderKeys {
    fn get(&self, position: u32) -> &[u8] {
        let place = position as usize;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.bytes[start..self.ends[place]]
    }

    fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }
}

impl BestRows {
    /// `window.end` must be in `1..=KEEP_MAX`.
    pub(super) fn new(window: Window, schema: SchemaRef) -> Result<BestRows> {
        Ok(BestRows {
            keep: window.end,
            window,
            slots: Vec::new(),
            is_touched: Vec::new(),
            ties: Ties::new(&schema)?,
            rows: Blocks::new(schema),
            keys: OrderKeys::default(),
            dead: 0,
        })
    }

    /// Adds rows; all weights are positive. `partitions` is the number of partitions there are.
    pub(super) fn add(&mut self, arrival: &Arrival, partitions: usize) -> Result<Change> {
        self.slots.resize(partitions * self.keep, EMPTY);
        self.is_touched.resize(partitions, false);
        let mut touched = Touched::default();
        for row in 0..arrival.len() {
            for _ in 0..arrival.weights[row].min(self.keep as i64) {
                if !self.offer(row as u32, arrival, &mut touched)? {
                    break;
                }
            }
        }
        self.ties.end_batch();
        let change = self.settle(arrival, &touched)?;
        self.rewrite_sparse()?;
        Ok(change)
    }

    /// Puts a row into its partition's slots if it belongs there. Whether it did.
    fn offer(&mut self, row: u32, arrival: &Arrival, touched: &mut Touched) -> Result<bool> {
        let partition = arrival.partitions[row as usize] as usize;
        let first = partition * self.keep;
        let mut place = first + self.keep;
        while place > first {
            let other = self.slots[place - 1];
            if other != EMPTY && !self.is_before(row, other, arrival)? {
                break;
            }
            place -= 1;
        }
        let end = first + self.keep;
        if place == end {
            return Ok(false);
        }
        if !self.is_touched[partition] {
            self.is_touched[partition] = true;
            touched.partitions.push(partition as u32);
            touched.slots.extend_from_slice(&self.slots[first..end]);
        }
        self.slots.copy_within(place..end - 1, place + 1);
        self.slots[place] = row | ARRIVED;
        Ok(true)
    }

    /// Whether an arrived row comes before the row of a slot.
    fn is_before(&mut self, row: u32, slot: u32, arrival: &Arrival) -> Result<bool> {
        let key = arrival.order_key(row as usize);
        let (other_key, other) = if slot & ARRIVED != 0 {
            let other = slot & !ARRIVED;
            if other == row {
                return Ok(false);
            }
            (arrival.order_key(other as usize), Place::Arrived(other))
        } else {
            (self.keys.get(slot), Place::Kept(slot))
        };
        match key.cmp(other_key) {
            std::cmp::Ordering::Less => Ok(true),
            std::cmp::Ordering::Greater => Ok(false),
            std::cmp::Ordering::Equal => self.ties.is_before(row, other, &arrival.rows, &self.rows),
        }
    }

    /// Keeps the rows that stayed, and finds what changed.
    fn settle(&mut self, arrival: &Arrival, touched: &Touched) -> Result<Change> {
        let first_new = self.rows.len() as u32;
        let mut stayed = Vec::new();
        for &partition in &touched.partitions {
            let first = partition as usize * self.keep;
            self.is_touched[partition as usize] = false;
            for slot in &mut self.slots[first..first + self.keep] {
                if *slot != EMPTY && *slot & ARRIVED != 0 {
                    let row = *slot & !ARRIVED;
                    self.keys.push(arrival.order_key(row as usize));
                    *slot = first_new + stayed.len() as u32;
                    stayed.push(row);
                }
            }
        }
        if self.rows.len() + stayed.len() >= ARRIVED as usize {
            return Err(Error::Bug { operator: "top-n".into(), reason: "more than 2^31 rows kept in one task".into() });
        }
        let added = arrival.rows.gather(&stayed)?;
        self.rows.push(added.clone())?;
        self.change(touched, first_new, added)
    }

    fn change(&mut self, touched: &Touched, first_new: u32, added: RecordBatch) -> Result<Change> {
        let (mut retracted, mut inserted, mut evicted) = (Moved::default(), Moved::default(), Moved::default());
        for (&partition, old) in touched.partitions.iter().zip(touched.slots.chunks(self.keep)) {
            let first = partition as usize * self.keep;
            let new = &self.slots[first..first + self.keep];
            old.iter().filter(|slot| **slot != EMPTY && !new.contains(slot)).for_each(|&slot| evicted.push(slot, 0));
            self.diff(old, new, &mut retracted);
            self.diff(new, old, &mut inserted);
        }
        self.dead += evicted.positions.len();
        let mut change = Change::default();
        if self.window.is_all_kept() {
            // Everything kept is emitted as it is, and the other way round.
            let gone = WeightedBatch::constant(self.rows.gather(&evicted.positions)?, -1);
            let added = WeightedBatch::inserted(added);
            for (batch, ranks) in [(gone, &evicted.ranks), (added, &inserted.ranks)] {
                change.emitted.push(self.window.output(batch.clone(), ranks)?);
                change.kept.push(batch);
            }
            return Ok(change);
        }
        change.kept.push(WeightedBatch::constant(self.rows.gather(&evicted.positions)?, -1));
        let gone = WeightedBatch::constant(self.rows.gather(&retracted.positions)?, -1);
        change.emitted.push(self.window.output(gone, &retracted.ranks)?);
        let all_new = inserted.positions.iter().copied().eq(first_new..self.rows.len() as u32);
        let rows = if all_new { added.clone() } else { self.rows.gather(&inserted.positions)? };
        change.emitted.push(self.window.output(WeightedBatch::inserted(rows), &inserted.ranks)?);
        change.kept.push(WeightedBatch::inserted(added));
        Ok(change)
    }

    /// The rows yielded by `slots` and not, or not with the same rank, by `others`.
    fn diff(&self, slots: &[u32], others: &[u32], moved: &mut Moved) {
        let window = self.window.offset..self.keep;
        for rank in window.clone() {
            let slot = slots[rank];
            let stays =
                if self.window.with_rank { others[rank] == slot } else { others[window.clone()].contains(&slot) };
            if slot != EMPTY && !stays {
                moved.push(slot, rank);
            }
        }
    }

    /// Rewrites the blocks if most of their rows are dead.
    fn rewrite_sparse(&mut self) -> Result<()> {
        if self.dead > DEAD_ROWS_MIN && self.dead > self.rows.len() / 2 { self.rewrite() } else { Ok(()) }
    }

    /// Copies the live rows into new blocks, partition by partition.
    fn rewrite(&mut self) -> Result<()> {
        let mut rows = Blocks::new(self.rows.schema().clone());
        let mut keys = OrderKeys::default();
        let mut live: Vec<u32> = Vec::with_capacity(REWRITE_ROWS);
        for (moved, slot) in self.slots.iter_mut().filter(|slot| **slot != EMPTY).enumerate() {
            live.push(*slot);
            keys.push(self.keys.get(*slot));
            *slot = moved as u32;
            if live.len() == REWRITE_ROWS {
                rows.push(self.rows.gather(&live)?)?;
                live.clear();
            }
        }
        rows.push(self.rows.gather(&live)?)?;
        (self.rows, self.keys, self.dead) = (rows, keys, 0);
        self.ties.forget_kept();
        Ok(())
    }

    /// Whether no row of a partition is kept.
    pub(super) fn is_without(&self, partition: u32) -> bool {
        self.slots.get(partition as usize * self.keep).is_none_or(|&first| first == EMPTY)
    }

    /// Drops the rows of partitions. Gives them, with their weights negated.
    pub(super) fn forget(&mut self, partitions: &[u32]) -> Result<WeightedBatch> {
        let mut gone = Vec::new();
        for &partition in partitions {
            let first = partition as usize * self.keep;
            let slots = self.slots[first..first + self.keep].iter_mut();
            gone.extend(slots.map(|slot| std::mem::replace(slot, EMPTY)).filter(|&slot| slot != EMPTY));
        }
        self.dead += gone.len();
        let gone = WeightedBatch::constant(self.rows.gather(&gone)?, -1);
        self.rewrite_sparse()?;
        Ok(gone)
    }

    pub(super) fn memory(&self) -> usize {
        let keys = 8 * self.keys.ends.capacity() + self.keys.bytes.capacity();
        self.rows.memory() + keys + 4 * self.slots.capacity() + self.is_touched.capacity()
    }
}
