//! State exactly once: whatever panics, fails, times out or crashes, and whenever, in the end each number of the spouts is in the sums once. With
//! `on_error = 'skip'` and numbers that fail every time: in the sums, or among what was skipped.

mod component;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::component::{Letters, Purpose, Relay, Replay, Sums, World, decoded};
use super::for_each_seed;
use super::random::Random;
use super::scheduler::Simulation;
use super::wire::Faults;
use crate::Error;
use crate::builder::{Topology, TopologyBuilder};
use crate::checkpoint_round::{CheckpointRounds, Effect, Event};
use crate::clock::ManualClock;
use crate::context::Guarantee;
use crate::grouping::Grouping;
use crate::message::Control;
use crate::skipping::SKIPPED_STREAM;
use crate::state::{CheckpointStore, MemoryCheckpoints};

/// Tries to take the checkpoint that has everything.
const LAST_TRIES_MAX: usize = 50;

struct Run {
    world: Arc<World>,
    simulation: Simulation,
    store: MemoryCheckpoints,
    rounds: CheckpointRounds,
    /// Something crashes this often, in a thousand.
    crashes: u32,
    lost_commits: u32,
    restores: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        Run::with(Random::new(seed), None)
    }

    /// Totals can't work on some numbers.
    fn poisoned(seed: u64) -> Run {
        let random = Random::new(seed);
        let poison_from = 100 - random.below(8) as i64;
        Run::with(random, Some(poison_from))
    }

    fn with(random: Random, poison_from: Option<i64>) -> Run {
        let up_to = |most: usize| if random.chance(500) { random.below(most + 1) as u32 } else { 0 };
        let input = |_| (0..random.below(200)).map(|_| (random.below(6) as i64, random.below(100) as i64)).collect();
        let world = Arc::new(World {
            panics: up_to(6),
            errors: up_to(10),
            poison_from,
            calm: false.into(),
            inputs: (0..1 + random.below(3)).map(input).collect(),
            random: random.clone(),
        });
        let clock = Arc::new(ManualClock::default());
        clock.advance(Duration::from_secs(1_000_000));
        let faults = Faults { refused: up_to(200), ..Faults::default() };
        let (crashes, lost_commits) = (up_to(4), up_to(200));
        let store = MemoryCheckpoints::default();
        let guarantee = Guarantee::ExactlyOnceState;
        let simulation = Simulation::new(topology(&world), clock, random, faults, guarantee, Some(&store));
        let rounds = CheckpointRounds::new(true, simulation.tasks.len(), 0);
        Run { world, simulation, store, rounds, crashes, lost_commits, restores: 0 }
    }

    fn go(&mut self) {
        self.simulation.set_active(true);
        for _ in 0..2_000 + self.world.random.below(8_000) {
            self.turn();
        }
        self.world.calm.store(true, Ordering::Relaxed);
        self.simulation.wire.set_faults(Faults::default());
        self.finish();
        let skipped = self.skipped();
        let mut kept = self.kept();
        for ((key, number), times) in &skipped {
            *kept.entry(*key).or_default() += number * times;
        }
        assert_eq!(kept, self.expected());
        match self.world.poison_from {
            None => assert_eq!(skipped, BTreeMap::new()),
            // Others may be among them: chance has failed them too often.
            Some(from) => {
                let poison = |of: BTreeMap<(i64, i64), i64>| -> BTreeMap<(i64, i64), i64> {
                    of.into_iter().filter(|((_, number), _)| *number >= from).collect()
                };
                assert_eq!(poison(skipped), poison(self.inputs()));
            }
        }
    }

    fn turn(&mut self) {
        let random = self.world.random.clone();
        self.simulation.turn();
        if random.chance(20) {
            self.handle(Event::Due);
        }
        if random.chance(300) {
            self.listen();
        }
        if random.chance(self.crashes) {
            self.crash();
        }
        if random.chance(1) {
            self.handle(Event::Overdue { reason: "late".into(), tasks: Vec::new() });
        }
        if random.chance(2) {
            self.simulation.clock.advance(Duration::from_millis(random.below(60) as u64));
        }
    }

    /// Has done what tasks have told calls for.
    fn listen(&mut self) {
        while let Ok(report) = self.simulation.reports.try_recv() {
            self.handle(Event::Report(report));
        }
    }

    fn handle(&mut self, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            for effect in self.rounds.on(event) {
                match effect {
                    Effect::Begin(number) => {
                        self.simulation.tell_spouts(|| Control::Checkpoint { number, aligned: true })
                    }
                    Effect::Resume => self.simulation.tell_spouts(|| Control::Resume),
                    Effect::Commit(checkpoint) => {
                        let outcome = self.commit(checkpoint);
                        next = Some(Event::Committed(outcome));
                    }
                    Effect::Durable(number) => self.simulation.tell_spouts(|| Control::Durable(number)),
                    Effect::Restore(..) => self.restore(),
                    Effect::GiveUp(error, _) => panic!("a round with state is never given up: {error}"),
                }
            }
        }
    }

    /// Commits, or fails before or after the checkpoint is durable.
    fn commit(&self, checkpoint: crate::Checkpoint) -> crate::Result<()> {
        let random = &self.world.random;
        let fails = random.chance(self.lost_commits) && !self.world.calm.load(Ordering::Relaxed);
        if !fails || random.chance(500) {
            self.store.commit(checkpoint)?;
        }
        match fails {
            true => Err(Error::Checkpoint("the store is gone".into())),
            false => Ok(()),
        }
    }

    fn restore(&mut self) {
        self.restores += 1;
        self.simulation.crash(Some(&self.store));
        self.simulation.set_active(true);
    }

    /// The process ends and is started again.
    fn crash(&mut self) {
        let last = self.store.last().expect("memory is always there");
        self.rounds = CheckpointRounds::new(true, self.simulation.tasks.len(), last);
        self.simulation.forget_process();
        self.restore();
    }

    /// Everything is emitted and summed; then a checkpoint is taken.
    fn finish(&mut self) {
        if self.crashes > 0 {
            self.crash();
        }
        // Long enough for whatever restarts or times out to do so, and for windows to end.
        for _ in 0..LAST_TRIES_MAX {
            // A checkpoint that begins right after going back may have nothing.
            let restores = self.restores;
            (0..20).for_each(|_| self.settle_some());
            let before = self.rounds.durable();
            self.handle(Event::Due);
            (0..20).for_each(|_| self.settle_some());
            if self.rounds.durable() > before && self.restores == restores && self.simulation.is_settled() {
                return;
            }
        }
        panic!("no checkpoint has everything: {:?}", self.simulation.pending());
    }

    fn settle_some(&mut self) {
        self.simulation.settle();
        self.listen();
        self.simulation.clock.advance(Duration::from_millis(2));
    }

    /// The totals in the store.
    fn kept(&self) -> BTreeMap<i64, i64> {
        let mut kept = BTreeMap::new();
        for task in 0..3 {
            let state = self.store.load("total", task).expect("memory is always there").state;
            let sums = state.iter().map(|entry| decoded(entry).expect("what was encoded"));
            sums.for_each(|(key, sum)| *kept.entry(key).or_default() += sum);
        }
        kept
    }

    /// What the store has of tuples that were skipped: how often each key and number.
    fn skipped(&self) -> BTreeMap<(i64, i64), i64> {
        let state = self.store.load("letters", 0).expect("memory is always there").state;
        let letter = |(letter, count): &(Vec<u8>, Vec<u8>)| {
            let json: serde_json::Value = serde_json::from_slice(letter).expect("a tuple is written as JSON");
            let of = |field: &str| json[field].as_i64().expect("an integer");
            let count = count.as_slice().try_into().map(i64::from_le_bytes).expect("a count has 8 bytes");
            ((of("key"), of("number")), count)
        };
        state.iter().map(letter).collect()
    }

    /// How often the spouts have each key and number.
    fn inputs(&self) -> BTreeMap<(i64, i64), i64> {
        let mut inputs = BTreeMap::new();
        self.world.inputs.iter().flatten().for_each(|input| *inputs.entry(*input).or_default() += 1);
        inputs
    }

    fn expected(&self) -> BTreeMap<i64, i64> {
        let mut sums = BTreeMap::new();
        self.world.inputs.iter().flatten().for_each(|(key, number)| *sums.entry(*key).or_default() += number);
        sums
    }
}

