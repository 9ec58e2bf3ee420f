//! `sum` over exact types: integers (wrapping, as DataFusion's) and decimals; `avg` over decimals, which is sum and count.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, PrimitiveArray, UInt64Array, new_empty_array,
};
use arrow::compute::concat;
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::column::{AggregateColumn, ColumnInput};
use super::failure::failure;
use crate::guard::guard;
use crate::{Result, RowError};

/// Sums per group, and how many non-NULL rows are in each.
pub(crate) struct SumColumn<V: ArrowPrimitiveType, S: ArrowPrimitiveType = V> {
    /// Type of the sums, with its precision and scale.
    sum_type: DataType,
    sums: Vec<S::Native>,
    counts: Vec<i64>,
    /// For avg: DataFusion's accumulator divides, so that scale and rounding are its own.
    mean: Option<Arc<AggregateFunctionExpr>>,
    failures: Vec<RowError>,
    values: PhantomData<V::Native>,
}

impl<V: ArrowPrimitiveType, S: ArrowPrimitiveType> SumColumn<V, S>
where
    S::Native: ArrowNativeTypeOp,
{
    /// Sums of type `sum_type`.
    pub fn sum(sum_type: DataType) -> SumColumn<V, S> {
        SumColumn {
            sum_type,
            sums: Vec::new(),
            counts: Vec::new(),
            mean: None,
            failures: Vec::new(),
            values: PhantomData,
        }
    }

    /// Means of decimals; `sum_type` is the type of the sum within DataFusion's accumulator.
    pub fn mean(sum_type: DataType, function: Arc<AggregateFunctionExpr>) -> SumColumn<V, S> {
        SumColumn { mean: Some(function), ..SumColumn::sum(sum_type) }
    }

    fn sums_of(&self, groups: &[u32]) -> ArrayRef {
        let array: PrimitiveArray<S> =
            groups.iter().map(|&group| (self.counts[group as usize] != 0).then(|| self.sums[group as usize])).collect();
        Arc::new(array.with_data_type(self.sum_type.clone()))
    }

    /// The groups' means; NULL, and a failure noted, where DataFusion has none.
    fn means_of(&mut self, function: &AggregateFunctionExpr, groups: &[u32]) -> Result<ArrayRef> {
        let sums = self.sums_of(groups);
        let mut means = Vec::with_capacity(groups.len());
        for (place, &group) in groups.iter().enumerate() {
            let sum = sums.slice(place, 1);
            let count: ArrayRef = Arc::new(UInt64Array::from(vec![self.counts[group as usize].max(0) as u64]));
            let mean = guard(|| {
                let mut accumulator = function.create_accumulator()?;
                accumulator.merge_batch(&[count, sum.clone()])?;
                accumulator.evaluate()
            });
            let mean = match mean {
                Ok(mean) => mean,
                Err(error) => {
                    self.failures.push(failure(function, &[sum], &error));
                    ScalarValue::try_from(function.field().data_type())?
                }
            };
            means.push(mean.to_array()?);
        }
        if means.is_empty() {
            return Ok(new_empty_array(function.field().data_type()));
        }
        Ok(concat(&means.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
    }
}

/// `weight` times `value`, wrapping.
fn times<N: ArrowNativeTypeOp>(value: N, weight: i64) -> N {
    match weight {
        1 => value,
        -1 => N::ZERO.sub_wrapping(value),
        _ => {
            let mut product = N::ZERO;
            let (mut doubled, mut rest) = (value, weight.unsigned_abs());
            while rest > 0 {
                if rest & 1 == 1 {
                    product = product.add_wrapping(doubled);
                }
                doubled = doubled.add_wrapping(doubled);
                rest >>= 1;
            }
            if weight < 0 { N::ZERO.sub_wrapping(product) } else { product }
        }
    }
}

impl<V: ArrowPrimitiveType, S: ArrowPrimitiveType> AggregateColumn for SumColumn<V, S>
where
    V::Native: Into<S::Native>,
    S::Native: ArrowNativeTypeOp,
{
    fn resize(&mut self, groups: usize) {
        if groups > self.sums.len() {
            self.sums.resize(groups, S::Native::ZERO);
            self.counts.resize(groups, 0);
        }
    }

    fn update(&mut self, input: &ColumnInput<'_>) -> Result<()> {
        let values = input.arguments[0].as_primitive::<V>();
        if values.null_count() == 0 && input.weights.is_none() {
            for (&group, &value) in input.groups.iter().zip(values.values()) {
                let place = group as usize;
                self.sums[place] = self.sums[place].add_wrapping(value.into());
                self.counts[place] += 1;
            }
            return Ok(());
        }
        for (row, &group) in input.groups.iter().enumerate() {
            let weight = input.weight(row);
            if weight != 0 && values.is_valid(row) {
                let place = group as usize;
                self.sums[place] = self.sums[place].add_wrapping(times(values.value(row).into(), weight));
                self.counts[place] += weight;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, groups: &[u32]) -> Result<ArrayRef> {
        match self.mean.clone() {
            Some(function) => self.means_of(&function, groups),
            None => Ok(self.sums_of(groups)),
        }
    }

    fn clear(&mut self, group: u32) {
        self.sums[group as usize] = S::Native::ZERO;
        self.counts[group as usize] = 0;
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.sum_type.clone(), DataType::Int64]
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let sums: PrimitiveArray<S> =
            PrimitiveArray::from_iter_values(groups.iter().map(|&group| self.sums[group as usize]));
        let counts = Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize]));
        Ok(vec![Arc::new(sums.with_data_type(self.sum_type.clone())), Arc::new(counts)])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let (sums, counts) = (state[0].as_primitive::<S>(), state[1].as_primitive::<Int64Type>());
        for (row, &group) in groups.iter().enumerate() {
            let place = group as usize;
            self.sums[place] = self.sums[place].add_wrapping(sums.value(row));
            self.counts[place] += counts.value(row);
        }
        Ok(())
    }

    fn take_failures(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.failures)
    }

    fn memory(&self) -> usize {
        self.sums.capacity() * size_of::<S::Native>() + self.counts.capacity() * 8
    }
}
