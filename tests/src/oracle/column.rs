//! Columns: their kinds, and values from domains so small that keys collide and rows tie.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

use super::random::Random;

/// 2024-01-01 00:00 UTC, in microseconds since 1970.
pub const EPOCH_US: i64 = 1_704_067_200_000_000;
const EPOCH_DAY: i32 = 19_723;
const TEXTS: [&str; 7] = ["a", "b", "ab", "B", "", "xyz", "a b"];

/// What a column holds, as far as the query generator has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// BIGINT.
    Big,
    /// INT.
    Int,
    /// DOUBLE: multiples of a quarter, so that sums are exact in any order.
    Double,
    /// NUMERIC(10, 2).
    Numeric,
    /// TEXT.
    Text,
    /// BOOLEAN.
    Bool,
    /// TIMESTAMP.
    Moment,
    /// DATE.
    Day,
    /// A value to be looked at only: a rounded double, a list, a row number.
    Opaque,
}

impl Kind {
    /// The kinds a relation may have columns of.
    pub const STORED: [Kind; 8] =
        [Kind::Big, Kind::Int, Kind::Double, Kind::Numeric, Kind::Text, Kind::Bool, Kind::Moment, Kind::Day];

    /// The type of a relation's column.
    pub fn data_type(self) -> DataType {
        match self {
            Kind::Big => DataType::Int64,
            Kind::Int => DataType::Int32,
            Kind::Double | Kind::Opaque => DataType::Float64,
            Kind::Numeric => DataType::Decimal128(10, 2),
            Kind::Text => DataType::Utf8,
            Kind::Bool => DataType::Boolean,
            Kind::Moment => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Day => DataType::Date32,
        }
    }

    /// A name for a relation's column of this kind.
    pub fn column_name(self) -> &'static str {
        match self {
            Kind::Big => "i",
            Kind::Int => "n",
            Kind::Double | Kind::Opaque => "f",
            Kind::Numeric => "d",
            Kind::Text => "s",
            Kind::Bool => "b",
            Kind::Moment => "ts",
            Kind::Day => "dt",
        }
    }

    /// A value that is not NULL.
    pub fn value(self, random: &mut Random) -> ScalarValue {
        match self {
            Kind::Big => ScalarValue::Int64(Some(random.between(-2, 6))),
            Kind::Int => ScalarValue::Int32(Some(random.between(-1, 4) as i32)),
            Kind::Double | Kind::Opaque => ScalarValue::Float64(Some(random.between(-6, 9) as f64 / 4.0)),
            Kind::Numeric => ScalarValue::Decimal128(Some(i128::from(random.between(-3, 5) * 25)), 10, 2),
            Kind::Text => ScalarValue::Utf8(Some((*random.pick(&TEXTS)).to_owned())),
            Kind::Bool => ScalarValue::Boolean(Some(random.one_in(2))),
            Kind::Moment => ScalarValue::TimestampMicrosecond(Some(EPOCH_US + random.between(0, 40) * 7_500_000), None),
            Kind::Day => ScalarValue::Date32(Some(EPOCH_DAY + random.between(0, 5) as i32)),
        }
    }

    /// A literal of this kind as SQL text.
    pub fn literal(self, random: &mut Random) -> String {
        match self {
            Kind::Big | Kind::Int => random.between(-1, 5).to_string(),
            Kind::Double | Kind::Opaque => format!("CAST({} AS DOUBLE)", random.between(-4, 6) as f64 / 4.0),
            Kind::Numeric => format!("CAST({} AS NUMERIC(10, 2))", random.between(-2, 4) as f64 / 4.0),
            Kind::Text => format!("'{}'", random.pick(&TEXTS)),
            Kind::Bool => random.pick(&["TRUE", "FALSE"]).to_string(),
            Kind::Moment => {
                let second = random.between(0, 299);
                format!("TIMESTAMP '2024-01-01 00:{:02}:{:02}'", second / 60, second % 60)
            }
            Kind::Day => format!("DATE '2024-01-0{}'", random.between(1, 6)),
        }
    }
}

/// A column of a relation or of a query's result.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, unique in the relation or result.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}
