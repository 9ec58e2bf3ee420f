//! Arguments shared by the window functions: the timestamp's type, and constants in its unit.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::ColumnarValue;

/// The type in which a time is taken: timestamps as they are, dates as timestamps.
pub(super) fn timestamp_type(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Timestamp(..) => Ok(data_type.clone()),
        DataType::Date32 | DataType::Date64 | DataType::Null => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        other => plan_err!("a window needs a timestamp: {other} is not compatible"),
    }
}

/// Nanoseconds of a timestamp type's unit.
pub(super) fn unit_ns(data_type: DataType) -> Result<i64> {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, _) => Ok(1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Ok(1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Ok(1),
        other => exec_err!("a window's time must be a timestamp, not {other}"),
    }
}

/// A constant number of nanoseconds in a unit of `unit` nanoseconds.
pub(super) fn constant_ns(value: &ColumnarValue, unit: i64, what: &str) -> Result<i64> {
    match value {
        ColumnarValue::Scalar(ScalarValue::Int64(Some(ns))) if ns % unit == 0 => Ok(ns / unit),
        ColumnarValue::Scalar(ScalarValue::Int64(Some(_))) => {
            exec_err!("a window's {what} must be a multiple of the time column's precision")
        }
        _ => exec_err!("a window's {what} must be a constant"),
    }
}
