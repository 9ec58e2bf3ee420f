//! Events, generated before any clock runs.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use monsoon_connectors::nexmark::{NexmarkConfig, NexmarkTable, generate};
use monsoon_connectors::{Position, Read, Result, Source};
use serde_json::json;

/// Events per generated batch, all kinds together.
const BATCH_EVENTS: u64 = 65_536;
/// Events per second of event time.
const EVENTS_PER_SECOND: u64 = 100_000;

/// The relations of Nexmark, in the order of their numbers.
pub(crate) const TABLES: [(&str, NexmarkTable); 3] =
    [("person", NexmarkTable::Person), ("auction", NexmarkTable::Auction), ("bid", NexmarkTable::Bid)];

/// Generated events, by table.
pub(crate) struct Events {
    pub count: u64,
    batches: Vec<Arc<Vec<RecordBatch>>>,
}

impl Events {
    pub fn generate(count: u64) -> Events {
        let config = NexmarkConfig {
            event_count: Some(count),
            events_per_second: EVENTS_PER_SECOND,
            ..NexmarkConfig::default()
        };
        let batches = TABLES.map(|(_, table)| {
            let starts = (0..count).step_by(BATCH_EVENTS as usize);
            let all = starts.map(|start| generate(&config, table, start, (start + BATCH_EVENTS).min(count)));
            Arc::new(all.collect::<Vec<_>>())
        });
        Events { count, batches: batches.to_vec() }
    }

    /// The batches of a table, by its place in [`TABLES`].
    pub fn table(&self, place: usize) -> &Arc<Vec<RecordBatch>> {
        &self.batches[place]
    }

    pub fn schema(&self, place: usize) -> SchemaRef {
        self.batches[place][0].schema()
    }
}

/// A source over generated batches: a read hands one out as it is.
pub(crate) struct Preloaded {
    schema: SchemaRef,
    batches: Arc<Vec<RecordBatch>>,
    next: usize,
    ended: Arc<dyn Fn() + Send + Sync>,
}

impl Preloaded {
    /// `ended` is called when everything has been handed out and asked for again.
    pub fn new(batches: Arc<Vec<RecordBatch>>, ended: Arc<dyn Fn() + Send + Sync>) -> Preloaded {
        Preloaded { schema: batches[0].schema(), batches, next: 0, ended }
    }
}

impl Source for Preloaded {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn position(&self) -> Position {
        Position(json!(self.next))
    }

    fn seek(&mut self, position: &Position) -> Result<()> {
        self.next = position.0.as_u64().unwrap_or_default() as usize;
        Ok(())
    }

    fn read(&mut self, _rows_max: usize) -> Result<Read> {
        let Some(rows) = self.batches.get(self.next) else {
            (self.ended)();
            return Ok(Read::End);
        };
        self.next += 1;
        Ok(Read::Rows { rows: rows.clone(), next: self.position(), bad: Vec::new() })
    }
}
