//! Windows whose content is kept: restarts in the middle of a window by hand, and random failures, half-done writes, crashes
//! and restarts, after which each window is counted exactly once.
//!
//! One seed again: `MONSOON_SEED=7 cargo test --release -p monsoon-trident --test windows`; more: `MONSOON_SEEDS=1000`.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use monsoon_trident::{
    Change, Count, Failure, FeederBatchSpout, FileMetadata, FileWindowStore, FirstN, MapState, MemoryBackingMap,
    MemoryMetadata, MemoryWindowStore, MetadataStore, OpaqueMap, OpaqueValue, Options, Outcome, StateContext, Stream,
    Sum, TransactionalMap, TransactionalValue, TridentHandle, TridentTopology, Tuple, Value, WindowConfig, run_local,
    values,
};
use parking_lot::Mutex;
use serde_json::Value as Json;
use support::faults::{Faults, FaultyMetadata, FaultyTable, FaultyWindows, quiet_dice, seeds};
use support::{Dice, Log, LogSpout, SpoutKind};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn w28_a_restart_in_the_middle_of_a_window_goes_on_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let sums = Arc::new(Mutex::new(Vec::new()));
    let run = |numbers: &FeederBatchSpout| -> TridentHandle {
        let metadata = Arc::new(FileMetadata::open(directory.path().join("metadata.json")).unwrap());
        let topology = TridentTopology::new("windows").with_options(Options { metadata, ..Options::default() });
        let stream = topology.new_stream("numbers", numbers.clone()).unwrap();
        let windows = directory.path().join("windows");
        let store = move |context: &StateContext| FileWindowStore::open(windows.join(context.partition.to_string()));
        let config = WindowConfig::sliding_count(5, 2);
        let seen = sums.clone();
        let see = move |tuple: &Tuple<'_>| -> Outcome {
            seen.lock().push(tuple.int("sum")?);
            Ok(())
        };
        stream.persistent_window(config, store, "n", Sum, "sum").unwrap().peek(see).unwrap();
        run_local(topology).unwrap()
    };
    let feed = |range: std::ops::RangeInclusive<i64>| {
        let numbers = FeederBatchSpout::new("n").unwrap();
        let running = run(&numbers);
        numbers.feed(range.map(|n| values![n]).collect());
        assert!(numbers.wait_until_committed(PATIENCE), "{:?}", running.errors());
        running.stop();
        std::mem::take(&mut *sums.lock())
    };
    // W-1: [1,2], [1..4], [2..6], [4..8]
    assert_eq!(feed(1..=3), [3]);
    assert_eq!(feed(4..=5), [10]);
    assert_eq!(feed(6..=8), [20, 30]);
}

/// Metadata that does not record the commit of one txid, as if the process had ended just before.
struct Unrecorded(Arc<MemoryMetadata>, u64);

impl MetadataStore for Unrecorded {
    fn list(&self, prefix: &str) -> Outcome<Vec<(String, Json)>> {
        self.0.list(prefix)
    }

    fn apply(&self, changes: &[Change]) -> Outcome {
        let is_record = |change: &Change| match change {
            Change::Put(key, value) => key == "numbers/next" && value["txid"] == self.1 + 1,
            Change::Delete(_) => false,
        };
        if changes.iter().any(is_record) { Err(Failure::new("the process has ended")) } else { self.0.apply(changes) }
    }
}

