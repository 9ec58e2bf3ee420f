//! Full speed: how many events per second, of wall clock and of CPU.

use std::time::{Duration, Instant};

use monsoon_topology::{Moment, Result, RunningTopology, StartOptions};

use super::shape::{LAST, SPOUT, Source, topology};
use super::{Cell, Report};
use crate::process::{cpu_s, peak_rss_mb, reset_peak_memory};

/// Time for batches to grow and for queues to fill.
const WARM_UP: Duration = Duration::from_millis(500);

/// Always has another tuple.
#[derive(Clone, Default)]
pub(crate) struct Endless(i64);

impl Source for Endless {
    fn next(&mut self) -> Option<i64> {
        self.0 += 1;
        Some(self.0)
    }

    fn arrived(&mut self, _: i64) {}

    fn ended(&mut self) {}

    fn next_poll(&self) -> Option<Moment> {
        None
    }
}

/// Measures a cell at full speed.
pub(crate) fn measure(cell: &Cell, seconds: f64) -> Result<Report> {
    let topology = topology(cell, &Endless::default())?;
    reset_peak_memory();
    let running = RunningTopology::start(&topology, StartOptions::default())?;
    std::thread::sleep(WARM_UP);
    let (cpu_before, events_before, started) = (cpu_s(), events(cell, &running), Instant::now());
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let events = events(cell, &running) - events_before;
    let (wall, cpu) = (started.elapsed().as_secs_f64(), (cpu_s() - cpu_before).max(0.005));
    Ok(Report {
        events,
        events_per_s: events as f64 / wall,
        events_per_cpu_s: events as f64 / cpu,
        peak_rss_mb: peak_rss_mb(),
        ..cell.report()
    })
}

/// Events so far.
pub(crate) fn events(cell: &Cell, running: &RunningTopology) -> u64 {
    match cell.acking {
        true => running.counts(SPOUT).acked * cell.shape.events_per_tuple(),
        false => running.counts(LAST).executed,
    }
}
