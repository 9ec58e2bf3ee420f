//! `sum` and `avg` over doubles, exact enough to be taken back.
//!
//! A plain running sum can't subtract what it has rounded away. The sum is kept as an unevaluated pair of doubles (Knuth's
//! TwoSum; Dekker, "A floating-point technique for extending the available precision", 1971), about 106 bits. What a pair
//! can't take is kept beside it, for the few groups that have any: values so large that a sum of them may leave the range of
//! doubles, in a second pair that is scaled down; and counts of NaN and infinities, which can't be subtracted at all.

use std::sync::Arc;

use ahash::HashMap;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::column::{AggregateColumn, ColumnInput};
use crate::Result;

/// 2^960: 2^63 rows of no more than this add up to a double.
const LARGE: f64 = f64::from_bits((1023 + 960) << 52);
/// 2^-64: 2^63 rows of any size, scaled by this, add up to a double. Scaling a large value loses nothing.
const SCALE: f64 = f64::from_bits((1023 - 64) << 52);

/// Whether the value is the sum or the mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatValue {
    Sum,
    Mean,
}

/// Sums of doubles per group.
pub(crate) struct FloatColumn {
    value: FloatValue,
    sums: Vec<Pair>,
    counts: Vec<i64>,
    /// Of groups that have any.
    special: HashMap<u32, Special>,
}

/// The sum of two doubles, the second at most half a unit in the last place of the first.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Pair {
    high: f64,
    low: f64,
}

/// What an ordinary pair can't take.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Special {
    /// How many NaN, +infinity, -infinity.
    counts: [i64; 3],
    /// The sum of values beyond [`LARGE`], times [`SCALE`].
    large: Pair,
}

impl Pair {
    fn add(&mut self, value: f64) {
        let sum = self.high + value;
        let shadow = sum - self.high;
        let error = (self.high - (sum - shadow)) + (value - shadow);
        let low = self.low + error;
        self.high = sum + low;
        self.low = low - (self.high - sum);
    }

    /// Adds `weight` times a value.
    fn add_times(&mut self, value: f64, weight: i64) {
        let weight = weight as f64;
        let product = value * weight;
        self.add(product);
        // What rounding took from the product.
        self.add(value.mul_add(weight, -product));
    }
}

impl Special {
    /// The sum of everything, `ordinary` being the rest of the group.
    fn sum(&self, ordinary: Pair) -> f64 {
        match self.counts {
            [nan, up, down] if nan != 0 || (up != 0 && down != 0) => f64::NAN,
            [_, up, _] if up != 0 => f64::INFINITY,
            [_, _, down] if down != 0 => f64::NEG_INFINITY,
            _ if self.large == Pair::default() => ordinary.high,
            _ => {
                let mut all = self.large;
                all.add(ordinary.high * SCALE);
                all.add(ordinary.low * SCALE);
                all.high / SCALE
            }
        }
    }
}

impl FloatColumn {
    pub fn new(value: FloatValue) -> FloatColumn {
        FloatColumn { value, sums: Vec::new(), counts: Vec::new(), special: HashMap::default() }
    }

    fn add(&mut self, group: u32, value: f64, weight: i64) {
        self.counts[group as usize] += weight;
        if value.abs() <= LARGE {
            self.sums[group as usize].add_times(value, weight);
        } else if value.is_finite() {
            self.change_special(group, |special| special.large.add_times(value * SCALE, weight));
        } else {
            let kind = if value.is_nan() {
                0
            } else if value > 0.0 {
                1
            } else {
                2
            };
            self.change_special(group, |special| special.counts[kind] += weight);
        }
    }

    fn change_special(&mut self, group: u32, change: impl FnOnce(&mut Special)) {
        let special = self.special.entry(group).or_default();
        change(special);
        if *special == Special::default() {
            self.special.remove(&group);
        }
    }

    fn sum(&self, group: u32) -> f64 {
        let ordinary = self.sums[group as usize];
        self.special.get(&group).map_or(ordinary.high, |special| special.sum(ordinary))
    }

    fn column(&self, groups: &[u32], part: impl Fn(Pair) -> f64) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(groups.iter().map(|&group| part(self.sums[group as usize]))))
    }

    fn specials(&self, groups: &[u32]) -> Vec<Special> {
        groups.iter().map(|group| self.special.get(group).copied().unwrap_or_default()).collect()
    }
}

impl AggregateColumn for FloatColumn {
    fn resize(&mut self, groups: usize) {
        if groups > self.sums.len() {
            self.sums.resize(groups, Pair::default());
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
        self.sums[group as usize] = Pair::default();
        self.counts[group as usize] = 0;
        self.special.remove(&group);
    }

    /// The sum's pair; how many rows, NaN, +infinity, -infinity; the pair of large values.
    fn state_types(&self) -> Vec<DataType> {
        let (pair, counts) = (vec![DataType::Float64; 2], vec![DataType::Int64; 4]);
        [pair.clone(), counts, pair].concat()
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts = Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize]));
        let specials = self.specials(groups);
        let special_counts = |kind: usize| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(specials.iter().map(|special| special.counts[kind])))
        };
        let large = |part: fn(Pair) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(specials.iter().map(|special| part(special.large))))
        };
        Ok(vec![
            self.column(groups, |pair| pair.high),
            self.column(groups, |pair| pair.low),
            Arc::new(counts),
            special_counts(0),
            special_counts(1),
            special_counts(2),
            large(|pair| pair.high),
            large(|pair| pair.low),
        ])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let double = |part: usize, row: usize| state[part].as_primitive::<Float64Type>().value(row);
        let count = |part: usize, row: usize| state[part].as_primitive::<Int64Type>().value(row);
        for (row, &group) in groups.iter().enumerate() {
            self.counts[group as usize] += count(2, row);
            let sum = &mut self.sums[group as usize];
            sum.add(double(0, row));
            sum.add(double(1, row));
            let counts = [count(3, row), count(4, row), count(5, row)];
            let large = Pair { high: double(6, row), low: double(7, row) };
            if (Special { counts, large }) != Special::default() {
                self.change_special(group, |special| {
                    (0..3).for_each(|kind| special.counts[kind] += counts[kind]);
                    special.large.add(large.high);
                    special.large.add(large.low);
                });
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * 24 + self.special.capacity() * (8 + size_of::<Special>())
    }
}
