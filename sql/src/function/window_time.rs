//! `monsoon_tumble_start`, `monsoon_tumble_end`, `monsoon_window_end`: the window columns of TUMBLE and HOP.
//!
//! Integer arithmetic on the timestamps' own unit, with the sizes as constants in nanoseconds. `date_bin` does the same
//! for a start, but goes through a calendar date per row. Monotone in the timestamp, which watermarks rely on.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::window_argument::{constant_ns, timestamp_type, unit_ns};

/// Which of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Edge {
    /// `monsoon_tumble_start(time, size, offset)`.
    TumbleStart,
    /// `monsoon_tumble_end(time, size, offset)`.
    TumbleEnd,
    /// `monsoon_window_end(start, size)`.
    EndOfStart,
}

/// A function from a timestamp to an edge of its window.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WindowTime {
    edge: Edge,
    signature: Signature,
}

impl WindowTime {
    /// All of them.
    pub fn all() -> [WindowTime; 3] {
        [Edge::TumbleStart, Edge::TumbleEnd, Edge::EndOfStart]
            .map(|edge| WindowTime { edge, signature: Signature::user_defined(Volatility::Immutable) })
    }

    fn parameters(&self) -> usize {
        if self.edge == Edge::EndOfStart { 2 } else { 3 }
    }
}

impl ScalarUDFImpl for WindowTime {
    fn name(&self) -> &str {
        match self.edge {
            Edge::TumbleStart => "monsoon_tumble_start",
            Edge::TumbleEnd => "monsoon_tumble_end",
            Edge::EndOfStart => "monsoon_window_end",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if arg_types.len() != self.parameters() {
            return plan_err!("{} takes {} arguments", self.name(), self.parameters());
        }
        let mut types = vec![timestamp_type(&arg_types[0])?];
        types.resize(arg_types.len(), DataType::Int64);
        Ok(types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        timestamp_type(&arg_types[0])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(ScalarValue::Int64(Some(_))) = &args.args[1] else {
            return exec_err!("{} needs a constant size", self.name());
        };
        let unit = unit_ns(args.args[0].data_type())?;
        let size = constant_ns(&args.args[1], unit, "size")?;
        let offset = match args.args.get(2) {
            Some(offset) => constant_ns(offset, unit, "offset")?,
            None => 0,
        };
        if size <= 0 {
            return exec_err!("the size of a window must be positive");
        }
        let edges = Edges { edge: self.edge, size, offset };
        let is_scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let times = args.args[0].to_array(if is_scalar { 1 } else { args.number_rows })?;
        let result = edges.of(&times)?;
        if is_scalar {
            return ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The computation in the timestamps' unit.
struct Edges {
    edge: Edge,
    size: i64,
    offset: i64,
}

impl Edges {
    fn of(&self, times: &ArrayRef) -> Result<ArrayRef> {
        match times.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => self.of_type::<TimestampSecondType>(times),
            DataType::Timestamp(TimeUnit::Millisecond, _) => self.of_type::<TimestampMillisecondType>(times),
            DataType::Timestamp(TimeUnit::Microsecond, _) => self.of_type::<TimestampMicrosecondType>(times),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => self.of_type::<TimestampNanosecondType>(times),
            other => exec_err!("a window's time must be a timestamp, not {other}"),
        }
    }

    fn of_type<T: ArrowPrimitiveType<Native = i64>>(&self, times: &ArrayRef) -> Result<ArrayRef> {
        let times = times.as_primitive::<T>();
        let result: PrimitiveArray<T> = match self.edge {
            Edge::EndOfStart => times.unary(|start| start.saturating_add(self.size)),
            Edge::TumbleStart => self.starts(times, 0),
            Edge::TumbleEnd => self.starts(times, self.size),
        };
        Ok(Arc::new(result.with_data_type(times.data_type().clone())))
    }

    /// Starts of the windows, plus `shift`. Times mostly stay in the window of the time before, so the division is
    /// done only when they leave it.
    fn starts<T: ArrowPrimitiveType<Native = i64>>(&self, times: &PrimitiveArray<T>, shift: i64) -> PrimitiveArray<T> {
        let mut start = i64::MIN;
        let size = self.size.unsigned_abs();
        let shifted = times.values().iter().map(|&time| {
            if start == i64::MIN || time.wrapping_sub(start) as u64 >= size {
                start = window_start(time, self.size, self.offset);
            }
            start.saturating_add(shift)
        });
        let values: Vec<i64> = shifted.collect();
        PrimitiveArray::new(ScalarBuffer::from(values), times.nulls().cloned())
    }
}

/// The greatest `n * size + offset` that is not after `time`.
pub(super) fn window_start(time: i64, size: i64, offset: i64) -> i64 {
    let into_window = (i128::from(time) - i128::from(offset)).rem_euclid(i128::from(size));
    i64::try_from(into_window).map_or(i64::MIN, |into_window| time.saturating_sub(into_window))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_multiples_of_the_size_from_the_epoch() {
        let cases = [(0, 10, 0, 0), (9, 10, 0, 0), (10, 10, 0, 10), (-1, 10, 0, -10), (12, 10, 3, 3), (2, 10, 3, -7)];
        for (time, size, offset, start) in cases {
            assert_eq!(window_start(time, size, offset), start, "{time} {size} {offset}");
        }
        assert_eq!(window_start(i64::MIN, 10, 0), i64::MIN);
    }

    #[test]
    fn remembered_window_gives_the_same_as_division() {
        let edges = Edges { edge: Edge::TumbleStart, size: 7, offset: 2 };
        let times: Vec<i64> = (-50..50).chain([3, -20, 49, 48]).collect();
        let array: PrimitiveArray<TimestampSecondType> = PrimitiveArray::from(times.clone());
        let expected: Vec<i64> = times.iter().map(|time| window_start(*time, 7, 2)).collect();
        assert_eq!(edges.starts(&array, 0).values().to_vec(), expected);
    }
}
