//! Spouts that emit what a test says, bolts that note what they are given, and waiting for what must come.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, WindowTuples, WindowedBolt};
use monsoon_topology::{
    Bolt, BoltCollector, Failure, Outcome, RunningTopology, Spout, SpoutCollector, StartOptions, Streams, Topology,
    TopologyBuilder, Tuple, Value,
};
use parking_lot::Mutex;

/// Far more than anything here takes.
pub const WAIT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < WAIT, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A repeatable sequence: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// What a fed spout is to emit, and what it was told. Message ids are the first values.
#[derive(Clone, Default)]
pub struct Feed(Arc<Mutex<Fed>>);

#[derive(Default)]
struct Fed {
    waiting: VecDeque<Vec<Value>>,
    acked: Vec<i64>,
    failed: Vec<i64>,
}

impl Feed {
    pub fn push<V: Into<Value> + Clone>(&self, rows: impl IntoIterator<Item = impl AsRef<[V]>>) {
        let rows = rows.into_iter().map(|row| row.as_ref().iter().cloned().map(Into::into).collect());
        self.0.lock().waiting.extend(rows);
    }

    /// The ids that were acked, ascending.
    pub fn acked(&self) -> Vec<i64> {
        sorted(&self.0.lock().acked)
    }

    /// The ids that were failed, ascending.
    pub fn failed(&self) -> Vec<i64> {
        sorted(&self.0.lock().failed)
    }
}

fn sorted(ids: &[i64]) -> Vec<i64> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

/// Emits what its feed holds.
pub struct FedSpout {
    pub feed: Feed,
    pub fields: Vec<&'static str>,
}

impl Spout for FedSpout {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(&self.fields);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        let Some(row) = self.feed.0.lock().waiting.pop_front() else { return Ok(()) };
        let id = row[0].clone();
        collector.emit_tracked(row, id).map(drop)
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.feed.0.lock().acked.extend(id.as_int());
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.feed.0.lock().failed.extend(id.as_int());
        Ok(())
    }
}

/// Emits `(number, ts, key)` for the numbers below a limit that the test raises, and can go back.
pub struct Numbers {
    pub limit: Arc<AtomicU64>,
    pub next: u64,
    pub row: fn(u64) -> (i64, &'static str),
    pub tracked: bool,
}

impl Spout for Numbers {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number", "ts", "key"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if self.next < self.limit.load(Ordering::SeqCst) {
            let (ts, key) = (self.row)(self.next);
            let number = Value::Int(self.next as i64);
            self.next += 1;
            let row = (number.clone(), ts, key);
            match self.tracked {
                true => drop(collector.emit_tracked(row, number)?),
                false => drop(collector.emit(row)?),
            }
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn position(&mut self) -> Option<Vec<u8>> {
        Some(self.next.to_le_bytes().to_vec())
    }

    fn seek(&mut self, position: &[u8]) -> Outcome {
        self.next = u64::from_le_bytes(position.try_into()?);
        Ok(())
    }
}

/// A window as a test looks at it: the first values of its tuples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    pub key: Vec<Value>,
    pub items: Vec<i64>,
    pub new: Vec<i64>,
    pub expired: Vec<i64>,
    pub start: Option<i64>,
    pub end: i64,
}

/// The windows a recorder was given.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<Shown>>>);

impl Record {
    pub fn shown(&self) -> Vec<Shown> {
        self.0.lock().clone()
    }

    pub fn items(&self) -> Vec<Vec<i64>> {
        self.0.lock().iter().map(|shown| shown.items.clone()).collect()
    }

    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub fn push(&self, shown: Shown) {
        self.0.lock().push(shown);
    }

    pub fn wait(&self, windows: usize) {
        eventually(&format!("{windows} windows"), || self.len() >= windows);
    }
}

pub fn show(window: &TupleWindow<'_>) -> Shown {
    let numbers = |tuples: WindowTuples<'_>| tuples.map(|tuple| tuple[0].as_int().unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers(window.get()), numbers(window.iter()), "a window can be read again");
    Shown {
        key: window.key().to_vec(),
        items: numbers(window.get()),
        new: numbers(window.get_new()),
        expired: numbers(window.get_expired()),
        start: window.start_ms(),
        end: window.end_ms(),
    }
}

/// Notes its windows and emits how many tuples each had.
#[derive(Clone, Default)]
pub struct Recorder(pub Record);

impl WindowedBolt for Recorder {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["tuples"]);
    }

    fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome {
        self.0.push(show(window));
        collector.emit([window.len() as i64])?;
        Ok(())
    }
}

/// Notes tuples as text, and acks or fails them.
#[derive(Clone)]
pub struct Sink {
    pub rows: Arc<Mutex<Vec<Vec<Value>>>>,
    pub fails: bool,
}

impl Sink {
    pub fn new(fails: bool) -> Sink {
        Sink { rows: Arc::default(), fails }
    }
}

impl Bolt for Sink {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.rows.lock().push(tuple.values().to_vec());
        if self.fails {
            return Err(Failure::new("refused"));
        }
        collector.ack(tuple);
        Ok(())
    }
}

/// A fed spout `spout` of `number` and `ts`, and `windows` that records what `window` tells.
pub fn recording(window: Window, feed: &Feed, record: &Record) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    let feed = feed.clone();
    builder.set_spout("spout", move || FedSpout { feed: feed.clone(), fields: vec!["number", "ts"] });
    let recorder = Recorder(record.clone());
    builder.set_windowed_bolt("windows", window, move || recorder.clone()).shuffle_grouping("spout");
    builder
}

pub fn start(topology: &Topology, options: StartOptions) -> RunningTopology {
    RunningTopology::start(topology, options).unwrap()
}

/// Waits until a component has executed so many tuples.
pub fn wait_executed(running: &RunningTopology, component: &str, tuples: u64) {
    eventually(&format!("{component} executed {tuples}"), || running.counts(component).executed >= tuples);
}

/// The newest errors of a component.
pub fn errors(running: &RunningTopology, component: &str) -> String {
    let errors = running.errors();
    let (_, errors, _) = errors.iter().find(|(name, ..)| name == component).unwrap();
    format!("{errors:?}")
}
