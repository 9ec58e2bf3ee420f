//! Jitter-aware grouping: of two tasks the one that takes its tuples more evenly (the power of two choices; Mitzenmacher, 2001).
//!
//! Tasks report how long they took for each tuple; the jitter of a task is the smoothed difference between one and the next (RFC 3550, 6.4.1). An
//! emitting task takes two of the subscriber's tasks at random for each tuple, and gives it to the one with less jitter; to one that has reported
//! rather than to one that has not. When that says nothing it is the load-aware shuffle's to choose.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::load_aware::LoadAware;
use super::{Chooser, CustomGrouping};
use crate::Value;
use crate::anchor::EdgeIds;
use crate::stream::TaskId;

/// What a difference counts for, of the jitter: that of RFC 3550.
const GAIN: f64 = 1.0 / 16.0;

/// What is known of one task.
#[derive(Debug, Clone, Copy)]
struct Report {
    took_us: f64,
    /// `None` until two tuples were reported.
    jitter_us: Option<f64>,
}

/// The jitter of tasks, as they report it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Jitters(Arc<Mutex<HashMap<TaskId, Report>>>);

impl Jitters {
    /// A task took so long for a tuple.
    pub fn record(&self, task: TaskId, took: Duration) {
        let took_us = took.as_secs_f64() * 1e6;
        let mut reports = self.0.lock();
        let report = reports.entry(task).and_modify(|report| {
            let difference = (took_us - report.took_us).abs();
            let jitter_us = report.jitter_us.unwrap_or(0.0);
            *report = Report { took_us, jitter_us: Some(jitter_us + (difference - jitter_us) * GAIN) };
        });
        report.or_insert(Report { took_us, jitter_us: None });
    }

    /// A task's jitter in microseconds; `None` until it has reported two tuples.
    pub fn of(&self, task: TaskId) -> Option<f64> {
        self.0.lock().get(&task)?.jitter_us
    }
}

/// A custom grouping by jitter. The bolt that reads the stream reports to the same [`Jitters`]: the engine measures nothing.
///
/// ```
/// use std::time::Instant;
/// use monsoon_topology::{JitterAware, Jitters, Outcome, TaskContext, TopologyBuilder, Bolt, BoltCollector, Tuple, TaskId};
///
/// struct Work { jitters: Jitters, own: TaskId }
///
/// impl Bolt for Work {
///     fn prepare(&mut self, context: &TaskContext) -> Outcome {
///         self.own = context.task();
///         Ok(())
///     }
///     fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
///         let started = Instant::now();
///         collector.ack(tuple);
///         self.jitters.record(self.own, started.elapsed());
///         Ok(())
///     }
/// }
///
/// let jitters = Jitters::default();
/// let mut builder = TopologyBuilder::new();
/// builder.set_spout_fn("numbers", ["n"], || None);
/// let reported = jitters.clone();
/// builder
///     .set_bolt("work", move || Work { jitters: reported.clone(), own: TaskId(0) })
///     .parallelism(4)
///     .custom_grouping("numbers", JitterAware::new(jitters));
/// assert!(builder.build("even").is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct JitterAware(Jitters);

impl JitterAware {
    /// By what the subscriber's tasks report there.
    pub fn new(jitters: Jitters) -> JitterAware {
        JitterAware(jitters)
    }
}

impl CustomGrouping for JitterAware {
    fn prepare(&self, source: TaskId, targets: &[TaskId]) -> Box<dyn Chooser> {
        let seed = u64::from(source.0.unsigned_abs());
        Box::new(TwoChoices {
            jitters: self.0.clone(),
            targets: targets.to_vec(),
            jitters_us: vec![None; targets.len()],
            shuffle: LoadAware::new(targets.len() as u32, seed),
            random: EdgeIds::new(seed),
        })
    }
}

/// At work for one emitting task.
struct TwoChoices {
    jitters: Jitters,
    targets: Vec<TaskId>,
    /// Of each target, as of when loads were told last: asking for every tuple would have all emitters wait for one lock.
    jitters_us: Vec<Option<f64>>,
    shuffle: LoadAware,
    random: EdgeIds,
}

impl TwoChoices {
    /// Two different places of `targets`, which are at least two.
    fn candidates(&mut self, targets: u64) -> (usize, usize) {
        let first = self.random.next() % targets;
        let second = (first + 1 + self.random.next() % (targets - 1)) % targets;
        (first as usize, second as usize)
    }
}

