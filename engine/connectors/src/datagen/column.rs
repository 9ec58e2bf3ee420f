//! The values of one generated column.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field};

use super::Timeline;
use crate::options::wrong_value;
use crate::random::{Random, letters};
use crate::{Error, Options, Result};

const LETTERS: [u8; 256] = letters();
const TEXT_LENGTH_DEFAULT: u64 = 10;
const TEXT_LENGTH_MAX: u64 = 65_536;
const NUMBER_MAX_DEFAULT: i64 = 1_000;

/// Generates one column.
#[derive(Debug)]
pub(super) struct Column {
    kind: DataType,
    values: Values,
}

/// How a row number becomes a value. Whole numbers cover the integer types, each within its own range; decimals count
/// in units of the last place.
#[derive(Debug)]
enum Values {
    Booleans,
    Integers { min: i64, max: i64 },
    IntegerSequence { start: i64, end: i64 },
    Floats { min: f64, max: f64 },
    FloatSequence { start: f64, end: Option<f64> },
    Decimals { min: i64, max: i64, unit: i64 },
    DecimalSequence { start: i64, end: i64, unit: i64 },
    Texts { length: usize },
    TextSequence { start: i64, end: i64 },
    Times { min_us: i64, max_us: i64 },
    TimeSequence { start_us: Option<i64> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Random,
    Sequence,
}

impl Column {
    pub(super) fn from_options(options: &Options, field: &Field) -> Result<Column> {
        let settings = Settings { options, column: field.name().to_lowercase() };
        let values = settings.values(field.data_type())?;
        Ok(Column { kind: field.data_type().clone(), values })
    }

    /// The row at which a sequence is used up.
    pub(super) fn row_end(&self) -> Option<u64> {
        let count = |start: i64, end: i64| (i128::from(end) - i128::from(start) + 1).max(0) as u64;
        match self.values {
            Values::IntegerSequence { start, end }
            | Values::DecimalSequence { start, end, .. }
            | Values::TextSequence { start, end } => Some(count(start, end)),
            Values::FloatSequence { start, end: Some(end) } => Some(((end - start).floor() + 1.0).max(0.0) as u64),
            _ => None,
        }
    }

    pub(super) fn generate(&self, seed: u64, index: usize, timeline: Timeline, rows: Range<u64>) -> Result<ArrayRef> {
        let column_seed = Random::for_index(seed, index as u64).bits();
        let random = |row| Random::for_index(column_seed, row);
        let array: ArrayRef = match self.values {
            Values::Booleans => Arc::new(BooleanArray::from_iter(rows.map(|row| Some(random(row).bits() & 1 == 1)))),
            Values::Integers { min, max } => {
                Arc::new(Int64Array::from_iter_values(rows.map(|row| between(random(row), min, max))))
            }
            Values::IntegerSequence { start, .. } => {
                Arc::new(Int64Array::from_iter_values(rows.map(|row| start.saturating_add_unsigned(row))))
            }
            Values::Floats { min, max } => {
                Arc::new(Float64Array::from_iter_values(rows.map(|row| min + random(row).unit() * (max - min))))
            }
            Values::FloatSequence { start, .. } => {
                Arc::new(Float64Array::from_iter_values(rows.map(|row| start + row as f64)))
            }
            Values::Decimals { min, max, unit } => {
                self.decimals(rows.map(|row| i128::from(between_places(random(row), min, max, unit))))?
            }
            Values::DecimalSequence { start, unit, .. } => {
                self.decimals(rows.map(|row| i128::from(start.saturating_add_unsigned(row)) * i128::from(unit)))?
            }
            Values::Texts { length } => texts(rows, length, |row, out| random(row).fill(&LETTERS, length, out)),
            Values::TextSequence { start, .. } => texts(rows, 8, |row, out| {
                out.extend_from_slice(start.saturating_add_unsigned(row).to_string().as_bytes());
            }),
            Values::Times { min_us, max_us } => Arc::new(TimestampMicrosecondArray::from_iter_values(
                rows.map(|row| between(random(row), min_us, max_us)),
            )),
            Values::TimeSequence { start_us } => {
                let start_us = start_us.unwrap_or(timeline.start_us);
                let rate = timeline.rows_per_second;
                Arc::new(TimestampMicrosecondArray::from_iter_values(rows.map(|row| {
                    let since_us = (row / rate).saturating_mul(1_000_000) + row % rate * 1_000_000 / rate;
                    start_us.saturating_add_unsigned(since_us)
                })))
            }
        };
        self.as_kind(array)
    }

