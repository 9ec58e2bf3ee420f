//! `NexmarkSource`: one table of the generator as a source.
//!
//! Position: `{"next_event": n, "start_us": t}`. The start time is part of it because a paced source that was not told
//! a start time takes the time of its first start, and must keep it after a restart.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::event::{event_of_row, rows_before};
use super::{NexmarkConfig, NexmarkTable};
use crate::pace::Pace;
use crate::{Clock, Error, Position, Read, Result, Source};

/// Rows of one read: about 13 MB of bids.
const ROWS_PER_READ_MAX: usize = 65_536;

/// Generates one table.
pub struct NexmarkSource {
    config: NexmarkConfig,
    table: NexmarkTable,
    schema: SchemaRef,
    /// Which of the table's columns make up the schema.
    columns: Vec<usize>,
    pace: Pace,
    /// How many rows of the table came before the next one.
    next_row: u64,
}

#[derive(Serialize, Deserialize)]
struct Place {
    next_event: u64,
    start_us: i64,
}

impl NexmarkSource {
    /// A source of the given columns, which must be columns of the table.
    pub fn new(
        config: NexmarkConfig,
        table: NexmarkTable,
        schema: SchemaRef,
        clock: Box<dyn Clock>,
    ) -> Result<NexmarkSource> {
        let columns = pick_columns(table, &schema)?;
        let pace = Pace::new(config.rate, clock);
        Ok(NexmarkSource { config, table, schema, columns, pace, next_row: 0 })
    }

    fn next_event(&self) -> u64 {
        event_of_row(self.table, self.next_row)
    }
}

impl Source for NexmarkSource {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn position(&self) -> Position {
        Position(serde_json::json!({ "next_event": self.next_event(), "start_us": self.config.start_us }))
    }

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.pace.restart();
        if position.0.is_null() {
            self.next_row = 0;
            return Ok(());
        }
        let place: Place = serde_json::from_value(position.0.clone()).map_err(|error| {
            Error::NotReplayable(format!("{} is not a position of a nexmark source: {error}", position.0))
        })?;
        self.next_row = rows_before(self.table, place.next_event);
        self.config.start_us = place.start_us;
        Ok(())
    }

    fn replay(&mut self, _until: &Position) -> Result<()> {
        self.pace.lift();
        Ok(())
    }

    fn read(&mut self, rows_max: usize) -> Result<Read> {
        let rows_end = self.config.event_count.map_or(u64::MAX, |events| rows_before(self.table, events));
        if self.next_row >= rows_end {
            return Ok(Read::End);
        }
        let due = rows_before(self.table, self.pace.due(self.next_event()));
        if due <= self.next_row {
            return Ok(Read::Idle(self.pace.wait(self.next_event())));
        }
        let wanted = rows_max.clamp(1, ROWS_PER_READ_MAX) as u64;
        let end = due.min(rows_end).min(self.next_row + wanted);
        let generated = self.table.generate_rows(&self.config, self.next_row..end);
        let columns = self.columns.iter().map(|&index| generated[index].clone()).collect();
        let rows = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Error::NotReplayable(format!("nexmark: {error}")))?;
        self.next_row = end;
        Ok(Read::Rows { rows, next: self.position(), bad: Vec::new() })
    }
}

/// Finds each declared column in the table.
fn pick_columns(table: NexmarkTable, schema: &SchemaRef) -> Result<Vec<usize>> {
    let generated = table.schema();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let (index, known) = generated.column_with_name(field.name()).ok_or_else(|| {
            let names: Vec<&str> = generated.fields().iter().map(|field| field.name().as_str()).collect();
            Error::option(
                "table",
                format!(
                    "nexmark table {} has no column \"{}\": it has {}",
                    table.name(),
                    field.name(),
                    names.join(", ")
                ),
            )
        })?;
        if known.data_type() != field.data_type() {
            return Err(Error::option(
                "table",
                format!(
                    "column \"{}\" of nexmark table {} is {}, not {}",
                    field.name(),
                    table.name(),
                    known.data_type(),
                    field.data_type()
                ),
            ));
        }
        columns.push(index);
    }
    Ok(columns)
}
