//! A query over each window of tuples.
//!
//! The query's `input` is the window's tuples, with two more columns that say where the window is: `window_start` (null where windows count tuples)
//! and `window_end`. What it answers is emitted, anchored to all tuples of the window.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, Windowed, WindowedBolt};
use monsoon_topology::{Bolt, Failure, Outcome, Streams, Value};

use super::rows;
use super::sql_bolt::BoltQuery;
use crate::session::folded;
use crate::statement::{self, WindowExtent, WindowForm};

const START: &str = "window_start";
const END: &str = "window_end";

/// The columns of a window's `input`: those of the tuples, and where the window is. A column of that name hides ours.
pub(super) fn window_schema(tuples: &SchemaRef) -> SchemaRef {
    let time = |name: &str| Arc::new(Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true));
    let own = [START, END].into_iter().filter(|name| tuples.field_with_name(name).is_err()).map(time);
    Arc::new(Schema::new(tuples.fields().iter().cloned().chain(own).collect::<Vec<_>>()))
}

/// Makes the instances of a bolt that runs a query over each window. Sessions are per `key`; other windows are a task's, as in Storm.
pub(super) fn window_bolt(
    query: BoltQuery,
    columns: usize,
    window: Window,
    key: &[String],
) -> monsoon_topology::Result<Box<dyn Fn() -> Box<dyn Bolt> + Send + Sync>> {
    let window = if window.is_session() { window.key(key) } else { window };
    window.check()?;
    Ok(Box::new(move || Box::new(Windowed::new(window.clone(), WindowQuery { query: query.clone(), columns }))))
}

/// The windows that a statement describes.
pub(super) fn storm_window(window: &statement::Window) -> Window {
    let ms = Duration::from_millis;
    let mut made = match window.form {
        WindowForm::Session { gap_ms } => Window::session(ms(gap_ms)),
        WindowForm::Tumbling(WindowExtent::TimeMs(length)) => Window::tumbling(ms(length)),
        WindowForm::Tumbling(WindowExtent::Rows(length)) => Window::tumbling(u64::from(length)),
        WindowForm::Sliding { length, slide } => sliding(length, slide),
    };
    if let Some(field) = &window.timestamp_field {
        made = made.timestamp_field(&folded(field));
    }
    if let Some(lag) = window.lag_ms {
        made = made.lag(ms(lag));
    }
    if let Some(interval) = window.watermark_interval_ms {
        made = made.watermark_interval(ms(interval));
    }
    if let Some(stream) = &window.late_stream {
        made = made.late_stream(&folded(stream));
    }
    if let Some(lateness) = window.allowed_lateness_ms {
        made = made.allowed_lateness(ms(lateness));
    }
    if let Some(timeout) = window.idle_timeout_ms {
        made = made.idle_timeout(ms(timeout));
    }
    made
}

fn sliding(length: WindowExtent, slide: Option<WindowExtent>) -> Window {
    let (ms, rows) = (Duration::from_millis, u64::from);
    match (length, slide) {
        (WindowExtent::TimeMs(length), None) => Window::per_tuple(ms(length)),
        (WindowExtent::Rows(length), None) => Window::per_tuple(rows(length)),
        (WindowExtent::TimeMs(length), Some(WindowExtent::TimeMs(slide))) => Window::sliding(ms(length), ms(slide)),
        (WindowExtent::TimeMs(length), Some(WindowExtent::Rows(slide))) => Window::sliding(ms(length), rows(slide)),
        (WindowExtent::Rows(length), Some(WindowExtent::TimeMs(slide))) => Window::sliding(rows(length), ms(slide)),
        (WindowExtent::Rows(length), Some(WindowExtent::Rows(slide))) => Window::sliding(rows(length), rows(slide)),
    }
}

/// A query that is run over each window from its beginning.
struct WindowQuery {
    query: BoltQuery,
    /// Columns of the tuples.
    columns: usize,
}

impl WindowedBolt for WindowQuery {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(self.query.fields());
    }

    fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome {
        let time = |ms: i64| Value::Timestamp(ms.saturating_mul(1000));
        let place = [window.start_ms().map_or(Value::Null, time), time(window.end_ms())];
        let own = self.query.input_schema.fields().len() - self.columns;
        let rows: Vec<Vec<Value>> = window
            .iter()
            .map(|tuple| tuple.values().iter().chain(&place[place.len() - own..]).cloned().collect())
            .collect();
        let rows: Vec<&[Value]> = rows.iter().map(Vec::as_slice).collect();
        let (answer, errors) = self.query.circuit()?.answer(self.query.rows(&rows)?)?;
        for error in errors {
            collector.report_error(format!("{}: {} in {}", error.expression, error.reason, error.row));
        }
        for rows in answer {
            let values = rows::values(&rows).map_err(|error| Failure::new(error.message))?;
            let width = rows.num_columns();
            (0..rows.num_rows())
                .try_for_each(|row| collector.emit(&values[row * width..(row + 1) * width]).map(drop))?;
        }
        Ok(())
    }
}
