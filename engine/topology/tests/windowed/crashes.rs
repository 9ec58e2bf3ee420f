//! Random crashes: a sink with state is given each window exactly once, whatever fails and whenever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, WindowedBolt};
use monsoon_topology::{
    Bolt, BoltCollector, CheckpointStore, Failure, MemoryCheckpoints, Outcome, RunningTopology, StartOptions,
    StateChanges, Streams, Topology, TopologyBuilder, Tuple,
};
use parking_lot::Mutex;

use crate::support::*;

const SEEDS: u64 = 50;
/// Of all forms the last window holds the tuple before the last, and fires when the last has come.
const TUPLES: u64 = 3001;

/// Makes components fail now and then, so many times.
#[derive(Clone)]
struct Chaos(Arc<Mutex<(Random, u32)>>);

impl Chaos {
    fn new(seed: u64, failures: u32) -> Chaos {
        Chaos(Arc::new(Mutex::new((Random::new(seed), failures))))
    }

    /// Fails or panics in one of `chance` calls.
    fn strike(&self, chance: u64) -> Outcome {
        let mut chaos = self.0.lock();
        if chaos.1 == 0 || chaos.0.below(chance) > 0 {
            return Ok(());
        }
        chaos.1 -= 1;
        let panics = chaos.0.below(2) == 0;
        drop(chaos);
        assert!(!panics, "a crash on purpose");
        Err(Failure::new("a failure on purpose"))
    }
}

/// Emits each window as text.
struct Telling {
    chaos: Chaos,
    keyed: bool,
}

impl WindowedBolt for Telling {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["window"]);
    }

    fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome {
        self.chaos.strike(60)?;
        let mut shown = show(window);
        if self.keyed {
            // Whether a key was forgotten before its next tuple, and with it what had expired, depends on when watermarks came.
            shown.expired.clear();
        }
        if window.start_ms().is_none() {
            // Counts in processing time end when their last tuple came.
            shown.end = 0;
        }
        collector.emit([format!("{shown:?}")])?;
        self.chaos.strike(60)
    }
}

/// Keeps every window it is given in its state, by number.
struct Keeping {
    chaos: Chaos,
    /// How many it has, for the test.
    count: Arc<AtomicU64>,
    windows: u64,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Bolt for Keeping {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.chaos.strike(100)?;
        let key = self.windows.to_be_bytes().to_vec();
        self.changes.push((key, Some(tuple.text("window")?.as_bytes().to_vec())));
        self.windows += 1;
        self.count.store(self.windows, Ordering::SeqCst);
        collector.ack(tuple);
        Ok(())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, _: &mut BoltCollector) -> Option<StateChanges> {
        Some(StateChanges::of(std::mem::take(&mut self.changes)))
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        self.windows = state.len() as u64;
        self.count.store(self.windows, Ordering::SeqCst);
        Ok(())
    }
}

/// Timestamps out of order by up to 60 ms, with gaps; the last tuple completes all windows.
fn disordered(number: u64) -> (i64, &'static str) {
    let key = ["a", "b", "c", "d"][(number * 7 / 3 % 4) as usize];
    let jitter = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 60;
    let gap = number / 700 * 5000;
    let last = if number + 1 == TUPLES { 1_000_000 } else { 0 };
    ((number * 10 + gap + last - jitter.min(number)) as i64, key)
}

/// The forms that take turns, and whether they have keys.
fn form(seed: u64) -> (Window, bool) {
    let ms = Duration::from_millis;
    let timed = |window: Window| window.timestamp_field("ts").lag(ms(60)).watermark_interval(ms(1));
    match seed % 10 {
        0 => (Window::tumbling(50), false),
        1 => (Window::sliding(70, 20), false),
        2 => (timed(Window::sliding(ms(500), ms(200))), false),
        3 => (timed(Window::tumbling(ms(300))).key(["key"]).items_in_memory(20), true),
        4 => (timed(Window::session(ms(65))).key(["key"]), true),
        5 => (timed(Window::sliding(30, ms(100))), false),
        6 => (timed(Window::sliding(ms(1000), 40)), false),
        // Sessions of one key, and of keys that are sent to their pages in turns.
        7 => (timed(Window::session(ms(25))).items_in_memory(0), false),
        8 => (timed(Window::session(ms(65))).key(["key"]).items_in_memory(1), true),
        _ => (timed(Window::sliding(ms(20_000), ms(1000))).items_in_memory(100), false),
    }
}