#[test]
fn w28_a_window_emitted_before_a_crash_and_again_after_it_is_counted_once() {
    let log = Log::new(vec![(1..=6).map(Value::from).collect()]);
    let (metadata, windows) = (Arc::new(MemoryMetadata::new()), MemoryWindowStore::new());
    let table = MemoryBackingMap::<TransactionalValue>::new();
    let emitted = Arc::new(Mutex::new(Vec::new()));
    let run = |metadata: Arc<dyn MetadataStore>| {
        let options = Options { metadata, batches_in_flight_max: 1, ..Options::default() };
        let topology = TridentTopology::new("crash").with_options(options);
        let spout = SpoutKind::Transactional.over(LogSpout::new(&log, 2));
        let (windows, table, seen) = (windows.clone(), table.clone(), emitted.clone());
        let see = move |tuple: &Tuple<'_>| -> Outcome {
            seen.lock().push(tuple.int("n")?);
            Ok(())
        };
        let store = move |_: &StateContext| Ok(windows.clone());
        let numbers = topology.new_stream("numbers", spout).unwrap();
        let sums = numbers.persistent_window(WindowConfig::tumbling_count(3), store, "line", Sum, "n").unwrap();
        count(sums.peek(see).unwrap(), move |_| Ok(TransactionalMap::new(table.clone())));
        run_local(topology).unwrap()
    };
    // Batches: 1 2, 3 4, 5 6. The window 1 2 3 is emitted with txid 2, whose commit isn't recorded.
    let running = run(Arc::new(Unrecorded(metadata.clone(), 2)));
    let deadline = Instant::now() + PATIENCE;
    while running.errors().is_empty() {
        assert!(Instant::now() < deadline, "the record has not failed");
        drop(running.wait_for_txid(2, Duration::from_millis(5)));
    }
    assert_eq!(running.committed_txid(), 1);
    running.stop();
    assert_eq!(*emitted.lock(), [6]);
    let running = run(metadata);
    running.wait_for_txid(3, PATIENCE).unwrap();
    running.stop();
    assert_eq!(*emitted.lock(), [6, 6, 15]);
    let counts = table.entries().into_iter().map(|(key, count)| (key[0].as_int(), count.value.as_int()));
    let counts: BTreeMap<_, _> = counts.collect();
    assert_eq!(counts, BTreeMap::from([(Some(6), Some(1)), (Some(15), Some(1))]));
}

/// The tables that outlive the crashes.
#[derive(Clone, Default)]
struct World {
    log: Log,
    metadata: Arc<MemoryMetadata>,
    windows: [MemoryWindowStore; 2],
    transactional: MemoryBackingMap<TransactionalValue>,
    opaque: MemoryBackingMap<OpaqueValue>,
    now_ms: Arc<AtomicU64>,
}

/// Which windows over which spout; what is counted of them is in a state that goes with the spout.
#[derive(Clone, Copy)]
struct Case {
    spout: SpoutKind,
    config: WindowConfig,
    partitions: usize,
}

impl World {
    /// The windows' tuples, counted by the first field of what is emitted for each window.
    fn declare(&self, case: Case, spout: LogSpout, faults: &Faults, topology: &TridentTopology) {
        let stream = topology.new_stream("numbers", case.spout.over(spout)).unwrap();
        let numbers = stream.partition_by("line").unwrap().parallelism_hint(case.partitions).unwrap();
        let (windows, of_store) = (self.windows.clone(), faults.clone());
        let store = move |context: &StateContext| -> Outcome<FaultyWindows> {
            Ok(FaultyWindows(windows[context.partition].clone(), of_store.clone()))
        };
        let counted = match case.config {
            // A window by its sum.
            WindowConfig::Count { .. } => numbers.persistent_window(case.config, store, "line", Sum, "n").unwrap(),
            // Each tuple of each window.
            WindowConfig::Duration { .. } => {
                numbers.persistent_window(case.config, store, "line", FirstN::new(usize::MAX), "n").unwrap()
            }
        };
        let late = faults.clone();
        let fail_late = move |_: &Tuple<'_>| late.stumble(60);
        let counted = counted.peek(fail_late).unwrap();
        match case.spout {
            SpoutKind::Transactional | SpoutKind::Coordinated => {
                let (table, faults) = (self.transactional.clone(), faults.clone());
                let table = move || FaultyTable(table.clone(), faults.clone());
                count(counted, move |_| Ok(TransactionalMap::new(table())));
            }
            SpoutKind::Opaque | SpoutKind::CoordinatedAnew => {
                let (table, faults) = (self.opaque.clone(), faults.clone());
                let table = move || FaultyTable(table.clone(), faults.clone());
                count(counted, move |context| Ok(OpaqueMap::new(table(), context)));
            }
        }
    }

