//! Memory under back-pressure: a spout at full speed into a bolt that sleeps. What waits is bounded, by two queues of tuples: one in the
//! bolt's inbox, and one that it has taken out. So memory must be flat once both were full. A tuple waits longer than the default message time-out of 30 s there: with acking
//! most trees fail, so events are what the bolt has executed.

use std::time::{Duration, Instant};

use monsoon_topology::{Result, RunningTopology, StartOptions};

use super::shape::{LAST, topology};
use super::throughput::Endless;
use super::{Cell, Report};
use crate::process::{cpu_s, peak_rss_mb, reset_peak_memory, rss_mb};

/// `queue_tuples`, when nothing else is set.
const QUEUE_TUPLES: u64 = 32_768;

/// Runs the topology until the bolt has emptied its queue twice, by when the first trees have timed out too, and then for the time to be measured.
/// The peak is that after the warm-up.
pub(crate) fn measure(cell: &Cell, seconds: f64) -> Result<Report> {
    let topology = topology(cell, &Endless::default())?;
    let start_rss_mb = Some(rss_mb());
    let running = RunningTopology::start(&topology, StartOptions::default())?;
    while running.counts(LAST).executed < 2 * QUEUE_TUPLES {
        std::thread::sleep(Duration::from_millis(100));
    }
    reset_peak_memory();
    let warm_rss_mb = Some(rss_mb());
    let (cpu_before, events_before, started) = (cpu_s(), running.counts(LAST).executed, Instant::now());
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let events = running.counts(LAST).executed - events_before;
    let (wall, cpu) = (started.elapsed().as_secs_f64(), (cpu_s() - cpu_before).max(0.005));
    Ok(Report {
        events,
        events_per_s: events as f64 / wall,
        events_per_cpu_s: events as f64 / cpu,
        peak_rss_mb: peak_rss_mb(),
        start_rss_mb,
        warm_rss_mb,
        end_rss_mb: Some(rss_mb()),
        ..cell.report()
    })
}