/// Spout tasks, sometimes relays, sometimes sums that are passed on with each tick, and totals.
fn topology(world: &Arc<World>) -> Topology {
    let random = &world.random;
    let mut builder = TopologyBuilder::new();
    builder.config("batch_tuples", random.pick(&[1_i64, 2, 10]));
    builder.config("queue_tuples", random.pick(&[1_i64, 5, 100]));
    builder.config("message_timeout", random.pick(&[20_i64, 200]));
    let own = world.clone();
    builder.set_spout("spout", move || Replay { world: own.clone(), task: 0, next: 0 }).tasks(world.inputs.len());
    let mut from = "spout";
    if random.chance(600) {
        let own = world.clone();
        let relay = builder.set_bolt("relay", move || Relay { world: own.clone(), held: Vec::new() });
        relay.tasks(1 + random.below(3)).shuffle_grouping(from);
        from = "relay";
    }
    // What it emits is another tuple after each replay, so it would never be known again.
    if world.poison_from.is_none() && random.chance(600) {
        let own = world.clone();
        let window = builder.set_bolt("window", move || Sums::new(own.clone(), Purpose::Window));
        window.tasks(1 + random.below(3)).shuffle_grouping(from).config("tick_interval", "1 ms");
        from = "window";
    }
    let own = world.clone();
    let total = builder.set_bolt("total", move || Sums::new(own.clone(), Purpose::Total));
    total.tasks(1 + random.below(3)).fields_grouping(from, ["key"]);
    if world.poison_from.is_some() {
        builder.config("on_error", "skip").config("error_attempts", 1 + random.below(3) as i64);
        let own = world.clone();
        let make = move || Letters { world: own.clone(), counts: BTreeMap::new(), changed: BTreeMap::new() };
        let mut letters = builder.set_bolt("letters", make).config("on_error", "replay");
        for skips in if from == "spout" { vec!["total"] } else { vec![from, "total"] } {
            letters = letters.grouping(skips, SKIPPED_STREAM, Grouping::Global);
        }
    }
    builder.build("sums").expect("the test's topology is valid")
}

#[test]
fn state_is_exactly_once() {
    for_each_seed("state_is_exactly_once", 200, |seed| Run::new(seed).go());
}

/// Whatever else goes wrong, what fails every time is skipped once, and the rest is summed once.
#[test]
fn poison_is_skipped_exactly_once() {
    for_each_seed("poison_is_skipped_exactly_once", 200, |seed| Run::poisoned(seed).go());
}

/// What the seeds do is worth nothing if nothing is skipped, or only what must be.
#[test]
fn some_are_skipped_for_poison_and_some_by_chance() {
    let (mut poison, mut chance) = (0, 0);
    for seed in 1..30 {
        let mut run = Run::poisoned(seed);
        run.go();
        for ((_, number), times) in run.skipped() {
            match run.world.poison_from.is_some_and(|from| number >= from) {
                true => poison += times,
                false => chance += times,
            }
        }
    }
    assert!(poison > 100 && chance > 10, "{poison} for poison, {chance} by chance");
}
