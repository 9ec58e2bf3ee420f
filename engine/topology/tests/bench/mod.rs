//! What the tests of shell components share: a spout that replays, a sink that remembers, and children to find and to kill.

#![allow(dead_code, reason = "each test program uses a part")]

pub mod exact;
pub mod python;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use monsoon_topology::multilang::ShellSpec;
use monsoon_topology::{
    Bolt, BoltCollector, Outcome, RunningTopology, Spout, SpoutCollector, StartOptions, Streams, TopologyBuilder,
    Tuple, Value,
};
use rustix::process::{Pid, Signal, kill_process};

/// Far more than anything here takes.
pub const WAIT: Duration = Duration::from_secs(120);

/// What a [`Source`] has to emit, and what became of it.
#[derive(Default)]
pub struct Ledger {
    /// By number.
    pub rows: Vec<Value>,
    pub waiting: VecDeque<usize>,
    pub acked: BTreeSet<usize>,
    pub failed: u64,
}

/// A spout of rows of one value that emits again what has failed.
#[derive(Clone)]
pub struct Source(pub Arc<Mutex<Ledger>>);

impl Source {
    pub fn new(rows: impl IntoIterator<Item = Value>) -> Source {
        let rows: Vec<Value> = rows.into_iter().collect();
        Source(Arc::new(Mutex::new(Ledger { waiting: (0..rows.len()).collect(), rows, ..Ledger::default() })))
    }

    pub fn acked(&self) -> usize {
        self.0.lock().unwrap().acked.len()
    }

    pub fn is_done(&self) -> bool {
        let ledger = self.0.lock().unwrap();
        ledger.acked.len() == ledger.rows.len()
    }

    pub fn failed(&self) -> u64 {
        self.0.lock().unwrap().failed
    }
}

fn number(id: &Value) -> usize {
    id.as_int().unwrap() as usize
}

impl Spout for Source {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["value"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        let mut ledger = self.0.lock().unwrap();
        if let Some(number) = ledger.waiting.pop_front() {
            collector.emit_tracked([ledger.rows[number].clone()], number as i64)?;
        }
        Ok(())
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        assert!(self.0.lock().unwrap().acked.insert(number(&id)), "acked twice");
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        let mut ledger = self.0.lock().unwrap();
        ledger.failed += 1;
        ledger.waiting.push_back(number(&id));
        Ok(())
    }
}

/// What a [`Sink`] has got: how often each row has come on each stream, and to which task last.
pub type Seen = Arc<Mutex<BTreeMap<(String, String), u64>>>;

/// A bolt that remembers what it gets and acks it.
#[derive(Clone, Default)]
pub struct Sink(pub Seen);

impl Sink {
    pub fn distinct(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub fn total(&self) -> u64 {
        self.0.lock().unwrap().values().sum()
    }

    /// The first value of each row, as text.
    pub fn texts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap().iter().map(|((_, text), count)| (text.clone(), *count)).collect()
    }
}

impl Bolt for Sink {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        let key = (tuple.stream().stream.to_string(), tuple[0].to_string());
        *self.0.lock().unwrap().entry(key).or_default() += 1;
        collector.ack(tuple);
        Ok(())
    }
}

/// A script beside these tests, run by a program.
pub fn script(program: &str, name: &str, arguments: &[&str]) -> ShellSpec {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang").join(name);
    let command = [program, path.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
    ShellSpec::new(command)
}

/// A component of `multilang/shell.py` that emits these fields.
pub fn python(arguments: &[&str], fields: &[&str]) -> ShellSpec {
    with_fields(script("python3", "shell.py", arguments), fields)
}

pub fn with_fields(mut spec: ShellSpec, fields: &[&str]) -> ShellSpec {
    if !fields.is_empty() {
        spec.outputs.declare(fields);
    }
    spec
}

/// Keeps the pid files of children where the test finds them.
pub fn in_pid_dir(spec: ShellSpec, directory: &Path) -> ShellSpec {
    ShellSpec { pid_dir: Some(directory.to_owned()), ..spec }
}

pub fn start(builder: TopologyBuilder) -> RunningTopology {
    RunningTopology::start(&builder.build("shell").unwrap(), StartOptions::default()).unwrap()
}

/// Waits until something is so; fails with the topology's errors when it isn't in time.
pub fn await_that(what: &str, topology: &RunningTopology, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        let errors = || format!("{:#?}\n{:#?}", topology.errors(), topology.task_counts());
        assert!(started.elapsed() < WAIT, "not in time: {what}\n{}", errors());
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn errors(topology: &RunningTopology, component: &str) -> Vec<String> {
    let errors = topology.errors().into_iter().filter(|(name, ..)| name == component);
    errors.flat_map(|(_, errors, _)| errors).map(|error| error.message).collect()
}

/// Processes that have a file in a directory.
pub fn pids(directory: &Path) -> Vec<i32> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Whether a process of this id exists, as a zombie too.
pub fn exists(pid: i32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Kills at random, at even steps on the way to everything being acked, some children whose pid files are in a directory. Returns their ids.
pub fn kill_on_the_way(topology: &RunningTopology, source: &Source, directory: &Path, kills: usize) -> Vec<i32> {
    let total = source.0.lock().unwrap().rows.len();
    let mut random = total as u64 | 1;
    let mut killed = Vec::new();
    while killed.len() < kills {
        let step = (killed.len() + 1) * total / (kills + 1);
        await_that("the next step to a kill", topology, || source.acked() >= step);
        let alive: Vec<i32> = pids(directory).into_iter().filter(|pid| exists(*pid) && !killed.contains(pid)).collect();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let Some(&pid) = alive.get((random >> 33) as usize % alive.len().max(1)) else { continue };
        if kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok() {
            killed.push(pid);
        }
    }
    killed
}

/// Kills the children whose pid files are in a directory.
pub fn kill_all(directory: &Path) {
    for pid in pids(directory) {
        // It may have ended.
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
    }
}

/// Ends a topology in order; nothing is left of its children.
pub fn end(topology: RunningTopology, directory: &Path) {
    let children = pids(directory);
    topology.kill(WAIT).unwrap();
    assert!(pids(directory).is_empty(), "pid files are removed");
    let left: Vec<&i32> = children.iter().filter(|pid| exists(**pid)).collect();
    assert!(left.is_empty(), "children are left: {left:?}");
}

/// A number for a longer test, from an environment variable.
pub fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}
