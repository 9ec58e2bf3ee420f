//! Columns: their kinds, and values from domains so small that keys collide and rows tie.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;

use super::random::Random;

/// 2024-01-01 00:00 UTC, in microseconds since 1970.
pub const EPOCH_US: i64 = 1_704_067_200_000_000;
const EPOCH_DAY: i32 = 19_723;
const TEXTS: [&str; 9] = ["a", "b", "ab", "B", "", "xyz", "a b", "é", "日本b"];
/// Doubles that arithmetic is hard on. No NaN: DataFusion's min and max of it depend on the order of the rows. No -0.0: it is
/// another value than 0.0 to some of DataFusion's operators, and the same to others.
const WILD: [f64; 7] = [0.1, 0.0, 1e308, -1e308, f64::INFINITY, f64::NEG_INFINITY, 5e-324];

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
    /// SMALLINT.
    Small,
    /// REAL: multiples of a quarter too.
    Real,
    /// NUMERIC(38, 10).
    Wide,
    /// BYTEA.
    Bytes,
    /// TIME.
    Clock,
    /// TIMESTAMPTZ.
    Instant,
    /// INTERVAL.
    Span,
    /// TEXT[].
    Tags,
    /// DOUBLE of any size: compared and grouped by, but never added up.
    Wild,
    /// A value to be looked at only: a rounded double, a list, a row number.
    Opaque,
}

impl Kind {
    /// The kinds that most relations have columns of, and most functions take.
    pub const COMMON: [Kind; 8] =
        [Kind::Big, Kind::Int, Kind::Double, Kind::Numeric, Kind::Text, Kind::Bool, Kind::Moment, Kind::Day];
    /// The other kinds a relation may have columns of.
    pub const RARE: [Kind; 9] = [
        Kind::Small,
        Kind::Real,
        Kind::Wide,
        Kind::Bytes,
        Kind::Clock,
        Kind::Instant,
        Kind::Span,
        Kind::Tags,
        Kind::Wild,
    ];

    /// Whether values can be told apart but not ordered: an interval's order depends on how long a month is, a list's on
    /// whether there is a rule for it.
    pub fn only_equal(self) -> bool {
        matches!(self, Kind::Span | Kind::Tags)
    }

    /// The type of a relation's column.
    pub fn data_type(self) -> DataType {
        match self {
            Kind::Big => DataType::Int64,
            Kind::Int => DataType::Int32,
            Kind::Double | Kind::Wild | Kind::Opaque => DataType::Float64,
            Kind::Numeric => DataType::Decimal128(10, 2),
            Kind::Text => DataType::Utf8,
            Kind::Bool => DataType::Boolean,
            Kind::Moment => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Day => DataType::Date32,
            Kind::Small => DataType::Int16,
            Kind::Real => DataType::Float32,
            Kind::Wide => DataType::Decimal128(38, 10),
            Kind::Bytes => DataType::Binary,
            Kind::Clock => DataType::Time64(TimeUnit::Microsecond),
            Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Span => DataType::Interval(IntervalUnit::MonthDayNano),
            Kind::Tags => DataType::new_list(DataType::Utf8, true),
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
            Kind::Small => "h",
            Kind::Real => "r",
            Kind::Wide => "w",
            Kind::Bytes => "y",
            Kind::Clock => "tm",
            Kind::Instant => "tz",
            Kind::Span => "iv",
            Kind::Tags => "tags",
            Kind::Wild => "x",
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
            Kind::Moment => ScalarValue::TimestampMicrosecond(Some(moment_us(random)), None),
            Kind::Day if random.one_in(8) => ScalarValue::Date32(Some(-1)),
            Kind::Day => ScalarValue::Date32(Some(EPOCH_DAY + random.between(0, 5) as i32)),
            Kind::Small => ScalarValue::Int16(Some(random.between(-1, 4) as i16)),
            Kind::Real => ScalarValue::Float32(Some(random.between(-6, 9) as f32 / 4.0)),
            Kind::Wide => ScalarValue::Decimal128(Some(i128::from(random.between(-3, 5)) * 2_500_000_001), 38, 10),
            Kind::Bytes => ScalarValue::Binary(Some(random.pick(&TEXTS).as_bytes().to_vec())),
            Kind::Clock => ScalarValue::Time64Microsecond(Some(random.between(0, 5) * 1_000_000)),
            Kind::Instant => ScalarValue::TimestampMicrosecond(Some(moment_us(random)), Some("UTC".into())),
            Kind::Span => ScalarValue::new_interval_mdn(
                random.between(0, 1) as i32,
                random.between(0, 1) as i32,
                random.between(0, 2) * 1_000_000_000,
            ),
            Kind::Tags => {
                let tags: Vec<ScalarValue> = (0..random.below(3)).map(|_| Kind::Text.value(random)).collect();
                ScalarValue::List(ScalarValue::new_list_nullable(&tags, &DataType::Utf8))
            }
            Kind::Wild => ScalarValue::Float64(Some(*random.pick(&WILD))),
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
            Kind::Small => format!("CAST({} AS SMALLINT)", random.between(-1, 5)),
            Kind::Real => format!("CAST({} AS REAL)", random.between(-4, 6) as f64 / 4.0),
            Kind::Wide => format!("CAST({} AS NUMERIC(38, 10))", random.between(-2, 4) as f64 / 4.0),
            Kind::Bytes => format!("X'{}'", random.pick(&["", "61", "62", "6162"])),
            Kind::Clock => format!("arrow_cast('00:00:0{}', 'Time64(Microsecond)')", random.between(0, 5)),
            Kind::Instant => format!("TIMESTAMPTZ '2024-01-01 00:0{}:00+00'", random.between(0, 4)),
            Kind::Span => format!("INTERVAL '{} seconds'", random.between(0, 2)),
            Kind::Tags => format!("make_array('{}', '{}')", random.pick(&TEXTS), random.pick(&TEXTS)),
            Kind::Wild => format!("CAST('{}' AS DOUBLE)", random.pick(&["0.1", "1e308", "inf", "-1"])),
        }
    }
}

/// Mostly in the first minutes of 2024, now and then before 1970.
fn moment_us(random: &mut Random) -> i64 {
    if random.one_in(8) { random.between(-3, -1) * 2_500_001 } else { EPOCH_US + random.between(0, 40) * 7_500_000 }
}

/// A column of a relation or of a query's result.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, unique in the relation or result.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}
