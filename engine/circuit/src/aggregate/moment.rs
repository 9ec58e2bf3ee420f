//! Variance, deviation, covariance, correlation and regression over input that only grows.
//!
//! A group's moments are updated row by row (Welford, "Note on a method for calculating corrected sums of squares and
//! products", 1962) by the same operations in the same order as in DataFusion's accumulators: where rows arrive in one
//! place, results are the same to the last bit, however the rows were cut into batches. Moments of several tasks are merged
//! as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
//! Merging into an empty group copies. DataFusion's own merge isn't used: with an empty side it rounds the mean, so that a
//! state restored by it in every batch drifts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::datatypes::{DataType, Float64Type, UInt64Type};

use super::column::{AggregateColumn, ColumnInput};
use crate::Result;

/// What the rows are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Population {
    /// A sample of more: sums are divided by n - 1.
    Sample,
    /// All there is: sums are divided by n.
    Whole,
}

/// A value computed from moments. Those of two columns say which argument is x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statistic {
    Variance(Population),
    Deviation(Population),
    Covariance(Population),
    Correlation,
    Slope,
    Intercept,
    Count,
    Determination,
    MeanX,
    MeanY,
    SumXX,
    SumYY,
    SumXY,
}

/// Counts, means and sums of products of deviations from the means.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: u64,
    mean_x: f64,
    mean_y: f64,
    sum_xx: f64,
    sum_yy: f64,
    sum_xy: f64,
}

/// Moments of each group.
pub(crate) struct MomentColumn {
    statistic: Statistic,
    moments: Vec<Moments>,
}

impl Statistic {
    /// By the name DataFusion knows the function by.
    fn named(name: &str) -> Option<Statistic> {
        Some(match name {
            "var" => Statistic::Variance(Population::Sample),
            "var_pop" => Statistic::Variance(Population::Whole),
            "stddev" => Statistic::Deviation(Population::Sample),
            "stddev_pop" => Statistic::Deviation(Population::Whole),
            "covar_samp" => Statistic::Covariance(Population::Sample),
            "covar_pop" => Statistic::Covariance(Population::Whole),
            "corr" => Statistic::Correlation,
            "regr_slope" => Statistic::Slope,
            "regr_intercept" => Statistic::Intercept,
            "regr_count" => Statistic::Count,
            "regr_r2" => Statistic::Determination,
            "regr_avgx" => Statistic::MeanX,
            "regr_avgy" => Statistic::MeanY,
            "regr_sxx" => Statistic::SumXX,
            "regr_syy" => Statistic::SumYY,
            "regr_sxy" => Statistic::SumXY,
            _ => return None,
        })
    }

    /// Places of x and y among the arguments; without y there is one argument.
    fn places(self) -> (usize, Option<usize>) {
        match self {
            Statistic::Variance(_) | Statistic::Deviation(_) => (0, None),
            Statistic::Covariance(_) | Statistic::Correlation => (0, Some(1)),
            // regr_...(y, x)
            _ => (1, Some(0)),
        }
    }

    fn result_type(self) -> DataType {
        if self == Statistic::Count { DataType::UInt64 } else { DataType::Float64 }
    }

    /// DataFusion's formulas, NULL where it gives NULL.
    fn of(self, moments: &Moments) -> Option<f64> {
        let any = |value: f64| (moments.count > 0).then_some(value);
        match self {
            Statistic::Variance(population) => moments.variance(population),
            Statistic::Deviation(population) => moments.variance(population).map(f64::sqrt),
            Statistic::Covariance(population) => match population.divisor(moments.count) {
                0 => None,
                divisor => Some(moments.sum_xy / divisor as f64),
            },
            Statistic::Correlation => moments.correlation(),
            Statistic::Slope => moments.slope(),
            Statistic::Intercept => moments.slope().map(|slope| moments.mean_y - slope * moments.mean_x),
            Statistic::Count => Some(moments.count as f64),
            Statistic::Determination => moments.determination(),
            Statistic::MeanX => any(moments.mean_x),
            Statistic::MeanY => any(moments.mean_y),
            Statistic::SumXX => any(moments.sum_xx),
            Statistic::SumYY => any(moments.sum_yy),
            Statistic::SumXY => any(moments.sum_xy),
        }
    }
}

impl Population {
    fn divisor(self, count: u64) -> u64 {
        match self {
            Population::Sample => count.saturating_sub(1),
            Population::Whole => count,
        }
    }
}

