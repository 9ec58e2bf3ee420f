//! Groups that end with event time: which close when.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};

use crate::plan::{OnClose, WindowBound};
use crate::{RelationId, Result};

/// Open windows of an aggregate's groups.
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

    /// Notes new groups, whose key columns are given. A NULL end never closes.
    pub fn open(&mut self, groups: &[u32], key: &[ArrayRef]) -> Result<()> {
        let ends = self.ends(key)?;
        for (row, &group) in groups.iter().enumerate() {
            if ends.is_valid(row) {
                self.by_end.entry(ends.value(row)).or_default().push(group);
            }
        }
        Ok(())
    }

    /// The end of each group's window, in microseconds since 1970.
    pub fn ends(&self, key: &[ArrayRef]) -> Result<TimestampMicrosecondArray> {
        let ends = cast(&key[self.bound.end], &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        Ok(ends.as_primitive::<TimestampMicrosecondType>().clone())
    }

    /// What the watermarks of all streams have passed; `None` until each has one.
    pub fn passed(&self, watermarks: &HashMap<RelationId, i64>) -> Option<i64> {
        self.bound.watermarks.iter().map(|relation| watermarks.get(relation).copied()).min().flatten()
    }

    /// Groups that were opened with an end that has passed; they are no longer listed. An id may have been given to another
    /// group since: the caller looks at the end its key has now.
    pub fn close(&mut self, passed: i64) -> Vec<u32> {
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
