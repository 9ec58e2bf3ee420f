//! `DatagenSource`: random rows for any schema of booleans, numbers, texts and timestamps.
//!
//! Row n depends on (seed, n) only, so its number is the position, and any replay is exact. Options, after those of
//! Flink and RisingWave: `seed`, `rows_per_second` (0 or absent: no limit), `row_count`, and for each column
//! `fields.<column>.kind` = 'random' (`min`, `max`, both included; `length` of a text) or 'sequence' (`start`, `end`;
//! the source ends with its shortest sequence). A timestamp is a sequence unless told otherwise: rows are evenly spaced
//! by `rows_per_second` (1000 a second where there is no limit) from `start`, or from now if paced.
//!
//! Position: `{"next_row": n, "start_us": t}`; the start time belongs to it for the same reason as in nexmark.

mod column;
#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use self::column::Column;
use crate::pace::Pace;
use crate::{Clock, Error, Options, Position, Read, Result, Source};

const ROWS_PER_READ_MAX: usize = 65_536;
/// 2015-07-15 00:00:00 UTC, the same as nexmark's.
const START_US_DEFAULT: i64 = 1_436_918_400_000_000;
/// How timestamps are spaced when nothing paces the rows.
const ROWS_PER_SECOND_UNPACED: u64 = 1_000;

const OPTIONS: [&str; 10] = [
    "connector",
    "seed",
    "rows_per_second",
    "row_count",
    "fields.*.kind",
    "fields.*.start",
    "fields.*.end",
    "fields.*.min",
    "fields.*.max",
    "fields.*.length",
];

/// How row n's event time follows from n.
#[derive(Debug, Clone, Copy)]
struct Timeline {
    start_us: i64,
    rows_per_second: u64,
}

/// Generates rows of a schema.
pub struct DatagenSource {
    schema: SchemaRef,
    columns: Vec<Column>,
    seed: u64,
    timeline: Timeline,
    /// Rows from here on don't exist.
    row_end: u64,
    pace: Pace,
    next_row: u64,
}

#[derive(Serialize, Deserialize)]
struct Place {
    next_row: u64,
    start_us: i64,
}

impl DatagenSource {
    /// A source of these columns.
    pub fn new(options: &Options, schema: SchemaRef, clock: Box<dyn Clock>) -> Result<DatagenSource> {
        options.reject_unknown("datagen", &OPTIONS)?;
        reject_unknown_columns(options, &schema)?;
        let rate = options.unsigned("rows_per_second", 0)?.unwrap_or(0);
        let start_us = if rate == 0 { START_US_DEFAULT } else { clock.now_us() };
        let rows_per_second = if rate == 0 { ROWS_PER_SECOND_UNPACED } else { rate };
        let columns: Vec<Column> =
            schema.fields().iter().map(|field| Column::from_options(options, field)).collect::<Result<_>>()?;
        let row_count = options.unsigned("row_count", 0)?.unwrap_or(u64::MAX);
        let row_end = columns.iter().filter_map(Column::row_end).fold(row_count, u64::min);
        Ok(DatagenSource {
            schema,
            columns,
            seed: options.unsigned("seed", 0)?.unwrap_or(0),
            timeline: Timeline { start_us, rows_per_second },
            row_end,
            pace: Pace::new(rate, clock),
            next_row: 0,
        })
    }
}

impl Source for DatagenSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn position(&self) -> Position {
        Position(serde_json::json!({ "next_row": self.next_row, "start_us": self.timeline.start_us }))
    }

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.pace.restart();
        if position.0.is_null() {
            self.next_row = 0;
            return Ok(());
        }
        let place: Place = serde_json::from_value(position.0.clone()).map_err(|error| {
            Error::NotReplayable(format!("{} is not a position of a datagen source: {error}", position.0))
        })?;
        self.next_row = place.next_row;
        self.timeline.start_us = place.start_us;
        Ok(())
    }

    fn replay(&mut self, until: &Position) -> Result<()> {
        self.seek(until)?;
        self.next_row = 0;
        self.pace.lift();
        Ok(())
    }

    fn read(&mut self, rows_max: usize) -> Result<Read> {
        if self.next_row >= self.row_end {
            return Ok(Read::End);
        }
        let due = self.pace.due(self.next_row);
        if due <= self.next_row {
            return Ok(Read::Idle(self.pace.wait(self.next_row)));
        }
        let wanted = rows_max.clamp(1, ROWS_PER_READ_MAX) as u64;
        let end = due.min(self.row_end).min(self.next_row.saturating_add(wanted));
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| column.generate(self.seed, index, self.timeline, self.next_row..end))
            .collect::<Result<_>>()?;
        let rows = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Error::NotReplayable(format!("datagen: {error}")))?;
        self.next_row = end;
        Ok(Read::Rows { rows, next: self.position(), bad: Vec::new() })
    }
}

/// Whether the options or the columns of a datagen source give it an end.
pub(crate) fn is_bounded(options: &Options) -> bool {
    options.iter().any(|(name, _)| name == "row_count" || (name.starts_with("fields.") && name.ends_with(".end")))
}

/// An option `fields.x.kind` where there is no column x is a mistake.
fn reject_unknown_columns(options: &Options, schema: &SchemaRef) -> Result<()> {
    for (name, _) in options.iter() {
        let Some((column, _)) = name.strip_prefix("fields.").and_then(|rest| rest.rsplit_once('.')) else { continue };
        if !schema.fields().iter().any(|field| field.name().to_lowercase() == column) {
            return Err(Error::option(name, format!("option \"{name}\": there is no column \"{column}\"")));
        }
    }
    Ok(())
}
