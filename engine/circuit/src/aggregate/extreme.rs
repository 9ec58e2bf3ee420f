//! `min`, `max`, `bool_and`, `bool_or` over input that only grows: the best value so far.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::codec::ValueCodec;
use super::column::{AggregateColumn, ColumnInput};
use crate::Result;

/// Which end of the order is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extreme {
    Min,
    Max,
}

impl Extreme {
    /// Whether `new` replaces `old`.
    pub fn prefers<K: Ord>(self, new: &K, old: &K) -> bool {
        match self {
            Extreme::Min => new < old,
            Extreme::Max => new > old,
        }
    }
}

/// The best value of each group.
pub(crate) struct ExtremeColumn<C: ValueCodec> {
    extreme: Extreme,
    codec: C,
    best: Vec<Option<C::Key>>,
}

impl<C: ValueCodec> ExtremeColumn<C> {
    pub fn new(extreme: Extreme, codec: C) -> ExtremeColumn<C> {
        ExtremeColumn { extreme, codec, best: Vec::new() }
    }

    fn offer(&mut self, group: u32, key: C::Key) {
        let best = &mut self.best[group as usize];
        match best {
            Some(old) if !self.extreme.prefers(&key, old) => {}
            _ => *best = Some(key),
        }
    }

    fn values(&self, groups: &[u32]) -> Result<ArrayRef> {
        self.codec.decode(groups.iter().map(|&group| self.best[group as usize].clone()).collect())
    }
}

impl<C: ValueCodec> AggregateColumn for ExtremeColumn<C> {
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups.max(self.best.len()), None);
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        let keys = self.codec.encode(&input.arguments[0])?;
        for (row, key) in keys.into_iter().enumerate() {
            if let Some(key) = key
                && input.weight(row) > 0
            {
                self.offer(input.groups[row], key);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        self.values(groups)
    }

    fn clear(&mut self, group: u32) {
        self.best[group as usize] = None;
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.codec.data_type()]
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.values(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let keys = self.codec.encode(&state[0])?;
        for (&group, key) in groups.iter().zip(keys) {
            if let Some(key) = key {
                self.offer(group, key);
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        let heap: usize = self.best.iter().take(64).flatten().map(|key| C::heap(key)).sum();
        self.best.capacity() * size_of::<Option<C::Key>>() + heap * self.best.len() / self.best.len().clamp(1, 64)
    }
}