impl Moments {
    /// Adds a row.
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1;
        let count = self.count as f64;
        let (from_x, from_y) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += from_x / count;
        self.mean_y += from_y / count;
        self.sum_xx += from_x * (x - self.mean_x);
        self.sum_yy += from_y * (y - self.mean_y);
        self.sum_xy += from_x * (y - self.mean_y);
    }

    /// Adds other rows.
    fn merge(&mut self, other: &Moments) {
        if self.count == 0 || other.count == 0 {
            if self.count == 0 {
                *self = *other;
            }
            return;
        }
        let total = self.count + other.count;
        let (own_count, other_count, all) = (self.count as f64, other.count as f64, total as f64);
        let (from_x, from_y) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        let sum = |own: f64, other: f64, product: f64| own + other + product * own_count * other_count / all;
        *self = Moments {
            count: total,
            mean_x: self.mean_x + from_x * other_count / all,
            mean_y: self.mean_y + from_y * other_count / all,
            sum_xx: sum(self.sum_xx, other.sum_xx, from_x * from_x),
            sum_yy: sum(self.sum_yy, other.sum_yy, from_y * from_y),
            sum_xy: sum(self.sum_xy, other.sum_xy, from_x * from_y),
        };
    }

    fn variance(&self, population: Population) -> Option<f64> {
        match (self.count, population) {
            (0, _) | (1, Population::Sample) => None,
            (1, Population::Whole) => Some(0.0),
            (count, _) => Some(self.sum_xx / population.divisor(count) as f64),
        }
    }

    fn correlation(&self) -> Option<f64> {
        if self.mean_x.is_nan() && self.mean_y.is_nan() {
            return Some(f64::NAN);
        }
        if self.mean_x.is_nan() || self.mean_y.is_nan() || self.count < 2 {
            return None;
        }
        let count = self.count as f64;
        let (deviation_x, deviation_y) = ((self.sum_xx / count).sqrt(), (self.sum_yy / count).sqrt());
        let flat = deviation_x == 0.0 || deviation_y == 0.0;
        (!flat).then(|| self.sum_xy / count / deviation_x / deviation_y)
    }

    fn slope(&self) -> Option<f64> {
        let count = self.count as f64;
        let variance = self.sum_xx / count;
        (self.count > 1 && variance != 0.0).then(|| self.sum_xy / count / variance)
    }

    fn determination(&self) -> Option<f64> {
        let count = self.count as f64;
        let (variance_x, variance_y, covariance) = (self.sum_xx / count, self.sum_yy / count, self.sum_xy / count);
        let flat = variance_x == 0.0 || variance_y == 0.0;
        (self.count > 1 && !flat).then(|| (covariance * covariance) / (variance_x * variance_y))
    }
}

impl MomentColumn {
    /// A column for the function of this name, if it is one of the family over doubles.
    pub fn for_function(name: &str, arguments: &[DataType], result: &DataType) -> Option<MomentColumn> {
        let statistic = Statistic::named(name)?;
        let count = if statistic.places().1.is_some() { 2 } else { 1 };
        let doubles = arguments.len() == count && arguments.iter().all(|argument| argument == &DataType::Float64);
        (doubles && result == &statistic.result_type()).then_some(MomentColumn { statistic, moments: Vec::new() })
    }

    fn column(&self, groups: &[u32], value: impl Fn(&Moments) -> f64) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(groups.iter().map(|&group| value(&self.moments[group as usize]))))
    }

    fn counts(&self, groups: &[u32]) -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(groups.iter().map(|&group| self.moments[group as usize].count)))
    }
}

impl AggregateColumn for MomentColumn {
    fn resize(&mut self, groups: usize) {
        self.moments.resize(groups.max(self.moments.len()), Moments::default());
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        let (x, y) = self.statistic.places();
        let x = input.arguments[x].as_primitive::<Float64Type>();
        let y = y.map(|y| input.arguments[y].as_primitive::<Float64Type>());
        for (row, &group) in input.groups.iter().enumerate() {
            if x.is_null(row) || y.is_some_and(|y| y.is_null(row)) {
                continue;
            }
            let y = y.map_or(0.0, |y| y.value(row));
            for _ in 0..input.weight(row) {
                self.moments[group as usize].add(x.value(row), y);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        if self.statistic == Statistic::Count {
            return Ok(self.counts(groups));
        }
        let values = groups.iter().map(|&group| self.statistic.of(&self.moments[group as usize]));
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn clear(&mut self, group: u32) {
        self.moments[group as usize] = Moments::default();
    }

    fn state_types(&self) -> Vec<DataType> {
        let doubles = if self.statistic.places().1.is_some() { 5 } else { 2 };
        [vec![DataType::UInt64], vec![DataType::Float64; doubles]].concat()
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut state = vec![
            self.counts(groups),
            self.column(groups, |moments| moments.mean_x),
            self.column(groups, |moments| moments.sum_xx),
        ];
        if self.statistic.places().1.is_some() {
            state.push(self.column(groups, |moments| moments.mean_y));
            state.push(self.column(groups, |moments| moments.sum_yy));
            state.push(self.column(groups, |moments| moments.sum_xy));
        }
        Ok(state)
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let counts = state[0].as_primitive::<UInt64Type>();
        let double =
            |part: usize, row: usize| state.get(part).map_or(0.0, |part| part.as_primitive::<Float64Type>().value(row));
        for (row, &group) in groups.iter().enumerate() {
            let other = Moments {
                count: counts.value(row),
                mean_x: double(1, row),
                sum_xx: double(2, row),
                mean_y: double(3, row),
                sum_yy: double(4, row),
                sum_xy: double(5, row),
            };
            self.moments[group as usize].merge(&other);
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.moments.capacity() * size_of::<Moments>()
    }
}