    fn decimals(&self, units: impl Iterator<Item = i128>) -> Result<ArrayRef> {
        let DataType::Decimal128(precision, scale) = self.kind else {
            return Err(Error::NotReplayable("datagen: a decimal column changed its type".to_string()));
        };
        let array = Decimal128Array::from_iter_values(units).with_precision_and_scale(precision, scale);
        array
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|error| Error::NotReplayable(format!("datagen: {error}")))
    }

    fn as_kind(&self, array: ArrayRef) -> Result<ArrayRef> {
        if *array.data_type() == self.kind {
            return Ok(array);
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&array, &self.kind, &options)
            .map_err(|error| Error::NotReplayable(format!("datagen: {error}")))
    }
}

/// The `fields.<column>.*` options of one column.
struct Settings<'a> {
    options: &'a Options,
    column: String,
}

impl Settings<'_> {
    fn name(&self, setting: &str) -> String {
        format!("fields.{}.{setting}", self.column)
    }

    /// The kind that was asked for, or that the other options imply, or the default.
    fn kind(&self, default: Kind) -> Result<Kind> {
        let has = |setting: &str| self.options.get(&self.name(setting)).is_some();
        let kind = match self.options.choice(&self.name("kind"), &["sequence", "random"])? {
            Some("sequence") => Kind::Sequence,
            Some(_) => Kind::Random,
            None if has("start") || has("end") => Kind::Sequence,
            None if has("min") || has("max") => Kind::Random,
            None => default,
        };
        let (alien, word): (&[&str], &str) = match kind {
            Kind::Sequence => (&["min", "max", "length"], "sequence"),
            Kind::Random => (&["start", "end"], "random"),
        };
        match alien.iter().find(|setting| has(setting)) {
            Some(setting) => {
                let name = self.name(setting);
                Err(Error::option(&name, format!("option \"{name}\" means nothing for a {word} column")))
            }
            None => Ok(kind),
        }
    }

    fn values(&self, kind: &DataType) -> Result<Values> {
        match kind {
            DataType::Boolean => self.booleans(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => self.texts(),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => self.floats(),
            DataType::Decimal128(precision, scale) => self.decimals(*precision, *scale),
            DataType::Timestamp(..) => self.times(),
            _ => match integer_range(kind) {
                Some(range) => self.integers(range),
                None => Err(Error::option(
                    "connector",
                    format!(
                        "datagen can't make column \"{}\" of type {kind}: it makes booleans, numbers, texts and timestamps",
                        self.column
                    ),
                )),
            },
        }
    }

    fn booleans(&self) -> Result<Values> {
        match self.kind(Kind::Random)? {
            Kind::Random => Ok(Values::Booleans),
            Kind::Sequence => Err(wrong_value(&self.name("kind"), "sequence", "random, for a boolean column")),
        }
    }

    fn integers(&self, range: (i64, i64)) -> Result<Values> {
        Ok(match self.kind(Kind::Random)? {
            Kind::Sequence => {
                let (start, end) = self.whole_bounds(("start", "end"), (0, range.1), range)?;
                Values::IntegerSequence { start, end }
            }
            Kind::Random => {
                let (min, max) = self.whole_bounds(("min", "max"), (0, NUMBER_MAX_DEFAULT.min(range.1)), range)?;
                Values::Integers { min, max }
            }
        })
    }

    fn texts(&self) -> Result<Values> {
        Ok(match self.kind(Kind::Random)? {
            Kind::Sequence => {
                let range = (i64::MIN, i64::MAX);
                let (start, end) = self.whole_bounds(("start", "end"), (0, i64::MAX), range)?;
                Values::TextSequence { start, end }
            }
            Kind::Random => {
                let name = self.name("length");
                let length = self.options.unsigned(&name, 0)?.unwrap_or(TEXT_LENGTH_DEFAULT);
                if length > TEXT_LENGTH_MAX {
                    return Err(wrong_value(&name, length, &format!("at most {TEXT_LENGTH_MAX}")));
                }
                Values::Texts { length: length as usize }
            }
        })
    }

    fn floats(&self) -> Result<Values> {
        let number = |setting: &str| self.options.number::<f64>(&self.name(setting), "a number");
        Ok(match self.kind(Kind::Random)? {
            Kind::Sequence => Values::FloatSequence { start: number("start")?.unwrap_or(0.0), end: number("end")? },
            Kind::Random => {
                let min = number("min")?.unwrap_or(0.0);
                let max = number("max")?.unwrap_or(min + 1.0);
                if !min.is_finite() || !max.is_finite() || max < min {
                    return Err(wrong_value(&self.name("max"), max, &format!("a number of at least {min} (min)")));
                }
                Values::Floats { min, max }
            }
        })
    }

    /// Bounds are whole numbers; random values have all the places of the type.
    fn decimals(&self, precision: u8, scale: i8) -> Result<Values> {
        let places = scale.clamp(0, 18) as u32;
        let whole_digits = (i32::from(precision) - i32::from(scale)).clamp(0, 18 - places as i32) as u32;
        let largest = 10i64.pow(whole_digits) - 1;
        let unit = 10i64.pow(places);
        let range = (-largest, largest);
        if !(0..=18).contains(&scale) {
            return Err(Error::option(
                "connector",
                format!("datagen can't make column \"{}\": a decimal's scale must be within 0 and 18", self.column),
            ));
        }
        Ok(match self.kind(Kind::Random)? {
            Kind::Sequence => {
                let (start, end) = self.whole_bounds(("start", "end"), (0, largest), range)?;
                Values::DecimalSequence { start, end, unit }
            }
            Kind::Random => {
                let (min, max) = self.whole_bounds(("min", "max"), (0, NUMBER_MAX_DEFAULT.min(largest)), range)?;
                Values::Decimals { min, max, unit }
            }
        })
    }

    fn times(&self) -> Result<Values> {
        let time = |setting: &str| self.options.timestamp_us(&self.name(setting));
        match self.kind(Kind::Sequence)? {
            Kind::Sequence => match self.options.get(&self.name("end")) {
                None => Ok(Values::TimeSequence { start_us: time("start")? }),
                Some(value) => Err(wrong_value(&self.name("end"), value, "no end for a timestamp; use row_count")),
            },
            Kind::Random => {
                let min_us = time("min")?.unwrap_or(super::START_US_DEFAULT);
                let max_us = time("max")?.unwrap_or(min_us.saturating_add(86_400_000_000));
                if max_us < min_us {
                    let value = self.options.get(&self.name("max")).unwrap_or_default();
                    return Err(wrong_value(&self.name("max"), value, "a timestamp not before min"));
                }
                Ok(Values::Times { min_us, max_us })
            }
        }
    }

    /// Two whole numbers, the second not below the first, both within the type's range.
    fn whole_bounds(&self, names: (&str, &str), defaults: (i64, i64), range: (i64, i64)) -> Result<(i64, i64)> {
        let expected = format!("a whole number from {} to {}", range.0, range.1);
        let number = |setting: &str| -> Result<Option<i64>> {
            let name = self.name(setting);
            match self.options.number::<i64>(&name, &expected)? {
                Some(value) if value < range.0 || value > range.1 => Err(wrong_value(&name, value, &expected)),
                value => Ok(value),
            }
        };
        let low = number(names.0)?.unwrap_or(defaults.0);
        let high = number(names.1)?.unwrap_or(defaults.1.max(low));
        if high < low {
            return Err(wrong_value(&self.name(names.1), high, &format!("at least {low} ({})", names.0)));
        }
        Ok((low, high))
    }
}

