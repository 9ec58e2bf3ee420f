//! Latency at a rate. Tuples have a schedule, made before they are: one that is emitted late, because the spout was held up, has waited
//! since its place in the schedule (no coordinated omission).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use monsoon_topology::{Clock, Error, Moment, Result, RunningTopology, StartOptions, SystemClock};

use super::histogram::Histogram;
use super::shape::{SPOUT, Source, topology};
use super::throughput::events;
use super::{Cell, Report};
use crate::process::{cpu_s, peak_rss_mb, reset_peak_memory};

/// Tuples that are due earlier aren't recorded.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long what was emitted may take to arrive.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// At higher rates only some arrivals are looked at, for a look at the clock costs about as much as a tuple.
const RECORDED_PER_S_MAX: f64 = 1_000_000.0;

/// What all parts of a run share.
struct Run {
    begin: Instant,
    /// The same moment on the topology's clock.
    begin_moment: Moment,
    tuples: u64,
    period_ns: f64,
    /// Of so many arrivals one is recorded.
    record_each: u64,
    latencies: Mutex<Histogram>,
}

/// Emits on schedule, and records how late tuples arrive. Times are nanoseconds since the beginning of the run.
struct Scheduled {
    run: Arc<Run>,
    next: u64,
    /// Tuples that were due at the last look at the clock.
    due: u64,
    arrived: u64,
    own: Histogram,
}

impl Clone for Scheduled {
    fn clone(&self) -> Scheduled {
        Scheduled::new(self.run.clone())
    }
}

impl Scheduled {
    fn new(run: Arc<Run>) -> Scheduled {
        Scheduled { run, next: 0, due: 0, arrived: 0, own: Histogram::default() }
    }
}

impl Run {
    fn due_ns(&self, tuple: u64) -> u64 {
        (tuple as f64 * self.period_ns) as u64
    }

    fn now_ns(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }
}

impl Source for Scheduled {
    fn next(&mut self) -> Option<i64> {
        if self.next >= self.due {
            let passed = (self.run.now_ns() as f64 / self.run.period_ns) as u64;
            self.due = passed.min(self.run.tuples);
            if self.next >= self.due {
                return None;
            }
        }
        self.next += 1;
        Some(self.run.due_ns(self.next) as i64)
    }

    fn arrived(&mut self, emitted: i64) {
        self.arrived += 1;
        if self.arrived.is_multiple_of(self.run.record_each) && emitted as u128 >= WARM_UP.as_nanos() {
            self.own.record(self.run.now_ns().saturating_sub(emitted as u64));
        }
    }

    fn ended(&mut self) {
        self.run.latencies.lock().unwrap_or_else(PoisonError::into_inner).add(&self.own);
    }

    fn next_poll(&self) -> Option<Moment> {
        let due = Duration::from_nanos(self.run.due_ns(self.next + 1) + 999);
        (self.next < self.run.tuples).then(|| self.run.begin_moment.after(due))
    }
}

/// Measures a cell at so many events per second.
pub(crate) fn measure(cell: &Cell, rate_per_s: f64, seconds: f64) -> Result<Report> {
    let clock = Arc::new(SystemClock::default());
    let tuples_per_s = rate_per_s / cell.shape.events_per_tuple() as f64;
    let arrivals_per_s = if cell.acking { tuples_per_s } else { rate_per_s };
    let run = Arc::new(Run {
        begin: Instant::now(),
        begin_moment: clock.now(),
        tuples: (tuples_per_s * (seconds + WARM_UP.as_secs_f64())) as u64,
        period_ns: 1e9 / tuples_per_s,
        // Odd, so that it doesn't keep step with batches.
        record_each: (arrivals_per_s / RECORDED_PER_S_MAX) as u64 | 1,
        latencies: Mutex::default(),
    });
    let topology = topology(cell, &Scheduled::new(run.clone()))?;
    reset_peak_memory();
    let (cpu_before, started) = (cpu_s(), Instant::now());
    let running = RunningTopology::start(&topology, StartOptions { clock, ..StartOptions::default() })?;
    std::thread::sleep(Duration::from_secs_f64(seconds) + WARM_UP);
    let end = Instant::now() + DRAIN_MAX;
    while running.counts(SPOUT).emitted < run.tuples && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    if !running.wait_settled(end.saturating_duration_since(Instant::now())) {
        let rate = format!("{rate_per_s:.0} events per second are too many: not all arrived within {DRAIN_MAX:?}");
        return Err(Error::Component { component: SPOUT.into(), reason: rate });
    }
    let (wall, cpu) = (started.elapsed().as_secs_f64(), (cpu_s() - cpu_before).max(0.005));
    let events = events(cell, &running);
    running.kill(Duration::ZERO)?;
    let latencies = run.latencies.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Report {
        events,
        events_per_s: events as f64 / wall,
        events_per_cpu_s: events as f64 / cpu,
        rate_per_s: Some(rate_per_s),
        latency_p50_us: latencies.quantile_us(0.5),
        latency_p99_us: latencies.quantile_us(0.99),
        latency_p999_us: latencies.quantile_us(0.999),
        peak_rss_mb: peak_rss_mb(),
        ..cell.report()
    })
}
