//! `monsoon_hop_starts(time, slide, size, offset)`: the starts of all windows that hold a time, as a list.
//!
//! A window that starts at s holds t iff `s <= t < s + size`; starts are multiples of the slide from the epoch, plus the
//! offset. The size need not be a multiple of the slide: then times differ in how many windows hold them, and with a
//! slide longer than the size some are in none. A NULL time gives an empty list.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Field, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::window_argument::{constant_ns, timestamp_type, unit_ns};
use super::window_time::window_start;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HopStarts {
    signature: Signature,
}

impl Default for HopStarts {
    fn default() -> HopStarts {
        HopStarts { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for HopStarts {
    fn name(&self) -> &str {
        "monsoon_hop_starts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [time, _, _, _] => Ok(vec![timestamp_type(time)?, DataType::Int64, DataType::Int64, DataType::Int64]),
            _ => plan_err!("monsoon_hop_starts takes 4 arguments"),
        }
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let element = Field::new_list_field(timestamp_type(&arg_types[0])?, true);
        Ok(DataType::List(Arc::new(element)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let unit = unit_ns(args.args[0].data_type())?;
        let windows = Windows {
            slide: constant_ns(&args.args[1], unit, "slide")?,
            size: constant_ns(&args.args[2], unit, "size")?,
            offset: constant_ns(&args.args[3], unit, "offset")?,
        };
        if windows.slide <= 0 || windows.size <= 0 {
            return exec_err!("the slide and the size of a window must be positive");
        }
        let is_scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let times = args.args[0].to_array(if is_scalar { 1 } else { args.number_rows })?;
        let lists = windows.starts(&times)?;
        if is_scalar {
            return ScalarValue::try_from_array(&lists, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(lists))
    }
}

/// Sizes in the unit of the times.
struct Windows {
    slide: i64,
    size: i64,
    offset: i64,
}

impl Windows {
    fn starts(&self, times: &ArrayRef) -> Result<ArrayRef> {
        match times.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => self.starts_of::<TimestampSecondType>(times),
            DataType::Timestamp(TimeUnit::Millisecond, _) => self.starts_of::<TimestampMillisecondType>(times),
            DataType::Timestamp(TimeUnit::Microsecond, _) => self.starts_of::<TimestampMicrosecondType>(times),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => self.starts_of::<TimestampNanosecondType>(times),
            other => exec_err!("a window's time must be a timestamp, not {other}"),
        }
    }

    fn starts_of<T: ArrowPrimitiveType<Native = i64>>(&self, times: &ArrayRef) -> Result<ArrayRef> {
        let times = times.as_primitive::<T>();
        let per_row = usize::try_from(self.size / self.slide).unwrap_or(usize::MAX).saturating_add(1);
        let mut values: Vec<i64> = Vec::with_capacity(times.len().saturating_mul(per_row.min(64)));
        let mut offsets: Vec<i32> = Vec::with_capacity(times.len() + 1);
        offsets.push(0);
        for row in 0..times.len() {
            if times.is_valid(row) {
                self.push_starts(times.value(row), &mut values);
            }
            match i32::try_from(values.len()) {
                Ok(end) => offsets.push(end),
                Err(_) => return exec_err!("the windows of one batch overflow a list: make the slide longer"),
            }
        }
        let values =
            PrimitiveArray::<T>::new(ScalarBuffer::from(values), None).with_data_type(times.data_type().clone());
        let element = Arc::new(Field::new_list_field(times.data_type().clone(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(element, offsets, Arc::new(values), None)?))
    }

    /// Pushes the starts of the windows that hold `time`, in ascending order.
    fn push_starts(&self, time: i64, values: &mut Vec<i64>) {
        let last = window_start(time, self.slide, self.offset);
        // The first window is the earliest that has not ended: start > time - size.
        let reach = self.size.saturating_sub(time.saturating_sub(last));
        let count = if reach <= 0 { 0 } else { (reach - 1) / self.slide + 1 };
        for n in (0..count).rev() {
            if let Some(start) = n.checked_mul(self.slide).and_then(|back| last.checked_sub(back)) {
                values.push(start);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(time: i64, slide: i64, size: i64, offset: i64) -> Vec<i64> {
        let mut values = Vec::new();
        Windows { slide, size, offset }.push_starts(time, &mut values);
        values
    }

    #[test]
    fn a_time_is_in_every_window_that_covers_it() {
        assert_eq!(starts(12, 5, 10, 0), [5, 10]);
        assert_eq!(starts(10, 5, 10, 0), [5, 10]);
        assert_eq!(starts(0, 5, 10, 0), [-5, 0]);
        assert_eq!(starts(12, 5, 10, 1), [6, 11]);
        assert_eq!(starts(7, 4, 10, 0), [0, 4], "the size is no multiple of the slide");
        assert_eq!(starts(9, 4, 10, 0), [0, 4, 8]);
        assert_eq!(starts(7, 10, 5, 0), [] as [i64; 0], "between two windows");
    }

    #[test]
    fn agrees_with_the_definition() {
        for (slide, size, offset) in [(2, 10, 0), (3, 10, 1), (7, 3, 2), (5, 5, 4), (1, 1, 0)] {
            for time in -40..40 {
                let expected: Vec<i64> = (-100..100)
                    .map(|n| n * slide + offset)
                    .filter(|start| *start <= time && time < start + size)
                    .collect();
                assert_eq!(starts(time, slide, size, offset), expected, "{time} {slide} {size} {offset}");
            }
        }
    }
}