    fn run(&self, case: Case, faults: &Faults, batches: u64) {
        let now_ms = self.now_ms.clone();
        let topology = TridentTopology::new("windows").with_options(Options {
            metadata: Arc::new(FaultyMetadata(self.metadata.clone(), faults.clone())),
            workers: 3,
            retry_delay_min: Duration::ZERO,
            retry_delay_max: Duration::ZERO,
            idle_interval: Duration::ZERO,
            // Each look at the clock is later, so a replay would be at another time.
            clock: Arc::new(move || now_ms.fetch_add(3, Ordering::Relaxed)),
            ..Options::default()
        });
        let spout = LogSpout { log: self.log.clone(), rows_max: 4, dice: faults.dice.clone() };
        self.declare(case, spout, faults, &topology);
        let running = run_local(topology).unwrap();
        let target = running.committed_txid() + batches;
        let deadline = Instant::now() + PATIENCE;
        while running.wait_for_txid(target, Duration::from_millis(5)).is_err() && !faults.has_crashed() {
            assert!(Instant::now() < deadline, "stuck: {:?}", running.errors().last());
        }
        running.stop();
    }

    fn counts(&self) -> BTreeMap<i64, i64> {
        let transactional = self.transactional.entries().into_iter().map(|(key, value)| (key, Some(value.value)));
        let opaque = self.opaque.entries().into_iter().map(|(key, value)| (key, value.current));
        let entry = |(key, value): (Vec<Value>, Option<Value>)| Some((key.first()?.as_int()?, value?.as_int()?));
        transactional.chain(opaque).filter_map(entry).collect()
    }
}

fn count<S: MapState>(counted: Stream, factory: impl Fn(&StateContext) -> Outcome<S> + Send + Sync + 'static) {
    let grouped = counted.group_by("n").unwrap();
    grouped.persistent_aggregate(factory, (), Count, "count").unwrap().parallelism_hint(2).unwrap();
}

/// How many numbers there are.
const NUMBERS: i64 = 120;

/// The counts after crashes and restarts at random, when all is read and time has gone on.
fn counts(seed: u64, spout: SpoutKind, config: WindowConfig, partitions: usize) -> BTreeMap<i64, i64> {
    let dice = Dice::new(seed);
    let log = Log::new(vec![(0..NUMBERS).map(Value::from).collect()]);
    let world = World { log, ..World::default() };
    let case = Case { spout, config, partitions };
    for _ in 0..6 {
        let writes_left = Arc::new(AtomicUsize::new(10 + dice.roll(100)));
        world.run(case, &Faults { dice: Some(dice.clone()), writes_left }, 2 + dice.roll(12) as u64);
    }
    let faultless = Faults { dice: None, writes_left: Arc::new(AtomicUsize::new(usize::MAX)) };
    world.run(case, &faultless, 60);
    world.now_ms.fetch_add(10_000, Ordering::Relaxed);
    world.run(case, &faultless, 5);
    world.counts()
}

const SPOUTS: [SpoutKind; 4] =
    [SpoutKind::Transactional, SpoutKind::Opaque, SpoutKind::Coordinated, SpoutKind::CoordinatedAnew];

/// In one partition numbers come in their order, so the windows are those of the list.
#[test]
fn w28_each_count_window_is_counted_once_whatever_fails() {
    quiet_dice();
    let mut expected = BTreeMap::new();
    let ends = (1..=NUMBERS).filter(|end| end % 2 == 0);
    ends.for_each(|end| *expected.entry(((end - 5).max(0)..end).sum()).or_default() += 1);
    for seed in seeds() {
        let spout = SPOUTS[seed as usize % SPOUTS.len()];
        let counted = counts(seed, spout, WindowConfig::sliding_count(5, 2), 1);
        assert_eq!(counted, expected, "seed {seed}, {spout:?}");
    }
}

/// Whenever a number came, it is in as many windows as slides go into a length.
#[test]
fn w28_each_number_is_in_its_windows_of_time_whatever_fails() {
    quiet_dice();
    let ms = Duration::from_millis;
    for seed in seeds() {
        let spout = SPOUTS[seed as usize % SPOUTS.len()];
        let counted = counts(seed, spout, WindowConfig::sliding_duration(ms(40), ms(20)), 2);
        let expected: BTreeMap<i64, i64> = (0..NUMBERS).map(|n| (n, 2)).collect();
        assert_eq!(counted, expected, "seed {seed}, {spout:?}");
    }
}
