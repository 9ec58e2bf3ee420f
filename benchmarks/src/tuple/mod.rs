//! The tuple path: small topologies at full speed, and on a schedule for their latency.
//!
//! Shapes: `constant` (spout -> null), `identity` (spout -> identity -> null), `word_count` (sentences -> split -> count by word) and
//! `sleeping` (spout -> a bolt that sleeps 1 ms per tuple, for memory under back-pressure). One task per component. "Events" are
//! tuples executed by the last bolt; with acking, trees that were complete. In `word_count` they are words.
//!
//! Per shape, acking and batch size there are two lines: full speed, with the latency at a rate below it; and the fixed rate.
//! Knows the tuple path only, so that the measurement can be built without SQL.

mod histogram;
mod latency;
mod shape;
mod sleeping;
mod throughput;

use monsoon_topology::Result;
use serde::Serialize;

pub use shape::Shape;

/// The rate of the second line of each cell, in events per second.
const FIXED_RATE_PER_S: f64 = 100_000.0;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Shapes.
    pub shapes: Vec<Shape>,
    /// Acking off, on.
    pub acking: Vec<bool>,
    /// Values of `batch_tuples`.
    pub batch_tuples: Vec<usize>,
    /// Seconds of each run, after its warm-up.
    pub seconds: f64,
    /// Events per second of the latency in the first line; `None`: half of the rate at full speed.
    pub rate_per_s: Option<f64>,
}

/// One topology to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub shape: Shape,
    pub acking: bool,
    pub batch_tuples: usize,
}

/// One measured run, printed as one line of JSON.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// `tuple_constant` ...
    pub query: String,
    /// `monsoon`.
    pub engine: &'static str,
    /// Whether tuples are tracked until their trees are complete.
    pub acking: bool,
    /// Tuples gathered into one message, at most.
    pub batch_tuples: usize,
    /// Events counted.
    pub events: u64,
    /// Tasks of the topology, each with a thread.
    pub tasks: usize,
    /// Per second of wall clock.
    pub events_per_s: f64,
    /// Per second of CPU over all threads of the process.
    pub events_per_cpu_s: f64,
    /// Events per second of the schedule that latencies were measured on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    /// Median time from when a tuple should have been emitted until it was executed by the last bolt; with acking, until its ack reached the spout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p50_us: Option<f64>,
    /// 99th percentile of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p99_us: Option<f64>,
    /// 99.9th percentile of the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p999_us: Option<f64>,
    /// Peak resident memory of the process.
    pub peak_rss_mb: f64,
    /// Resident memory before the topology was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_rss_mb: Option<f64>,
    /// Resident memory when the warm-up was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_rss_mb: Option<f64>,
    /// Resident memory at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_rss_mb: Option<f64>,
}

/// Measures one cell after the other and gives each report to `print` as it is known.
pub fn run(options: &Options, print: &mut dyn FnMut(&Report)) -> Result<()> {
    for &shape in &options.shapes {
        for &acking in &options.acking {
            for &batch_tuples in &options.batch_tuples {
                let cell = Cell { shape, acking, batch_tuples };
                match shape {
                    Shape::Sleeping => print(&sleeping::measure(&cell, options.seconds)?),
                    _ => measure(&cell, options, print)?,
                }
            }
        }
    }
    Ok(())
}

fn measure(cell: &Cell, options: &Options, print: &mut dyn FnMut(&Report)) -> Result<()> {
    let full_speed = throughput::measure(cell, options.seconds)?;
    let below = options.rate_per_s.unwrap_or(full_speed.events_per_s / 2.0);
    let loaded = latency::measure(cell, below, options.seconds)?;
    print(&Report {
        rate_per_s: loaded.rate_per_s,
        latency_p50_us: loaded.latency_p50_us,
        latency_p99_us: loaded.latency_p99_us,
        latency_p999_us: loaded.latency_p999_us,
        ..full_speed
    });
    print(&latency::measure(cell, FIXED_RATE_PER_S, options.seconds)?);
    Ok(())
}

impl Cell {
    fn report(&self) -> Report {
        Report {
            query: format!("tuple_{}", self.shape.name()),
            engine: "monsoon",
            acking: self.acking,
            batch_tuples: self.batch_tuples,
            tasks: self.shape.tasks(),
            ..Report::default()
        }
    }
}
