//! Nexmark: each query as DataFusion's batch query, and as a live sink with commits to RocksDB, over the same Arrow batches.
//!
//! Events are generated beforehand, in the proportions of the original (1 person, 3 auctions, 46 bids of 50), 100,000 events
//! per second of event time. "Events" counts all of them, also when a query reads only bids. Neither side decodes its
//! input or delivers its output anywhere; the live side keeps state, commits it, and remembers source positions.

mod batch;
mod data;
mod live;
mod plan;
mod query;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

pub use query::{QUERIES, Query};

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Query names (`q0`); empty for all.
    pub queries: Vec<String>,
    /// Events, all three kinds together.
    pub events: u64,
    /// Tasks of the engine, and partitions of DataFusion.
    pub tasks: usize,
    /// Where the live side keeps its state: a directory that must not exist or be empty; each query gets a directory in it, removed afterwards.
    pub data: PathBuf,
}

/// One measured run, printed as one line of JSON. Rates count all events.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `q0` ...
    pub query: String,
    /// `monsoon` or `datafusion`.
    pub engine: &'static str,
    /// Events generated.
    pub events: u64,
    /// Tasks or partitions.
    pub tasks: usize,
    /// Per second of wall clock.
    pub events_per_s: f64,
    /// Per second of CPU over all threads of the process.
    pub events_per_cpu_s: f64,
    /// CPU seconds.
    pub cpu_s: f64,
    /// Events per CPU-second of the live run over those of the batch run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_to_datafusion: Option<f64>,
    /// Median time from the arrival of a batch's first row to its commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_p50_ms: Option<f64>,
    /// 99th percentile of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_p99_ms: Option<f64>,
    /// Peak resident memory of the process, generated events included.
    pub peak_rss_mb: f64,
    /// Bytes handed to RocksDB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_written: Option<u64>,
    /// Rows of the result (batch), or rows changed (live).
    pub rows_out: u64,
}

/// Runs the queries one after the other and gives each report to `print` as it is known.
pub async fn run(options: &Options, print: &mut dyn FnMut(&Report)) -> Result<()> {
    let queries = query::select(&options.queries)?;
    let data = data::Events::generate(options.events);
    for query in queries {
        let batch = batch::run(query, &data, options).await.with_context(|| format!("{} in DataFusion", query.name))?;
        print(&batch);
        let mut live = live::run(query, &data, options).await.with_context(|| format!("{} in Monsoon", query.name))?;
        live.ratio_to_datafusion = Some(live.events_per_cpu_s / batch.events_per_cpu_s);
        print(&live);
    }
    Ok(())
}
