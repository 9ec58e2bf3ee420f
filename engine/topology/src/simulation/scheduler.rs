//! `Simulation`: the tasks of a topology, stepped in random order on one thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::random::Random;
use super::wire::{ChaosWire, Faults};
use crate::builder::Topology;
use crate::clock::{Clock, ManualClock, Moment};
use crate::context::Guarantee;
use crate::message::Control;
use crate::plan::{Plan, Shared, plan};
use crate::state::CheckpointStore;
use crate::task::{Report, Step, Task};
use crate::wire::Inboxes;

/// Rounds in which everything under way must have come to its end.
const SETTLE_ROUNDS_MAX: usize = 10_000;

/// The tasks of a topology, stepped in random order on one thread.
pub(super) struct Simulation {
    pub random: Random,
    pub clock: Arc<ManualClock>,
    pub tasks: Vec<Task>,
    pub inboxes: Arc<Inboxes>,
    pub wire: Arc<ChaosWire>,
    pub reports: Receiver<Report>,
    topology: Topology,
    shared: Shared,
    guarantee: Guarantee,
    faults: Faults,
    /// Everything that has been done, as one number: equal seeds have equal traces.
    pub trace: u64,
}

impl Simulation {
    /// Makes the tasks of a topology, from the last checkpoint if there is one.
    pub fn new(
        topology: Topology,
        clock: Arc<ManualClock>,
        random: Random,
        faults: Faults,
        guarantee: Guarantee,
        checkpoints: Option<&dyn CheckpointStore>,
    ) -> Simulation {
        let shared = Shared::new(&topology, clock.clone(), Default::default(), random.next());
        let (made, wire, reports) = make(&topology, &shared, &random, faults, guarantee, checkpoints);
        let Plan { tasks, inboxes } = made;
        Simulation { random, clock, tasks, inboxes, wire, reports, topology, shared, guarantee, faults, trace: 0 }
    }

    /// The process ends: what outlives tasks is lost too.
    pub fn forget_process(&mut self) {
        let seed = self.shared.seed;
        self.shared = Shared::new(&self.topology, self.clock.clone(), Default::default(), seed);
    }

    /// Everything is lost: all tasks begin anew from the last checkpoint.
    pub fn crash(&mut self, checkpoints: Option<&dyn CheckpointStore>) {
        let made = make(&self.topology, &self.shared, &self.random, self.faults, self.guarantee, checkpoints);
        let (Plan { tasks, inboxes }, wire, reports) = made;
        (self.tasks, self.inboxes, self.wire, self.reports) = (tasks, inboxes, wire, reports);
    }

    pub fn set_active(&self, active: bool) {
        match active {
            true => self.inboxes.all().for_each(|inbox| inbox.control(Control::SetActive(true))),
            false => self.tell_spouts(|| Control::SetActive(false)),
        }
    }

    pub fn tell_spouts(&self, control: impl Fn() -> Control) {
        self.inboxes.spouts().iter().for_each(|&spout| self.inboxes.inbox(spout).control(control()));
    }

    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// One thing happens: a task is stepped, a message delivered, or time passes.
    pub fn turn(&mut self) {
        match self.random.below(16) {
            0..9 => {
                let task = self.random.below(self.tasks.len());
                self.step(task);
            }
            9..14 => self.wire.deliver_one(),
            14 => (0..8).for_each(|_| self.wire.deliver_one()),
            _ => self.clock.advance(Duration::from_micros(self.random.below(400) as u64)),
        }
    }

    fn step(&mut self, task: usize) -> Step {
        let step = self.tasks[task].step(self.clock.now());
        let seen = (task as u64) << 32 | self.clock.now().0 << 2 | u64::from(step == Step::Busy);
        self.trace = (self.trace.rotate_left(5) ^ seen).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        step
    }

    /// Steps all tasks and delivers everything until nothing is left to do now: tasks are idle, or wait for one that begins anew later. The wire
    /// must lose and refuse nothing.
    pub fn settle(&mut self) {
        let mut idle_rounds = 0;
        for _ in 0..SETTLE_ROUNDS_MAX {
            self.wire.deliver_all();
            let steps: Vec<Step> = (0..self.tasks.len()).map(|task| self.step(task)).collect();
            idle_rounds = if steps.contains(&Step::Busy) { 0 } else { idle_rounds + 1 };
            // What a task that is idle has still sent takes a round to arrive.
            if idle_rounds == 4 {
                return;
            }
        }
        panic!("not settled after {SETTLE_ROUNDS_MAX} rounds, pending {:?}", self.pending());
    }

    /// Whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        let empty = self.inboxes.all().all(|inbox| inbox.is_empty());
        empty && self.wire.is_empty() && self.pending().iter().all(|&pending| pending == 0)
    }

    /// Tasks that say that something is under way.
    pub fn pending(&self) -> Vec<u64> {
        self.shared.metrics.iter().map(|metrics| metrics.counts().pending).collect()
    }
}

type Made = (Plan, Arc<ChaosWire>, Receiver<Report>);

fn make(
    topology: &Topology,
    shared: &Shared,
    random: &Random,
    faults: Faults,
    guarantee: Guarantee,
    checkpoints: Option<&dyn CheckpointStore>,
) -> Made {
    let (sender, reports) = channel();
    let mut wire = None;
    let made = plan(topology, shared, checkpoints, guarantee, sender, |inboxes| {
        let chaos = Arc::new(ChaosWire::new(inboxes, random.clone(), faults));
        wire = Some(chaos.clone());
        chaos
    });
    (made.expect("the test's topology can be planned"), wire.expect("a plan asks for a wire"), reports)
}
