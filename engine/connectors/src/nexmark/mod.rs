//! The Nexmark events: an online auction's persons, auctions and bids, generated straight into Arrow columns.
//!
//! Parameters follow the generator of the Nexmark benchmark suite (`NexmarkConfiguration`): of 50 events 1 is a person,
//! 3 are auctions and 46 are bids; half of the bids go to the hot auction; three quarters of the bidders and sellers are
//! the hot ones; 100 auctions are in flight, 1000 people active; events are in order. Columns are named as in the
//! SQL of Flink and RisingWave.
//!
//! Three choices of ours:
//! - Every event depends on (seed, event number) only. So any range can be generated on its own, the position of a
//!   source is the next event number, and a source of bids skips the other events at no cost.
//! - The official generator adds the first person id to a bidder twice, by mistake, so that bidders are hardly ever
//!   persons. We add it once: bidders are persons, as they were meant to be (joins of bids with persons find more).
//! - Times have microseconds, so events a second apart by rate are evenly spaced at any rate.

mod auction;
mod bid;
mod event;
mod person;
mod price;
mod source;
#[cfg(test)]
mod tests;
mod text;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use std::sync::Arc;

use crate::options::wrong_value;
use crate::{Clock, Options, Result};

pub use source::NexmarkSource;

/// 2015-07-15 00:00:00 UTC, where the official generator's time begins.
const START_US_DEFAULT: i64 = 1_436_918_400_000_000;

/// What is generated, and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NexmarkConfig {
    /// Stop after this many events (of all three tables together); `None` = never.
    pub event_count: Option<u64>,
    /// How event times are spaced: event n happens at `start_us` + n / this. At least 1.
    pub events_per_second: u64,
    /// At most this many events (of all three tables together) per second of wall time; 0 = as fast as possible.
    pub rate: u64,
    /// Event time of event 0, in microseconds since 1970.
    pub start_us: i64,
    /// Another seed gives other events.
    pub seed: u64,
}

impl Default for NexmarkConfig {
    fn default() -> NexmarkConfig {
        NexmarkConfig { event_count: None, events_per_second: 10_000, rate: 0, start_us: START_US_DEFAULT, seed: 0 }
    }
}

impl NexmarkConfig {
    pub(crate) const OPTIONS: [&'static str; 7] =
        ["connector", "table", "event_count", "events_per_second", "rate", "start", "seed"];

    /// Reads the WITH list. With a `rate` the events start now unless `start` says otherwise, and are spaced at that
    /// rate unless `events_per_second` says otherwise: event time is wall time.
    pub fn from_options(options: &Options, clock: &dyn Clock) -> Result<NexmarkConfig> {
        options.reject_unknown("nexmark", &Self::OPTIONS)?;
        let default = NexmarkConfig::default();
        let rate = options.unsigned("rate", 0)?.unwrap_or(default.rate);
        let spacing = if rate == 0 { default.events_per_second } else { rate };
        let start = if rate == 0 { default.start_us } else { clock.now_us() };
        Ok(NexmarkConfig {
            event_count: options.unsigned("event_count", 0)?,
            events_per_second: events_per_second(options)?.unwrap_or(spacing),
            rate,
            start_us: options.timestamp_us("start")?.unwrap_or(start),
            seed: options.unsigned("seed", 0)?.unwrap_or(default.seed),
        })
    }
}

/// Above 1 000 000 000 the spacing would be far below the resolution of the times.
fn events_per_second(options: &Options) -> Result<Option<u64>> {
    match options.unsigned("events_per_second", 1)? {
        Some(value) if value > 1_000_000_000 => {
            Err(wrong_value("events_per_second", value, "a whole number of at most 1000000000"))
        }
        value => Ok(value),
    }
}

/// One of the three tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NexmarkTable {
    /// Someone who registers: id, name, email_address, credit_card, city, state, date_time, extra.
    Person,
    /// Something put up for auction: id, item_name, description, initial_bid, reserve, date_time, expires, seller,
    /// category, extra.
    Auction,
    /// A bid: auction, bidder, price, channel, url, date_time, extra.
    Bid,
}

impl NexmarkTable {
    /// All of them, in the order in which their events appear.
    pub const ALL: [NexmarkTable; 3] = [NexmarkTable::Person, NexmarkTable::Auction, NexmarkTable::Bid];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            NexmarkTable::Person => "person",
            NexmarkTable::Auction => "auction",
            NexmarkTable::Bid => "bid",
        }
    }

    /// Its columns.
    pub fn schema(self) -> SchemaRef {
        let columns = match self {
            NexmarkTable::Person => person::columns(),
            NexmarkTable::Auction => auction::columns(),
            NexmarkTable::Bid => bid::columns(),
        };
        let fields: Vec<Field> = columns.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
        Arc::new(Schema::new(fields))
    }

    pub(crate) fn from_options(options: &Options) -> Result<NexmarkTable> {
        options.require("table", "person, auction or bid")?;
        let word = options.choice("table", &Self::ALL.map(NexmarkTable::name))?;
        Ok(Self::ALL.into_iter().find(|table| Some(table.name()) == word).unwrap_or(NexmarkTable::Bid))
    }

    /// The columns of the rows with these ordinals.
    fn generate_rows(self, config: &NexmarkConfig, rows: std::ops::Range<u64>) -> Vec<ArrayRef> {
        match self {
            NexmarkTable::Person => person::generate(config, rows),
            NexmarkTable::Auction => auction::generate(config, rows),
            NexmarkTable::Bid => bid::generate(config, rows),
        }
    }
}

/// The rows of `table` among the events `first_event..end_event`, whatever `event_count` and `rate` are.
///
/// # Panics
/// When the texts of one column would exceed 2 GiB: keep a range below 4 million events.
pub fn generate(config: &NexmarkConfig, table: NexmarkTable, first_event: u64, end_event: u64) -> RecordBatch {
    let rows = event::rows_before(table, first_event)..event::rows_before(table, end_event.max(first_event));
    let columns = table.generate_rows(config, rows);
    RecordBatch::try_new(table.schema(), columns).expect("the columns are those of the schema")
}
