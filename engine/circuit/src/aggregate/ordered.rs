//! `min`, `max`, `bool_and`, `bool_or` over input that also shrinks: the ordered set of each group's values.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::codec::ValueCodec;
use super::column::{AggregateColumn, ColumnInput};
use super::extreme::Extreme;
use super::grouped_set::{GroupedSet, Listing};
use crate::Result;

/// The values of each group, in order.
pub(crate) struct OrderedColumn<C: ValueCodec> {
    extreme: Extreme,
    codec: C,
    set: GroupedSet,
    order: BTreeSet<(u32, C::Key)>,
}

impl<C: ValueCodec> OrderedColumn<C> {
    pub fn new(extreme: Extreme, codec: C, listing: Listing) -> Result<OrderedColumn<C>> {
        let set = GroupedSet::new(&[codec.data_type()], 1, listing)?;
        Ok(OrderedColumn { extreme, codec, set, order: BTreeSet::new() })
    }

    /// The group's first or last value.
    fn best(&self, group: u32) -> Option<C::Key> {
        let start = (group, C::least());
        let entry = match (self.extreme, group.checked_add(1)) {
            (Extreme::Min, _) => self.order.range((Included(start), Unbounded)).next(),
            (Extreme::Max, Some(next)) => self.order.range((Unbounded, Excluded((next, C::least())))).next_back(),
            (Extreme::Max, None) => self.order.iter().next_back(),
        };
        entry.filter(|(owner, _)| *owner == group).map(|(_, key)| key.clone())
    }

    fn follow(&mut self, group: u32, key: &C::Key, transition: i64) {
        match transition {
            1 => {
                self.order.insert((group, key.clone()));
            }
            -1 => {
                self.order.remove(&(group, key.clone()));
            }
            _ => {}
        }
    }
}

impl<C: ValueCodec> AggregateColumn for OrderedColumn<C> {
    fn resize(&mut self, _groups: usize) {}

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        let values = &input.arguments[0];
        let keys = self.codec.encode(values)?;
        let entries = self.set.entries(input.groups, std::slice::from_ref(values))?;
        for (row, key) in keys.iter().enumerate() {
            // A NULL, or a row that FILTER dropped, is no value; its entry stays at zero and goes at the end of the step.
            let weight = if key.is_some() { input.weight(row) } else { 0 };
            let transition = self.set.add(entries[row], 0, weight);
            if let Some(key) = key {
                self.follow(input.groups[row], key, transition);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        self.codec.decode(groups.iter().map(|&group| self.best(group)).collect())
    }

    fn clear(&mut self, group: u32) {
        while let Some(key) = self.best(group) {
            self.order.remove(&(group, key));
        }
    }

    fn state_types(&self) -> Vec<DataType> {
        Vec::new()
    }

    fn state(&self, _groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(Vec::new())
    }

    fn merge(&mut self, _groups: &[u32], _state: &[ArrayRef]) -> Result<()> {
        Ok(())
    }

    fn set(&mut self) -> Option<&mut GroupedSet> {
        Some(&mut self.set)
    }

    fn load_set(&mut self, groups: &[u32], values: &[ArrayRef], counts: &[ArrayRef]) -> Result<()> {
        let before = self.set.load(groups, values, counts)?;
        for (key, (&group, entry)) in self.codec.encode(&values[0])?.iter().zip(groups.iter().zip(before)) {
            if let Some(key) = key {
                let present = self.set.count(entry, 0) > 0;
                self.follow(group, key, if present { 1 } else { -1 });
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.set.memory() + self.order.len() * (size_of::<(u32, C::Key)>() * 3 / 2 + 8)
    }
}
