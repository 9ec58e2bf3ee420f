//! `EventTime`: how a column follows the event time of streams, so that a watermark tells when no more rows can come.
//!
//! A row that a stream accepts is never below the watermark committed before its batch. A column is followed from there
//! through expressions: the start of the window a row falls into, and that start plus the window's size. What isn't
//! recognised is `None`: nothing is dropped or emitted on its account.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};
use monsoon_circuit::RelationId;

const DAY_NS: i64 = 86_400_000_000_000;

/// What a column's values have to do with event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The moment itself: no future row has one below the watermark.
    Instant,
    /// The start of a window of this size that contains the row's moment.
    Start {
        /// Length of the window, in nanoseconds.
        size_ns: i64,
    },
    /// A list of such starts.
    Starts {
        /// Length of the window, in nanoseconds.
        size_ns: i64,
    },
    /// The end of such a window: once the watermark has reached it, no future row has it.
    End {
        /// Length of the window, in nanoseconds.
        size_ns: i64,
    },
}

/// The tie between a column and the event time of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventTime {
    /// What the values are.
    pub measure: Measure,
    /// The streams whose watermarks must all have passed.
    pub streams: BTreeSet<RelationId>,
    /// Rows come only when their window closes, all of a window in one batch (from an aggregate that emits on close).
    pub closed: bool,
    /// Rows neither come nor go once the watermarks have passed: not so where old rows give way to new ones.
    pub settled: bool,
}

impl EventTime {
    /// The watermarked column of a stream.
    pub fn of_stream(stream: RelationId, append_only: bool) -> EventTime {
        EventTime { measure: Measure::Instant, streams: BTreeSet::from([stream]), closed: false, settled: append_only }
    }

    /// The same of rows that may go at any time.
    pub fn unsettled(&self) -> EventTime {
        EventTime { settled: false, ..self.clone() }
    }

    fn measured(&self, measure: Measure) -> EventTime {
        EventTime { measure, ..self.clone() }
    }

    /// The same measure, by the watermarks of both.
    pub fn both(&self, other: &EventTime) -> Option<EventTime> {
        (self.measure == other.measure && self.closed == other.closed).then(|| EventTime {
            streams: self.streams.union(&other.streams).copied().collect(),
            settled: self.settled && other.settled,
            ..self.clone()
        })
    }

    /// A start plus the size is the end, an end minus the size the start.
    fn shifted(&self, op: Operator, by_ns: i64) -> Option<EventTime> {
        match (self.measure, op) {
            (Measure::Start { size_ns }, Operator::Plus) if size_ns == by_ns => {
                Some(self.measured(Measure::End { size_ns }))
            }
            (Measure::End { size_ns }, Operator::Minus) if size_ns == by_ns => {
                Some(self.measured(Measure::Start { size_ns }))
            }
            _ => None,
        }
    }

    /// An element of the list of starts.
    pub fn unnested(&self) -> Option<EventTime> {
        match self.measure {
            Measure::Starts { size_ns } => Some(self.measured(Measure::Start { size_ns })),
            _ => None,
        }
    }
}

/// How the value of an expression follows event time, given how the input's columns do.
pub(super) fn of_expression(expression: &Expr, schema: &DFSchema, times: &[Option<EventTime>]) -> Option<EventTime> {
    match expression {
        Expr::Column(column) => times.get(schema.maybe_index_of_column(column)?)?.clone(),
        Expr::Alias(alias) => of_expression(&alias.expr, schema, times),
        Expr::Cast(cast) => {
            let from = cast.expr.get_type(schema).ok()?;
            let exact = keeps_order_and_value(&from, cast.field.data_type());
            if exact { of_expression(&cast.expr, schema, times) } else { None }
        }
        Expr::ScalarFunction(call) => of_call(call, schema, times),
        Expr::BinaryExpr(binary) => of_sum(binary, schema, times),
        _ => None,
    }
}

fn of_call(call: &ScalarFunction, schema: &DFSchema, times: &[Option<EventTime>]) -> Option<EventTime> {
    let start = |size: &Expr| Some(Measure::Start { size_ns: length_ns(size)? });
    let (moment, measure) = match (call.func.name(), call.args.as_slice()) {
        ("date_bin", [size, moment]) => (moment, start(size)?),
        ("date_bin", [size, moment, Expr::Literal(..)]) => (moment, start(size)?),
        ("date_trunc", [part, moment]) => (moment, Measure::Start { size_ns: part_ns(part)? }),
        ("monsoon_tumble_start", [moment, size, ..]) => (moment, start(size)?),
        ("monsoon_tumble_end", [moment, size, ..]) => (moment, Measure::End { size_ns: length_ns(size)? }),
        ("monsoon_hop_starts", [moment, _slide, size, ..]) => (moment, Measure::Starts { size_ns: length_ns(size)? }),
        ("monsoon_window_end", [start, size]) => {
            return of_expression(start, schema, times)?.shifted(Operator::Plus, length_ns(size)?);
        }
        _ => return None,
    };
    let time = of_expression(moment, schema, times)?;
    (time.measure == Measure::Instant).then(|| time.measured(measure))
}

fn of_sum(binary: &BinaryExpr, schema: &DFSchema, times: &[Option<EventTime>]) -> Option<EventTime> {
    let (moment, interval) = match binary.op {
        Operator::Plus if interval_ns(&binary.left).is_some() => (&binary.right, &binary.left),
        Operator::Plus | Operator::Minus => (&binary.left, &binary.right),
        _ => return None,
    };
    of_expression(moment, schema, times)?.shifted(binary.op, interval_ns(interval)?)
}

/// A cast between timestamps that loses nothing.
fn keeps_order_and_value(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Timestamp(from_unit, from_zone), DataType::Timestamp(to_unit, to_zone)) => {
            from_zone == to_zone && fineness(from_unit) <= fineness(to_unit)
        }
        _ => from == to,
    }
}

fn fineness(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

/// A length given as an interval, or in nanoseconds as the window functions are.
fn length_ns(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Literal(ScalarValue::Int64(Some(length)), _) if *length > 0 => Some(*length),
        other => interval_ns(other),
    }
}

/// The length of a positive constant interval; `None` for one with months, which have no fixed length.
fn interval_ns(expression: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expression else { return None };
    let length = match value {
        ScalarValue::IntervalMonthDayNano(Some(interval)) if interval.months == 0 => {
            i64::from(interval.days).checked_mul(DAY_NS)?.checked_add(interval.nanoseconds)?
        }
        ScalarValue::IntervalDayTime(Some(interval)) => {
            let clock_ns = i64::from(interval.milliseconds).checked_mul(1_000_000)?;
            i64::from(interval.days).checked_mul(DAY_NS)?.checked_add(clock_ns)?
        }
        ScalarValue::DurationSecond(Some(length)) => length.checked_mul(1_000_000_000)?,
        ScalarValue::DurationMillisecond(Some(length)) => length.checked_mul(1_000_000)?,
        ScalarValue::DurationMicrosecond(Some(length)) => length.checked_mul(1_000)?,
        ScalarValue::DurationNanosecond(Some(length)) => *length,
        _ => return None,
    };
    (length > 0).then_some(length)
}

/// The length of what `date_trunc` cuts to, where it is fixed.
fn part_ns(expression: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expression else { return None };
    let second_ns = 1_000_000_000;
    match value.try_as_str()??.to_ascii_lowercase().as_str() {
        "second" => Some(second_ns),
        "minute" => Some(60 * second_ns),
        "hour" => Some(3_600 * second_ns),
        "day" => Some(DAY_NS),
        "week" => Some(7 * DAY_NS),
        _ => None,
    }
}
