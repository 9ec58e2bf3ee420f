//! `Content`: the rows of a table or materialized view that one task owns, indexed by key.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use monsoon_circuit::{Delta, KeyIndex, NO_ID, RowStore, WeightedBatch, last_rows};

use crate::{Error, Result};

/// Rows of a relation owned by a task.
pub(crate) struct Content {
    store: RowStore,
    key: Vec<usize>,
    index: Option<KeyIndex>,
    scratch: Vec<u32>,
}

impl Content {
    /// `key` are the places of the columns that identify a row; without any, rows aren't indexed.
    pub fn new(schema: &SchemaRef, key: &[usize], append_only: bool) -> Result<Content> {
        let store =
            if append_only { RowStore::append_only(schema.clone()) } else { RowStore::general(schema.clone())? };
        let types: Vec<DataType> = key.iter().map(|&place| schema.field(place).data_type().clone()).collect();
        let index = if key.is_empty() { None } else { Some(KeyIndex::new(&types)?) };
        Ok(Content { store, key: key.to_vec(), index, scratch: Vec::new() })
    }

    fn key_columns(&self, batch: &WeightedBatch) -> Vec<ArrayRef> {
        self.key.iter().map(|&place| batch.rows.column(place).clone()).collect()
    }

    /// Adds weighted rows.
    pub fn apply(&mut self, batch: &WeightedBatch) -> Result<()> {
        let keys = self.put(batch)?;
        if batch.weights.is_some() {
            self.drop_empty_keys(keys);
        }
        Ok(())
    }

    /// Adds weighted rows, and answers their keys; a key that has no rows any more stays in the index.
    fn put(&mut self, batch: &WeightedBatch) -> Result<Vec<u32>> {
        let mut keys = Vec::new();
        let columns = self.key_columns(batch);
        match &mut self.index {
            None => keys.resize(batch.len(), 0),
            Some(index) => index.intern(&columns, batch.len(), &mut keys)?,
        }
        self.store.apply(&keys, batch, &mut self.scratch)?;
        Ok(keys)
    }

    fn drop_empty_keys(&mut self, mut keys: Vec<u32>) {
        let Some(index) = &mut self.index else { return };
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            if !self.store.has_key(key) {
                index.remove(key);
            }
        }
    }

    /// Writes to a table with a primary key: deletions (negative weights) take away the row with the key, insertions overwrite it, the
    /// last of a key wins. Deletions of one batch come before its insertions. Returns the difference made.
    pub fn upsert(&mut self, batch: &WeightedBatch) -> Result<Delta> {
        let (gone, come): (Vec<u32>, Vec<u32>) =
            (0..batch.len() as u32).partition(|&row| batch.weight(row as usize) < 0);
        let mut delta = Delta::empty();
        for (places, insert) in [(gone, false), (come, true)] {
            if places.is_empty() {
                continue;
            }
            let rows = take_record_batch(&batch.rows, &UInt32Array::from(places)).map_err(Error::bug)?;
            delta.extend(self.replace(WeightedBatch::inserted(rows), insert)?);
        }
        Ok(delta)
    }

    fn replace(&mut self, batch: WeightedBatch, insert: bool) -> Result<Delta> {
        let columns = self.key_columns(&batch);
        let index = self.index.as_mut().ok_or_else(|| Error::bug("upsert into a table without a key"))?;
        let mut keys = Vec::new();
        index.intern(&columns, batch.len(), &mut keys)?;
        let winners = last_rows(&keys, index.capacity());
        let old: Vec<u32> = winners.iter().flat_map(|&row| self.store.positions(keys[row as usize])).collect();
        let mut delta = Delta::empty();
        if !old.is_empty() {
            delta.push(WeightedBatch::constant(self.store.gather(&old)?, -1));
        }
        if insert {
            let rows = take_record_batch(&batch.rows, &UInt32Array::from(winners)).map_err(Error::bug)?;
            delta.push(WeightedBatch::inserted(rows));
        }
        // Keys are dropped once, at the end: one dropped twice would give its number to two keys.
        for piece in &delta.batches {
            self.put(piece)?;
        }
        self.drop_empty_keys(keys);
        Ok(delta)
    }

    /// Writes to a table without a primary key, indexed by the whole row: a deletion takes away one equal row, if there is one.
    /// Returns the difference made.
    pub fn add(&mut self, batch: &WeightedBatch) -> Result<Delta> {
        if batch.weights.is_none() {
            self.apply(batch)?;
            return Ok(Delta::of(batch.clone()));
        }
        let mut delta = Delta::empty();
        for row in 0..batch.len() {
            let one = WeightedBatch::inserted(batch.rows.slice(row, 1));
            let weight = batch.weight(row);
            let weight = if weight > 0 { weight } else { -self.present(&one)?.min(-weight) };
            if weight != 0 {
                let piece = WeightedBatch { weights: Some(vec![weight].into()), ..one };
                self.apply(&piece)?;
                delta.push(piece);
            }
        }
        Ok(delta)
    }

    fn present(&self, one: &WeightedBatch) -> Result<i64> {
        let index = self.index.as_ref().ok_or_else(|| Error::bug("deletion from a table that is not indexed"))?;
        let mut keys = Vec::new();
        index.find(&self.key_columns(one), 1, &mut keys)?;
        if keys[0] == NO_ID {
            return Ok(0);
        }
        Ok(self.store.positions(keys[0]).map(|position| self.store.weight(position)).sum())
    }

    /// The rows with these keys.
    pub fn lookup(&self, keys: &[Vec<ScalarValue>]) -> Result<Vec<WeightedBatch>> {
        let Some(index) = &self.index else { return self.rows() };
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let columns = (0..self.key.len())
            .map(|place| ScalarValue::iter_to_array(keys.iter().map(|key| key[place].clone())))
            .collect::<datafusion::error::Result<Vec<_>>>()
            .map_err(|error| Error::Rejected(error.strip_backtrace()))?;
        let mut found = Vec::new();
        index.find(&columns, keys.len(), &mut found)?;
        found.retain(|&key| key != NO_ID);
        found.sort_unstable();
        found.dedup();
        let positions: Vec<u32> = found.into_iter().flat_map(|key| self.store.positions(key)).collect();
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![self.store.gather_weighted(&positions)?])
    }

    /// All rows.
    pub fn rows(&self) -> Result<Vec<WeightedBatch>> {
        Ok(self.store.snapshot()?)
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.store.memory() + self.index.as_ref().map_or(0, KeyIndex::memory)
    }
}
