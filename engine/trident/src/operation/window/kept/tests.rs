//! Kept content by hand and by seed: against windows computed from all rows at once, through replays and restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::window_store::MemoryWindowStore;

const COUNT: WindowConfig = WindowConfig::Count { length: 5, slide: 2 };

fn rows(values: impl IntoIterator<Item = i64>) -> Vec<Row> {
    values.into_iter().map(|value| vec![Value::Int(value)]).collect()
}

fn ints(windows: Vec<Vec<Row>>) -> Vec<Vec<i64>> {
    let first = |row: &Row| row[0].as_int().unwrap();
    windows.iter().map(|window| window.iter().map(first).collect()).collect()
}

fn load(config: WindowConfig, store: &MemoryWindowStore) -> Kept {
    Kept::load(config, Box::new(store.clone())).unwrap()
}

#[test]
fn a_restart_in_the_middle_of_a_window_goes_on_with_it() {
    let store = MemoryWindowStore::new();
    let add = |txid, range| ints(load(COUNT, &store).add(txid, 0, rows(range)).unwrap());
    assert_eq!(add(1, 1..=3), [vec![1, 2]]);
    assert_eq!(add(2, 4..=8), [vec![1, 2, 3, 4], vec![2, 3, 4, 5, 6], vec![4, 5, 6, 7, 8]]);
    // The commit of 2 was not recorded: it comes again, once more and as another batch of an opaque spout.
    assert_eq!(add(2, 4..=8), [vec![1, 2, 3, 4], vec![2, 3, 4, 5, 6], vec![4, 5, 6, 7, 8]]);
    assert_eq!(add(2, 4..=5), [vec![1, 2, 3, 4]]);
    assert_eq!(add(3, 6..=7), [vec![2, 3, 4, 5, 6]]);
    assert_eq!(add(4, 8..=8), [vec![4, 5, 6, 7, 8]]);
    let txids = || -> Vec<u64> { store.clone().entries().unwrap().into_iter().map(|(txid, _)| txid).collect() };
    assert_eq!(txids(), [1, 2, 3, 4], "3 came with txid 1, and txid 4 may come again");
    assert_eq!(add(5, 9..=9), [[0_i64; 0]; 0]);
    assert_eq!(txids(), [2, 3, 4, 5], "4 came with txid 2");
}

#[test]
fn a_txid_keeps_its_time_through_a_restart() {
    let store = MemoryWindowStore::new();
    let config = WindowConfig::tumbling_duration(Duration::from_millis(10));
    let add = |txid, now_ms, values: &[i64]| {
        ints(load(config, &store).add(txid, now_ms, rows(values.iter().copied())).unwrap())
    };
    assert_eq!(add(1, 3, &[1, 2]), [[0_i64; 0]; 0]);
    assert_eq!(add(2, 9, &[3]), [[0_i64; 0]; 0]);
    assert_eq!(add(2, 12, &[3]), [[0_i64; 0]; 0], "3 came at 9, before the end of the window");
    assert_eq!(add(3, 12, &[4]), [[1, 2, 3]]);
    assert_eq!(add(3, 25, &[4]), [[1, 2, 3]]);
    assert_eq!(add(4, 25, &[]), [[4]]);
    assert_eq!(add(4, 99, &[]), [[4]]);
}

#[test]
fn idle_batches_write_nothing_and_open_windows_do_not_gather_entries() {
    let store = MemoryWindowStore::new();
    let config = WindowConfig::tumbling_duration(Duration::from_millis(1000));
    let mut kept = load(config, &store);
    (1..=50).for_each(|txid| assert!(kept.add(txid, txid, Vec::new()).unwrap().is_empty()));
    assert!(store.is_empty());
    kept.add(51, 51, rows(1..=1)).unwrap();
    (52..=100).for_each(|txid| assert!(kept.add(txid, txid, Vec::new()).unwrap().is_empty()));
    assert_eq!(store.len(), 3, "the tuple's, and the last two");
    assert_eq!(ints(kept.add(101, 1000, Vec::new()).unwrap()), [[1]]);
    (102..=110).for_each(|txid| assert!(kept.add(txid, 1000 + txid, Vec::new()).unwrap().is_empty()));
    assert_eq!(store.len(), 1);
}