impl Chooser for TwoChoices {
    fn choose(&mut self, _: &[Value], places: &mut Vec<u32>) {
        let place = match self.targets.len() {
            0 => return,
            1 => 0,
            targets => {
                let (first, second) = self.candidates(targets as u64);
                match (self.jitters_us[first], self.jitters_us[second]) {
                    (Some(a), Some(b)) if a < b => first as u32,
                    (Some(a), Some(b)) if b < a => second as u32,
                    (Some(_), None) => first as u32,
                    (None, Some(_)) => second as u32,
                    _ => self.shuffle.next(),
                }
            }
        };
        places.push(place);
    }

    fn refresh_load(&mut self, loads: &[f64]) {
        self.shuffle.refresh(loads);
        self.jitters_us = self.targets.iter().map(|task| self.jitters.of(*task)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(count: i32) -> Vec<TaskId> {
        (1..=count).map(TaskId).collect()
    }

    /// Two tuples that differ by 16 times this: the jitter is this.
    fn report(jitters: &Jitters, task: i32, jitter_us: u64) {
        jitters.record(TaskId(task), Duration::from_micros(100));
        jitters.record(TaskId(task), Duration::from_micros(100 + 16 * jitter_us));
    }

    /// How often each of `targets` is chosen for 3,000 tuples of a source, once what was reported is known.
    fn shares(jitters: &Jitters, source: i32, targets: i32) -> Vec<u32> {
        let mut chooser = JitterAware::new(jitters.clone()).prepare(TaskId(source), &tasks(targets));
        chooser.refresh_load(&vec![0.0; targets as usize]);
        let (mut shares, mut places) = (vec![0; targets as usize], Vec::new());
        (0..3000).for_each(|_| chooser.choose(&[], &mut places));
        places.into_iter().for_each(|place| shares[place as usize] += 1);
        shares
    }

    #[test]
    fn g08_the_jitter_is_smoothed() {
        let jitters = Jitters::default();
        jitters.record(TaskId(1), Duration::from_micros(100));
        assert_eq!(jitters.of(TaskId(1)), None, "one tuple differs from nothing");
        // 0 + (1600 - 0) / 16 = 100, then 100 + (0 - 100) / 16 = 93.75.
        [1700, 1700].into_iter().for_each(|us| jitters.record(TaskId(1), Duration::from_micros(us)));
        assert!((jitters.of(TaskId(1)).unwrap() - 93.75).abs() < 1e-6, "{jitters:?}");
    }

    #[test]
    fn g08_no_task_and_one_task_leave_no_choice() {
        let jitters = Jitters::default();
        assert_eq!(shares(&jitters, 9, 0), [0; 0]);
        report(&jitters, 1, 50);
        assert_eq!(shares(&jitters, 9, 1), [3000]);
    }

    #[test]
    fn g08_without_reports_and_where_they_are_equal_the_shuffle_chooses() {
        let jitters = Jitters::default();
        assert_eq!(shares(&jitters, 9, 3), [1000; 3]);
        (1..=3).for_each(|task| report(&jitters, task, 50));
        assert_eq!(shares(&jitters, 9, 3), [1000; 3]);
    }

    /// Of two random ones of three the least is among them in two of three cases, and then it is the one.
    #[test]
    fn g08_less_jitter_is_preferred() {
        let jitters = Jitters::default();
        [(1, 90), (2, 10), (3, 50)].into_iter().for_each(|(task, us)| report(&jitters, task, us));
        let shares = shares(&jitters, 9, 3);
        assert!(shares[0] == 0 && (1850..2150).contains(&shares[1]) && (850..1150).contains(&shares[2]), "{shares:?}");
    }

    #[test]
    fn g08_who_has_reported_is_preferred_to_who_has_not() {
        let jitters = Jitters::default();
        report(&jitters, 2, 1_000_000);
        assert_eq!(shares(&jitters, 9, 2), [0, 3000]);
    }

    #[test]
    fn g08_each_source_chooses_for_itself() {
        let jitters = Jitters::default();
        let early = &mut JitterAware::new(jitters.clone()).prepare(TaskId(8), &tasks(2));
        report(&jitters, 2, 10);
        assert_eq!(shares(&jitters, 9, 2), [0, 3000]);
        let mut places = Vec::new();
        (0..10).for_each(|_| early.choose(&[], &mut places));
        assert_eq!(places.iter().filter(|place| **place == 0).count(), 5, "it hasn't been told of the reports yet");
    }
}
