//! `sum` and `avg` over doubles, exact enough to be taken back.
//!
//! A plain running sum can't subtract what it has rounded away. The sum is kept as an unevaluated pair of doubles (Knuth's
//! TwoSum; Dekker, "A floating-point technique for extending the available precision", 1971), about 106 bits, and NaN and
//! infinities are counted beside it, since they can't be subtracted at all.

use std::sync::Arc;

use ahash::HashMap;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::column::{AggregateColumn, ColumnInput};
use crate::Result;

/// Whether the value is the sum or the mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatValue {
    Sum,
    Mean,
}

/// Sums of doubles per group.
pub(crate) struct FloatColumn {
    value: FloatValue,
    high: Vec<f64>,
    low: Vec<f64>,
    counts: Vec<i64>,
    /// Groups that hold special values: how many NaN, +infinity, -infinity.
    special: HashMap<u32, [i64; 3]>,
}

impl FloatColumn {
    pub fn new(value: FloatValue) -> FloatColumn {
        FloatColumn { value, high: Vec::new(), low: Vec::new(), counts: Vec::new(), special: HashMap::default() }
    }

    fn add(&mut self, group: u32, value: f64, weight: i64) {
        let place = group as usize;
        self.counts[place] += weight;
        if value.is_finite() {
            let weight = weight as f64;
            let product = value * weight;
            self.add_finite(place, product);
            // What rounding took from the product.
            self.add_finite(place, value.mul_add(weight, -product));
            return;
        }
        let kind = if value.is_nan() { 0 } else if value > 0.0 { 1 } else { 2 };
        self.add_special(group, kind, weight);
    }

    fn add_special(&mut self, group: u32, kind: usize, weight: i64) {
        let counts = self.special.entry(group).or_default();
        counts[kind] += weight;
        if *counts == [0; 3] {
            self.special.remove(&group);
        }
    }

    fn add_finite(&mut self, place: usize, value: f64) {
        let high = self.high[place];
        let sum = high + value;
        let shadow = sum - high;
        let error = (high - (sum - shadow)) + (value - shadow);
        let low = self.low[place] + error;
        let normal = sum + low;
        self.low[place] = if normal.is_finite() { low - (normal - sum) } else { 0.0 };
        self.high[place] = normal;
    }

    fn sum(&self, group: u32) -> f64 {
        match self.special.get(&group) {
            None => self.high[group as usize],
            Some([nan, up, down]) if *nan != 0 || (*up != 0 && *down != 0) => f64::NAN,
            Some([_, up, _]) if *up != 0 => f64::INFINITY,
            Some(_) => f64::NEG_INFINITY,
        }
    }

    fn column(&self, groups: &[u32], value: impl Fn(usize) -> f64) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(groups.iter().map(|&group| value(group as usize))))
    }

    fn special_column(&self, groups: &[u32], kind: usize) -> ArrayRef {
        let counts = groups.iter().map(|group| self.special.get(group).map_or(0, |counts| counts[kind]));
        Arc::new(Int64Array::from_iter_values(counts))
    }
}

impl AggregateColumn for FloatColumn {
    fn resize(&mut self, groups: usize) {
        if groups > self.high.len() {
            self.high.resize(groups, 0.0);
            self.low.resize(groups, 0.0);
            self.counts.resize(groups, 0);
        }
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        let values = input.arguments[0].as_primitive::<Float64Type>();
        for (row, &group) in input.groups.iter().enumerate() {
            let weight = input.weight(row);
            if weight != 0 && values.is_valid(row) {
                self.add(group, values.value(row), weight);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|&group| {
            let count = self.counts[group as usize];
            (count != 0).then(|| match self.value {
                FloatValue::Sum => self.sum(group),
                FloatValue::Mean => self.sum(group) / count as f64,
            })
        });
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn clear(&mut self, group: u32) {
        self.high[group as usize] = 0.0;
        self.low[group as usize] = 0.0;
        self.counts[group as usize] = 0;
        self.special.remove(&group);
    }

    fn state_types(&self) -> Vec<DataType> {
        let double = DataType::Float64;
        let count = DataType::Int64;
        vec![double.clone(), double, count.clone(), count.clone(), count.clone(), count]
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts = Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize]));
        Ok(vec![
            self.column(groups, |place| self.high[place]),
            self.column(groups, |place| self.low[place]),
            Arc::new(counts),
            self.special_column(groups, 0),
            self.special_column(groups, 1),
            self.special_column(groups, 2),
        ])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let (high, low) = (state[0].as_primitive::<Float64Type>(), state[1].as_primitive::<Float64Type>());
        let counts = state[2].as_primitive::<Int64Type>();
        for (row, &group) in groups.iter().enumerate() {
            self.counts[group as usize] += counts.value(row);
            self.add_finite(group as usize, high.value(row));
            self.add_finite(group as usize, low.value(row));
            for kind in 0..3 {
                let weight = state[3 + kind].as_primitive::<Int64Type>().value(row);
                if weight != 0 {
                    self.add_special(group, kind, weight);
                }
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.high.capacity() * 24 + self.special.capacity() * 32
    }
}
