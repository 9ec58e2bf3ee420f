//! `to_char(time, pattern)` with Postgres's patterns, and `date_format(time, pattern)` with Java's, as Flink has it.
//!
//! DataFusion has functions of these names whose patterns are C's; a pattern with `%` is left to it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::time_pattern::{Piece, java, postgres, write};

/// Whose patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Language {
    Postgres,
    Java,
}

/// One of the two functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToChar {
    language: Language,
    signature: Signature,
}

impl ToChar {
    /// Both.
    pub(super) fn all() -> [ToChar; 2] {
        [Language::Postgres, Language::Java]
            .map(|language| ToChar { language, signature: Signature::user_defined(Volatility::Immutable) })
    }

    fn parse(&self, pattern: &str) -> Vec<Piece> {
        match self.language {
            Language::Postgres => postgres(pattern),
            Language::Java => java(pattern),
        }
    }
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        match self.language {
            Language::Postgres => "to_char",
            Language::Java => "date_format",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let time = match arg_types {
            [DataType::Timestamp(_, zone), _] => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            [DataType::Date32 | DataType::Date64 | DataType::Null, _] => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, _] if self.language == Language::Java => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            [DataType::Time32(_) | DataType::Time64(_), _] => DataType::Time64(TimeUnit::Microsecond),
            _ => {
                let types: Vec<String> = arg_types.iter().map(ToString::to_string).collect();
                return plan_err!(
                    "No function matches the given name and argument types '{}({})'. You might need to add explicit type casts.",
                    self.name(),
                    types.join(", ")
                );
            }
        };
        Ok(vec![time, DataType::Utf8])
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if is_c_pattern(&args.args[1]) {
            return datetime::to_char().invoke_with_args(args);
        }
        let is_scalar = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let times = args.args[0].to_array(rows)?;
        let has_zone = matches!(times.data_type(), DataType::Timestamp(_, Some(_)));
        let times = micros(&times)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let mut builder = StringBuilder::with_capacity(rows, rows * 20);
        let mut text = String::new();
        let mut append = |row: usize, pieces: &[Piece]| {
            text.clear();
            let is_written = times.is_valid(row) && write(pieces, times.value(row), has_zone, &mut text);
            builder.append_option(is_written.then_some(text.as_str()));
        };
        match &args.args[1] {
            ColumnarValue::Scalar(pattern) => {
                let pattern = pattern.try_as_str().flatten();
                let pieces = pattern.map(|pattern| self.parse(pattern));
                match pieces {
                    Some(pieces) => (0..rows).for_each(|row| append(row, &pieces)),
                    None => return Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None))),
                }
            }
            ColumnarValue::Array(patterns) => {
                let patterns: &StringArray = patterns.as_string::<i32>();
                for (row, pattern) in patterns.iter().enumerate() {
                    match pattern {
                        Some(pattern) => append(row, &self.parse(pattern)),
                        None => return exec_err!("the pattern of {} must not be NULL", self.name()),
                    }
                }
            }
        }
        let result: ArrayRef = Arc::new(builder.finish());
        if is_scalar {
            return ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(result))
    }
}

fn is_c_pattern(pattern: &ColumnarValue) -> bool {
    match pattern {
        ColumnarValue::Scalar(pattern) => pattern.try_as_str().flatten().is_some_and(|pattern| pattern.contains('%')),
        ColumnarValue::Array(_) => false,
    }
}

/// Times of day count from the epoch's day.
fn micros(times: &ArrayRef) -> Result<ArrayRef> {
    let times = match times.data_type() {
        DataType::Time64(_) => cast(times, &DataType::Int64)?,
        _ => Arc::clone(times),
    };
    Ok(cast(&times, &DataType::Timestamp(TimeUnit::Microsecond, None))?)
}
