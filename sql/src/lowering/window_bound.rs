//! `WindowBound`s: which key column of an operator tells when a key is over, and what then.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};
use monsoon_circuit::{OnClose, Operator, WindowBound};

use super::builder::Builder;
use super::event_time::{self, EventTime, Measure};
use super::relation::Relation;
use crate::error::SqlError;

/// How the groups of an aggregate end.
pub(super) struct GroupEnd {
    /// The bound; its end is a place in the group expressions, `hidden` included as the last.
    pub window: Option<WindowBound>,
    /// The end of the window, where only its start is grouped by.
    pub hidden: Option<Expr>,
}

impl Builder<'_> {
    /// How the groups of an aggregate over `input` end. With EMIT ON WINDOW CLOSE, an aggregate that can't tell is refused.
    ///
    /// An aggregate closes groups at the start of a step, by the watermark committed before the batch, and takes its input
    /// after that; so rows that an aggregate below emits as their window closes still find their group, and the state goes
    /// a batch later.
    pub fn group_end(&self, input: &Relation, group: &[Expr]) -> Result<GroupEnd, SqlError> {
        let times: Vec<Option<EventTime>> = group.iter().map(|key| self.key_time(key, input)).collect();
        let found = |wanted: fn(&Measure) -> bool| {
            times
                .iter()
                .enumerate()
                .find_map(|(place, time)| Some((place, time.as_ref().filter(|time| wanted(&time.measure))?)))
        };
        let end = found(|measure| matches!(measure, Measure::End { .. }));
        let start = found(|measure| matches!(measure, Measure::Start { .. }));
        let bounded = end.or(start);
        // A change can come to a group whose window is over if the input takes rows back then: its state has to stay.
        let emits = self.context.emit_on_window_close;
        let Some((place, time)) = bounded.filter(|(_, time)| input.facts.append_only || (time.settled && !emits))
        else {
            if self.context.emit_on_window_close && !input.facts.emitted {
                return Err(self.no_bound(input, group, bounded.is_some()));
            }
            return Ok(GroupEnd { window: None, hidden: None });
        };
        let hidden = if end.is_some() { None } else { Some(end_of(&group[place], time)) };
        let window = WindowBound {
            end: if hidden.is_some() { group.len() } else { place },
            watermarks: time.streams.iter().copied().collect(),
            // Rows that come when their window closes are final: an aggregate of them has nothing to wait for.
            on_close: if self.context.emit_on_window_close && !time.closed {
                OnClose::Emit
            } else {
                OnClose::DropState
            },
        };
        Ok(GroupEnd { window: Some(window), hidden })
    }

    /// How the value of a key over `input` follows event time, if it can bound anything.
    pub fn key_time(&self, key: &Expr, input: &Relation) -> Option<EventTime> {
        let time = event_time::of_expression(key, &input.schema, &input.facts.times)?;
        is_timestamp(key, input).then_some(time)
    }

    /// EMIT ON WINDOW CLOSE needs something that closes.
    pub fn check_emission(&self) -> Result<(), SqlError> {
        let emits = self.nodes.iter().any(|node| match &node.operator {
            Operator::Aggregate(aggregate) => {
                aggregate.window.as_ref().is_some_and(|window| window.on_close == OnClose::Emit)
            }
            _ => false,
        });
        if self.context.emit_on_window_close && !emits {
            let text =
                "EMIT ON WINDOW CLOSE has nothing to wait for: the query has no aggregate over an event-time window";
            return Err(SqlError::unsupported(text)
                .with_hint("read the stream through TUMBLE(...) or HOP(...), and GROUP BY window_start, window_end"));
        }
        Ok(())
    }

    fn no_bound(&self, input: &Relation, group: &[Expr], has_window: bool) -> SqlError {
        let (why, hint) = match (has_window, input.facts.append_only) {
            (true, _) => (
                "rows below the aggregate can be taken back after the window has closed",
                "aggregate the stream first, and join the result",
            ),
            (false, true) => (
                "no group column is a window over a stream's watermarked column",
                "declare WATERMARK FOR on the stream, read it through TUMBLE(...) or HOP(...), and GROUP BY window_start, window_end",
            ),
            (false, false) => (
                "no group column is a window over a stream's watermarked column",
                "only streams with a watermark have windows that close, and a join keeps event time only in columns it joins on: aggregate the stream first, and join the result",
            ),
        };
        self.refusals.at(format!("EMIT ON WINDOW CLOSE can't be kept here: {why}"), group).with_hint(hint)
    }
}

/// The bound that the times of an operator's keys give: one is the end of a window after which no row comes or goes.
pub(super) fn settled_end(keys: &[Option<EventTime>]) -> Option<WindowBound> {
    let is_end = |time: &&EventTime| time.settled && matches!(time.measure, Measure::End { .. });
    let (end, time) = keys.iter().enumerate().find_map(|(place, time)| Some((place, time.as_ref().filter(is_end)?)))?;
    Some(WindowBound { end, watermarks: time.streams.iter().copied().collect(), on_close: OnClose::DropState })
}

fn is_timestamp(expression: &Expr, input: &Relation) -> bool {
    let data_type = expression.get_type(input.schema.as_ref());
    matches!(data_type, Ok(DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)))
}

fn end_of(start: &Expr, time: &EventTime) -> Expr {
    let size_ns = match time.measure {
        Measure::Start { size_ns } => size_ns,
        Measure::Instant | Measure::Starts { .. } | Measure::End { .. } => 0,
    };
    let start = match start {
        Expr::Alias(alias) => alias.expr.as_ref(),
        other => other,
    };
    start.clone() + lit(ScalarValue::new_interval_mdn(0, 0, size_ns))
}