#[test]
fn stores_that_can_not_be_right_are_refused() {
    let refusal = |config, store: &MemoryWindowStore| {
        Kept::load(config, Box::new(store.clone())).err().expect("this is refused").to_string()
    };
    let store = MemoryWindowStore::new();
    let mut kept = load(COUNT, &store);
    (1..=3).for_each(|txid| drop(kept.add(txid, 0, rows([1])).unwrap()));
    assert_eq!(
        kept.add(2, 0, Vec::new()).unwrap_err().to_string(),
        "txid 2 is older than txid 3 in the store of a window: the metadata store is behind it"
    );
    let other = refusal(WindowConfig::tumbling_count(5), &store);
    assert_eq!(
        other,
        r#"the store is that of other windows: "count" with length 5 and slide 2, not Count { length: 5, slide: 5 }"#
    );
    store.clone().remove(&[2]).unwrap();
    assert_eq!(refusal(COUNT, &store), "2 tuples of 3 are in the store of a window: entries are missing");
    store.clone().put(4, &Value::from("x")).unwrap();
    assert_eq!(refusal(COUNT, &store), r#""x" is no entry of a window"#);
    store.clone().put(4, &Value::from(crate::values![2, 0, 0, 0, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!(refusal(COUNT, &store), "an entry of a window has version 2, known is 1");
}

/// Dice with a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A store whose writes fail at times, done or not.
struct FaultyStore(MemoryWindowStore, Dice);

impl FaultyStore {
    fn write(&mut self, write: impl FnOnce(&mut MemoryWindowStore) -> Outcome) -> Outcome {
        match self.1.roll(12) {
            0 => Err(Failure::new("not written")),
            1 => write(&mut self.0).and_then(|()| Err(Failure::new("written all the same"))),
            _ => write(&mut self.0),
        }
    }
}

impl WindowStore for FaultyStore {
    fn entries(&mut self) -> Outcome<Vec<(u64, Value)>> {
        self.0.entries()
    }

    fn put(&mut self, txid: u64, entry: &Value) -> Outcome {
        self.write(|store| store.put(txid, entry))
    }

    fn remove(&mut self, txids: &[u64]) -> Outcome {
        let some = self.1.roll(txids.len() as u64 + 1) as usize;
        self.0.remove(&txids[..some])?;
        self.write(|store| store.remove(txids))
    }
}

/// The windows of all rows, with the time of each, by definition: by txid that completes them.
fn by_definition(config: WindowConfig, batches: &[(u64, Vec<i64>)]) -> Vec<Windows> {
    let all: Vec<(u64, i64)> =
        batches.iter().flat_map(|(at, values)| values.iter().map(move |value| (*at, *value))).collect();
    let mut seen = 0;
    let mut time = 0;
    let windows = |(now, values): &(u64, Vec<i64>)| match config {
        WindowConfig::Count { length, slide } => {
            let before = seen;
            seen += values.len();
            let ends = (before + 1..=seen).filter(|end| end % slide == 0);
            ends.map(|end| all[end.saturating_sub(length)..end].iter().map(|(_, value)| *value).collect()).collect()
        }
        WindowConfig::Duration { length, slide } => {
            let (length, slide) = (length.as_millis() as u64, slide.as_millis() as u64);
            let ends = (time + 1..=*now).filter(|end| end % slide == 0);
            time = *now;
            let within = |end: u64| move |(at, _): &&(u64, i64)| *at < end && at + length >= end;
            let windows = ends.map(|end| all.iter().filter(within(end)).map(|(_, value)| *value).collect());
            windows.filter(|window: &Vec<i64>| !window.is_empty()).collect()
        }
    };
    batches.iter().map(windows).collect()
}

/// The windows of one txid, as numbers.
type Windows = Vec<Vec<i64>>;

/// What goes on around the windows of one partition.
struct World {
    dice: Dice,
    config: WindowConfig,
    is_opaque: bool,
    store: MemoryWindowStore,
    kept: Kept,
    now_ms: u64,
    next_value: i64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut dice = Dice(seed);
        let (length, slide) = (1 + dice.roll(12), 1 + dice.roll(12));
        let ms = Duration::from_millis;
        let config = match dice.roll(2) {
            0 => WindowConfig::sliding_count(length as usize, slide as usize),
            _ => WindowConfig::sliding_duration(ms(length), ms(slide)),
        };
        let (is_opaque, store) = (dice.roll(2) == 0, MemoryWindowStore::new());
        let kept = load(config, &store);
        World { dice, config, is_opaque, store, kept, now_ms: 0, next_value: 0 }
    }

    fn restart(&mut self) {
        let store = FaultyStore(self.store.clone(), Dice(self.dice.roll(u64::MAX)));
        self.kept = Kept::load(self.config, Box::new(store)).unwrap();
    }

    fn new_batch(&mut self) -> Vec<i64> {
        let count = if self.dice.roll(3) == 0 { 0 } else { self.dice.roll(6) as i64 };
        self.next_value += count;
        (self.next_value - count..self.next_value).collect()
    }

    /// Tries a txid until it is committed and recorded: gives its time, its batch and its windows. Every try of a batch that
    /// goes through must give the same windows at the same time.
    fn commit(&mut self, txid: u64) -> (u64, Vec<i64>, Windows) {
        let mut values = self.new_batch();
        let mut given: BTreeMap<Vec<i64>, Windows> = BTreeMap::new();
        let mut time = None;
        loop {
            self.now_ms += self.dice.roll(8);
            if self.dice.roll(4) == 0 {
                self.restart();
            }
            if let Ok(windows) = self.kept.add(txid, self.now_ms, rows(values.iter().copied())) {
                let windows = ints(windows);
                let first = given.entry(values.clone()).or_insert_with(|| windows.clone());
                assert_eq!(*first, windows, "txid {txid}: a replay gives other windows");
                let at = self.kept.content.marks.now_ms;
                let is_idle = values.is_empty() && windows.is_empty();
                assert!(is_idle || *time.get_or_insert(at) == at, "txid {txid}: a replay is at another time");
                if self.dice.roll(3) > 0 {
                    return (at, values, windows);
                }
            }
            if self.is_opaque {
                values = self.new_batch();
            }
        }
    }
}

/// Random batches with tries that fail before and after their write, that come again at a later time or (opaque) as another
/// batch, and with restarts between any two steps.
fn simulate(seed: u64) {
    let mut world = World::new(seed);
    let (mut batches, mut emitted) = (Vec::new(), Vec::new());
    for txid in 1..=120 {
        let (at_ms, values, windows) = world.commit(txid);
        batches.push((at_ms, values));
        emitted.push(windows);
    }
    assert_eq!(emitted, by_definition(world.config, &batches), "{:?}", world.config);
    // When the next txid begins there is an entry for each tuple in a later window at most, and the last two.
    while world.kept.remove_dead(121).is_err() {}
    assert!(world.store.len() <= world.kept.content.items.len() + 2, "{} entries", world.store.len());
}

/// One seed again: `MONSOON_SEED=7 cargo test --release -p monsoon-trident random_batches`; more: `MONSOON_SEEDS=10000`.
#[test]
fn random_batches_replays_and_restarts_give_the_windows_of_the_definition() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a seed is a number"));
    let seeds = match number("MONSOON_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("MONSOON_SEEDS").unwrap_or(300)).collect(),
    };
    seeds.into_iter().for_each(|seed| {
        println!("seed {seed}");
        simulate(seed);
    });
}