fn integer_range(kind: &DataType) -> Option<(i64, i64)> {
    Some(match kind {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN, i64::MAX),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, i64::MAX),
        _ => return None,
    })
}

/// A number in `min..=max`; the whole range of i64 is allowed.
fn between(mut random: Random, min: i64, max: i64) -> i64 {
    let width = (i128::from(max) - i128::from(min)) as u64;
    let offset = match width.checked_add(1) {
        Some(count) => random.below(count),
        None => random.bits(),
    };
    min.wrapping_add_unsigned(offset)
}

/// A number in `min * unit ..= max * unit`.
fn between_places(random: Random, min: i64, max: i64, unit: i64) -> i64 {
    between(random, min.saturating_mul(unit), max.saturating_mul(unit))
}

/// A text column, each text written by `write`.
fn texts(rows: Range<u64>, length: usize, write: impl Fn(u64, &mut Vec<u8>)) -> ArrayRef {
    let count = (rows.end - rows.start) as usize;
    let mut builder = StringBuilder::with_capacity(count, count * length);
    let mut text = Vec::with_capacity(length);
    for row in rows {
        text.clear();
        write(row, &mut text);
        builder.append_value(String::from_utf8_lossy(&text));
    }
    let array = builder.finish();
    debug_assert_eq!(array.len(), count);
    Arc::new(array)
}