struct Bench {
    topology: Topology,
    limit: Arc<AtomicU64>,
    count: Arc<AtomicU64>,
    checkpoints: MemoryCheckpoints,
}

impl Bench {
    fn new(seed: u64, chaos: &Chaos) -> Bench {
        let (window, keyed) = form(seed);
        let (limit, count) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let mut builder = TopologyBuilder::new();
        let (spout_limit, sink_count) = (limit.clone(), count.clone());
        let tracked = seed.is_multiple_of(2);
        builder.config("checkpoint_interval", "100 ms").config("batch_tuples", 10);
        let spout = move || Numbers { limit: spout_limit.clone(), next: 0, row: disordered, tracked };
        builder.set_spout("spout", spout);
        let telling = chaos.clone();
        let make = move || Telling { chaos: telling.clone(), keyed };
        builder.set_windowed_bolt("windows", window, make).shuffle_grouping("spout");
        let keeping = chaos.clone();
        let make =
            move || Keeping { chaos: keeping.clone(), count: sink_count.clone(), windows: 0, changes: Vec::new() };
        builder.set_bolt("sink", make).shuffle_grouping("windows");
        let topology = builder.build("crashes").unwrap();
        Bench { topology, limit, count, checkpoints: MemoryCheckpoints::default() }
    }

    fn start(&self) -> RunningTopology {
        let checkpoints = Some(Arc::new(self.checkpoints.clone()) as Arc<dyn CheckpointStore>);
        start(&self.topology, StartOptions { checkpoints, ..StartOptions::default() })
    }

    /// Emits everything, a part at a time; every now and then the process is killed, or a checkpoint is taken.
    fn run(&self, seed: u64, kills: bool) {
        let mut random = Random::new(seed ^ 0xdead);
        let mut running = self.start();
        let mut limit = 0;
        while limit < TUPLES {
            limit = (limit + 1 + random.below(400)).min(TUPLES);
            self.limit.store(limit, Ordering::SeqCst);
            match random.below(5) {
                0 if kills => {
                    drop(running);
                    running = self.start();
                }
                // It fails when a component does meanwhile.
                1..=3 => drop(running.checkpoint()),
                _ => {}
            }
        }
        eventually(&format!("all windows are kept (WINDOW_SEED={seed})"), || self.is_complete(&running));
    }

    /// Whether the last window is in a checkpoint, and nothing has come to the sink since.
    fn is_complete(&self, running: &RunningTopology) -> bool {
        let checkpointed = running.checkpoint().is_ok();
        let (kept, last) = (self.kept(), (TUPLES - 2).to_string());
        let places = ["[", " "].map(|before| ["]", ","].map(|behind| format!("{before}{last}{behind}")));
        let holds_last = |window: &String| places.iter().flatten().any(|place| window.contains(place));
        checkpointed && kept.iter().any(holds_last) && kept.len() as u64 == self.count.load(Ordering::SeqCst)
    }

    fn kept(&self) -> Vec<String> {
        let state = self.checkpoints.load("sink", 0).unwrap().state;
        state.into_iter().map(|(_, window)| String::from_utf8(window).unwrap()).collect()
    }
}

/// The windows of a form, each once. Those of several keys come in any order.
fn windows(seed: u64, failures: u32) -> Vec<String> {
    let bench = Bench::new(seed, &Chaos::new(seed, failures));
    bench.run(seed, failures > 0);
    let mut kept = bench.kept();
    if form(seed).1 {
        kept.sort();
    }
    kept
}

/// Compares with a run in which nothing fails; that such a run is right is what the other tests say.
fn check(seed: u64) {
    let expected = windows(seed, 0);
    let kept = windows(seed, 8);
    assert!(expected.len() > 10, "seed {seed}: {} windows", expected.len());
    let differs = kept.iter().zip(&expected).find(|(kept, expected)| kept != expected);
    assert_eq!((kept.len(), differs), (expected.len(), None), "repeat with WINDOW_SEED={seed}");
}

/// One seed alone: `WINDOW_SEED=7 cargo test -p monsoon-topology --test windowed crashes`. So many from 0: `WINDOW_SEEDS=1000`.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("WINDOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WINDOW_SEEDS").unwrap_or(SEEDS),
    }
}

#[test]
fn each_window_is_kept_exactly_once_whatever_fails() {
    let seeds = Mutex::new(seeds());
    let next = || seeds.lock().next();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    check(seed);
                }
            });
        }
    });
}
