//! `Ties`: the order of rows whose order keys are equal: by the whole row.
//!
//! Ties are rare in most queries, so rows are encoded only when one occurs; in a batch with many of them, all its rows at once.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};

use crate::Result;
use crate::row_store::Blocks;

/// Ties settled one by one in a batch before all its rows are encoded.
const SINGLE_TIES_MAX: usize = 32;
/// Encoded rows remembered.
const REMEMBERED_MAX: usize = 1 << 17;

/// A row for comparison, by where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the delta at work.
    Arrived(u32),
    /// Among the rows kept.
    Kept(u32),
}

/// Compares whole rows.
pub(super) struct Ties {
    converter: RowConverter,
    /// Encodings of rows kept.
    kept: HashMap<u32, Box<[u8]>, ahash::RandomState>,
    /// Encodings of all rows of the delta at work.
    arrived: Option<Rows>,
    settled: usize,
}

impl Ties {
    pub(super) fn new(schema: &SchemaRef) -> Result<Ties> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        Ok(Ties { converter: RowConverter::new(fields)?, kept: HashMap::default(), arrived: None, settled: 0 })
    }

    /// Whether an arrived row comes before another row.
    pub(super) fn is_before(&mut self, row: u32, other: Place, arrived: &Blocks, kept: &Blocks) -> Result<bool> {
        self.settled += 1;
        if self.settled > SINGLE_TIES_MAX && self.arrived.is_none() {
            let mut rows = self.converter.empty_rows(arrived.len(), 0);
            for batch in arrived.batches().iter().filter(|batch| batch.num_columns() > 0) {
                self.converter.append(&mut rows, batch.columns())?;
            }
            self.arrived = Some(rows);
        }
        let row = self.arrived_row(row, arrived)?;
        Ok(match other {
            Place::Arrived(other) => row < self.arrived_row(other, arrived)?,
            Place::Kept(position) => *row < *self.kept_row(position, kept)?,
        })
    }

    /// The delta at work is done.
    pub(super) fn end_batch(&mut self) {
        self.arrived = None;
        self.settled = 0;
        if self.kept.len() > REMEMBERED_MAX {
            self.kept = HashMap::default();
        }
    }

    /// Positions of kept rows have changed.
    pub(super) fn forget_kept(&mut self) {
        self.kept = HashMap::default();
    }

    fn arrived_row(&self, row: u32, arrived: &Blocks) -> Result<Box<[u8]>> {
        match &self.arrived {
            Some(rows) if rows.num_rows() > 0 => Ok(rows.row(row as usize).data().into()),
            _ => self.encode(row, arrived),
        }
    }

    fn kept_row(&mut self, position: u32, kept: &Blocks) -> Result<&[u8]> {
        if !self.kept.contains_key(&position) {
            let encoded = self.encode(position, kept)?;
            self.kept.insert(position, encoded);
        }
        Ok(self.kept.get(&position).map_or(&[], |encoded| encoded))
    }

    fn encode(&self, position: u32, rows: &Blocks) -> Result<Box<[u8]>> {
        let row = rows.gather(&[position])?;
        if row.num_columns() == 0 {
            return Ok(Box::default());
        }
        Ok(self.converter.convert_columns(row.columns())?.row(0).data().into())
    }
}
