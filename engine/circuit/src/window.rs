//! Keys that end with event time: which are over when.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use crate::plan::{OnClose, WindowBound};
use crate::{KeyIndex, RelationId, Result};

/// Open windows of an operator's keys.
pub(crate) struct OpenWindows {
    bound: WindowBound,
    by_end: BTreeMap<i64, Vec<u32>>,
}

impl OpenWindows {
    pub fn new(bound: WindowBound) -> OpenWindows {
        OpenWindows { bound, by_end: BTreeMap::new() }
    }

    pub fn on_close(&self) -> OnClose {
        self.bound.on_close
    }

    /// Notes new keys, given by id and columns. A NULL end never closes.
    pub fn open(&mut self, ids: &[u32], key: &[ArrayRef]) -> Result<()> {
        let ends = self.ends(key)?;
        for (row, &id) in ids.iter().enumerate() {
            if ends.is_valid(row) {
                self.by_end.entry(ends.value(row)).or_default().push(id);
            }
        }
        Ok(())
    }

    /// Notes the keys of a batch, by row, that are `new`.
    pub fn open_new(&mut self, ids: &[u32], index: &KeyIndex, is_new: impl Fn(u32) -> bool) -> Result<()> {
        let mut new: Vec<u32> = ids.iter().copied().filter(|&id| is_new(id)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() { Ok(()) } else { self.open(&new, &index.columns(&new)?) }
    }

    /// Keys whose end the watermarks have passed; they are no longer listed. Only those that are `alive`: of the others the
    /// id has been given up, or stands for another key now.
    pub fn close(
        &mut self,
        watermarks: &HashMap<RelationId, i64>,
        index: &KeyIndex,
        is_alive: impl Fn(u32) -> bool,
    ) -> Result<Vec<u32>> {
        let Some(passed) = self.passed(watermarks) else { return Ok(Vec::new()) };
        let mut closed = self.take_passed(passed);
        closed.retain(|&id| is_alive(id));
        if closed.is_empty() {
            return Ok(closed);
        }
        let ends = self.ends(&index.columns(&closed)?)?;
        let mut row = 0;
        closed.retain(|_| {
            row += 1;
            ends.is_valid(row - 1) && ends.value(row - 1) <= passed
        });
        Ok(closed)
    }

    /// The end of each key's window, in microseconds since 1970.
    fn ends(&self, key: &[ArrayRef]) -> Result<TimestampMicrosecondArray> {
        let ends = cast(&key[self.bound.end], &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        Ok(ends.as_primitive::<TimestampMicrosecondType>().clone())
    }

    /// What the watermarks of all streams have passed; `None` until each has one.
    fn passed(&self, watermarks: &HashMap<RelationId, i64>) -> Option<i64> {
        self.bound.watermarks.iter().map(|relation| watermarks.get(relation).copied()).min().flatten()
    }

    fn take_passed(&mut self, passed: i64) -> Vec<u32> {
        let mut closed = Vec::new();
        while let Some(entry) = self.by_end.first_entry() {
            if *entry.key() > passed {
                break;
            }
            closed.extend(entry.remove());
        }
        closed.sort_unstable();
        closed.dedup();
        closed
    }
}
