//! Acking under chaos: whatever is lost, delayed, held, failed or panics, each tuple of a spout is acked or failed exactly once, and is acked only
//! when its whole tree was.

mod bolt;
mod shadow;
mod shape;
mod spout;
mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use self::shadow::Shadow;
use self::shape::Wanted;
use self::world::{Habits, World};
use super::for_each_seed;
use super::random::Random;
use super::scheduler::Simulation;
use super::wire::Faults;
use crate::clock::ManualClock;
use crate::context::Guarantee;
use crate::task::Task;

/// How a simulation is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// Nothing is lost, forgotten or too late: every tree is completed unless a bolt fails it.
    Kind,
    /// Components panic and fail, but nothing is lost, held or forgotten, and there are no time-outs: what panics fails at once.
    Clumsy,
    /// Anything may happen.
    Chaotic,
}

/// The longest restart delay, and a little more.
const RESTART_MAX: Duration = Duration::from_millis(1100);

struct Run {
    world: Arc<World>,
    simulation: Simulation,
    mood: Mood,
    timeout: Option<Duration>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let random = Random::new(seed);
        let mood = random.pick(&[Mood::Kind, Mood::Clumsy, Mood::Chaotic, Mood::Chaotic]);
        let pending_max = random.chance(500).then(|| 1 + random.below(20));
        let timeout_ms = match mood {
            Mood::Clumsy => None,
            Mood::Kind => random.chance(500).then_some(3_600_000),
            Mood::Chaotic => Some(random.pick(&[5_i64, 50, 1000])),
        };
        let acking = !random.chance(60);
        let wanted =
            Wanted { acking, timeout_ms, pending_max: pending_max.map(|max| max as i64), cycles: random.chance(400) };
        let timeout = timeout_ms.map(|ms| Duration::from_millis(ms as u64));
        let clock = Arc::new(ManualClock::default());
        clock.advance(Duration::from_secs(1_000_000));
        let world = Arc::new(World {
            random: random.clone(),
            clock: clock.clone(),
            habits: habits(&random, mood),
            pending_max: pending_max.filter(|_| acking).unwrap_or(usize::MAX),
            left: random.pick(&[20, 100, 300, 1500, 10_000]).into(),
            burst: random.pick(&[1, 1, 1, 50]),
            stateful: random.chance(300),
            calm: false.into(),
            shadow: Shadow::new(acking, timeout).into(),
        });
        let topology = shape::topology(&world, &wanted);
        let guarantee = if acking { Guarantee::AtLeastOnce } else { Guarantee::AtMostOnce };
        let faults = faults(&random, mood);
        let simulation = Simulation::new(topology, clock, random, faults, guarantee, None);
        Run { world, simulation, mood, timeout }
    }

    fn go(&mut self) {
        self.simulation.set_active(true);
        let turns = 1_000 + self.world.random.below(8_000);
        for _ in 0..turns {
            self.turn();
        }
        self.calm_down();
        self.check_end();
    }

    fn turn(&mut self) {
        let random = self.world.random.clone();
        self.simulation.turn();
        if random.chance(2) {
            self.simulation.set_active(random.chance(500));
        }
        if self.mood == Mood::Chaotic
            && random.chance(3)
            && let Some(timeout) = self.timeout
        {
            self.simulation.clock.advance(timeout.mul_f64(random.below(120) as f64 / 100.0));
        }
        self.check();
    }

    /// Spouts stop, components and the wire behave; then two time-outs pass.
    fn calm_down(&mut self) {
        self.world.calm.store(true, Ordering::Relaxed);
        self.simulation.wire.set_faults(Faults::default());
        // A spout that has never been active has nothing to be told; one that has panicked is opened anew.
        self.simulation.set_active(false);
        let (span, steps) = match (self.mood, self.timeout) {
            (Mood::Chaotic, Some(timeout)) => (timeout * 2 + RESTART_MAX, 40),
            _ => (RESTART_MAX, 10),
        };
        let begun = self.simulation.now();
        while self.simulation.now().since(begun) <= span + span / steps {
            self.simulation.settle();
            self.check();
            self.simulation.clock.advance(span / steps);
        }
        self.simulation.settle();
        self.check();
    }

    fn check(&self) {
        if let Some(wrong) = &self.world.shadow().wrong {
            panic!("{wrong}");
        }
    }

    fn check_end(&self) {
        let shadow = self.world.shadow();
        let untold: Vec<String> = shadow.untold().into_iter().map(|root| shadow.describe(root)).collect();
        assert!(untold.is_empty(), "{:?}: no spout was told of {untold:#?}", self.mood);
        if self.mood == Mood::Kind {
            assert_eq!(shadow.failed_though_complete(), [0; 0], "roots that failed for no reason");
        }
        assert!(self.simulation.is_settled(), "{:?}", self.simulation.pending());
        for task in &self.simulation.tasks {
            if let Task::Spout(spout) = task
                && let Some(ledger) = spout.ledger()
            {
                assert_eq!((ledger.open_roots(), ledger.resets()), (0, 0));
                assert!(ledger.pages() <= 1, "{} pages are kept", ledger.pages());
            }
        }
    }
}

fn habits(random: &Random, mood: Mood) -> Habits {
    let up_to = |most: usize| if random.chance(500) { random.below(most + 1) as u32 } else { 0 };
    let habits = Habits {
        panics: up_to(20),
        errors: up_to(50),
        fails: up_to(100),
        forgets: up_to(50),
        holds: up_to(500),
        spout_panics: up_to(20),
        not_ready: up_to(300),
    };
    match mood {
        Mood::Chaotic => habits,
        Mood::Clumsy => Habits { panics: 20, holds: 0, forgets: 0, ..habits },
        Mood::Kind => Habits { panics: 0, errors: 0, forgets: 0, spout_panics: 0, ..habits },
    }
}

fn faults(random: &Random, mood: Mood) -> Faults {
    let up_to = |most: usize| if random.chance(500) { random.below(most + 1) as u32 } else { 0 };
    match mood {
        Mood::Chaotic => Faults { lost_tuples: up_to(100), lost_acks: up_to(100), refused: up_to(300) },
        Mood::Kind | Mood::Clumsy => Faults { refused: up_to(300), ..Faults::default() },
    }
}

#[test]
fn acking_under_chaos() {
    for_each_seed("acking_under_chaos", 300, |seed| Run::new(seed).go());
}

/// What the seeds do is worth nothing if nothing is acked, or nothing fails.
#[test]
fn chaos_acks_some_and_fails_some() {
    let (mut acked, mut failed) = (0, 0);
    for seed in 1..20 {
        let mut run = Run::new(seed);
        run.go();
        let shadow = run.world.shadow();
        (acked, failed) = (acked + shadow.acked, failed + shadow.failed);
    }
    assert!(acked > 100 && failed > 100, "{acked} acked, {failed} failed");
}

#[test]
fn a_seed_has_one_trace() {
    for seed in 1..10 {
        let traces = [(); 2].map(|()| {
            let mut run = Run::new(seed);
            run.go();
            run.simulation.trace
        });
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}
