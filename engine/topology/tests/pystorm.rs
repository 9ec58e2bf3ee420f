//! Unchanged pystorm and streamparse, from PyPI, with components that are run as Storm runs them.
//!
//! `bench/python.rs` installs both.
//! `MONSOON_MULTILANG_TUPLES` and `MONSOON_MULTILANG_KILLS` make the test with killed children longer.

mod bench;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bench::python::environment;
use bench::*;
use monsoon_topology::multilang::{ShellBolt, ShellSpec, ShellSpout};
use monsoon_topology::{Bolt, BoltCollector, Outcome, TopologyBuilder, Tuple, Value};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/pystorm")
}

/// A class of `multilang/pystorm/components.py`.
fn component(programs: &Path, class: &str, fields: &[&str]) -> ShellSpec {
    let python = programs.join("python");
    let spec = ShellSpec::new([python.to_str().unwrap(), "components.py", class]);
    with_fields(ShellSpec { directory: Some(directory()), ..spec }, fields)
}

fn with_marker(mut spec: ShellSpec, marker: &Path) -> ShellSpec {
    spec.environment.insert("MARKER".into(), marker.to_str().unwrap().into());
    spec
}

/// A sum per word of what comes with it.
#[derive(Clone, Default)]
struct Sums(Arc<Mutex<BTreeMap<String, i64>>>);

impl Bolt for Sums {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        *self.0.lock().unwrap().entry(tuple[0].to_string()).or_default() += tuple[1].as_int().unwrap();
        collector.ack(tuple);
        Ok(())
    }
}

fn numbers(count: i64) -> Source {
    Source::new((0..count).map(Value::Int))
}

fn chain(source: &Source, bolt: ShellSpec, sink: &Sink) -> TopologyBuilder {
    let (source, sink) = (source.clone(), sink.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || source.clone());
    builder.set_bolt("bolt", move || ShellBolt::new(bolt.clone())).shuffle_grouping("source");
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("bolt");
    builder
}

/// Words of pystorm's spout and bolt, counted by batches.
fn check_batches(batching: &str) {
    let Some(programs) = environment() else { return };
    let spout = component(programs, "Sentences", &["sentence"]);
    let split = component(programs, "Split", &["word"]);
    let count = component(programs, batching, &["word", "count"]);
    let sums = Sums::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || ShellSpout::new(spout.clone()));
    builder.set_bolt("split", move || ShellBolt::new(split.clone())).shuffle_grouping("source");
    let bolt = builder.set_bolt("count", move || ShellBolt::new(count.clone()));
    bolt.parallelism(2).fields_grouping("split", ["word"]).config("tick_interval", "100 ms");
    let sink = sums.clone();
    builder.set_bolt("sums", move || sink.clone()).shuffle_grouping("count");
    let topology = start(builder);
    let expected = [("be", 600), ("not", 300), ("or", 300), ("to", 600)].map(|(word, count)| (word.to_owned(), count));
    await_that("all is counted", &topology, || *sums.0.lock().unwrap() == BTreeMap::from(expected.clone()));
    for component in ["source", "split", "count"] {
        assert_eq!(errors(&topology, component), [""; 0]);
    }
    topology.kill(WAIT).unwrap();
}

#[test]
fn a_batching_bolt_counts_at_ticks() {
    check_batches("CountBatch");
}

#[test]
fn a_batching_bolt_with_a_thread_of_its_own_counts() {
    check_batches("CountBatchTickless");
}

#[test]
fn a_reliable_spout_replays_what_a_bolt_fails() {
    let Some(programs) = environment() else { return };
    let spout = component(programs, "Numbers", &["number"]);
    let bolt = component(programs, "FailSome", &["number"]);
    let sink = Sink::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || ShellSpout::new(spout.clone()));
    builder.set_bolt("bolt", move || ShellBolt::new(bolt.clone())).shuffle_grouping("source");
    let seen = sink.clone();
    builder.set_bolt("sink", move || seen.clone()).shuffle_grouping("bolt");
    let topology = start(builder);
    await_that("all is acked", &topology, || topology.counts("source").acked == 200);
    assert_eq!(topology.counts("source").failed, 40);
    assert_eq!((sink.distinct(), sink.total()), (200, 200));
    topology.kill(WAIT).unwrap();
}

/// What a bolt's first child does in its first life makes no tuple be lost.
fn check_first_life(class: &str, expected: &str) {
    let Some(programs) = environment() else { return };
    let directory = tempfile::tempdir().unwrap();
    let bolt = with_marker(component(programs, class, &["number"]), &directory.path().join("marker"));
    let pids = directory.path().join("pids");
    let (source, sink) = (numbers(100), Sink::default());
    let mut builder = chain(&source, in_pid_dir(bolt, &pids), &sink);
    builder.config("subprocess_timeout", "3 s");
    let topology = start(builder);
    await_that("all is acked", &topology, || source.is_done());
    let errors = errors(&topology, "bolt");
    assert!(errors.iter().any(|error| error.contains(expected)), "{errors:?}");
    assert!(source.failed() > 0);
    assert_eq!(sink.distinct(), 100);
    end(topology, &pids);
}

#[test]
fn an_exception_fails_the_tuple_and_ends_the_child() {
    check_first_life("Raise", "seven is not liked");
}

#[test]
fn a_bolt_that_is_busy_for_too_long_is_replaced() {
    check_first_life("Busy", "the child has said nothing for 3000 ms");
}

/// The project that `sparse quickstart` makes, with no edits.
#[test]
fn streamparses_own_project_runs() {
    let Some(programs) = environment() else { return };
    let print = "import os, streamparse; print(os.path.dirname(streamparse.__file__))";
    let package = Command::new(programs.join("python")).args(["-c", print]).output().unwrap();
    let package = String::from_utf8(package.stdout).unwrap();
    let resources = Path::new(package.trim()).join("bootstrap/project/src");
    let program = programs.join("streamparse_run");
    let spec = |class: &str, fields: &[&str]| {
        let spec = ShellSpec::new([program.to_str().unwrap(), class]);
        with_fields(ShellSpec { directory: Some(resources.clone()), ..spec }, fields)
    };
    let spout = spec("spouts.words.WordSpout", &["word"]);
    let count = spec("bolts.wordcount.WordCountBolt", &["word", "count"]);
    let sums = Sums::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || ShellSpout::new(spout.clone()));
    builder.set_bolt("count", move || ShellBolt::new(count.clone())).fields_grouping("source", ["word"]).parallelism(2);
    let sink = sums.clone();
    builder.set_bolt("sums", move || sink.clone()).shuffle_grouping("count");
    let topology = start(builder);
    await_that("2000 words are counted", &topology, || topology.counts("sums").executed >= 2000);
    topology.deactivate().unwrap();
    assert!(topology.wait_settled(WAIT));
    let emitted = topology.counts("source").emitted as i64;
    assert_eq!(topology.counts("sums").executed as i64, emitted);
    // Of each of the four words in turn the counts 1, 2, 3... are emitted; a dog counts for ten.
    let expected = ["dog", "cat", "zebra", "elephant"].iter().zip(0..).map(|(word, place)| {
        let times = (emitted + 3 - place) / 4;
        (word.to_string(), times * (times + 1) / 2 * if *word == "dog" { 10 } else { 1 })
    });
    assert_eq!(*sums.0.lock().unwrap(), expected.collect());
    topology.kill(WAIT).unwrap();
}

#[test]
fn every_tuple_arrives_though_children_are_killed() {
    let Some(programs) = environment() else { return };
    let tuples = from_environment("MONSOON_MULTILANG_TUPLES", 5000);
    let kills = from_environment("MONSOON_MULTILANG_KILLS", 4);
    let pids = tempfile::tempdir().unwrap();
    let (source, sink) = (numbers(tuples as i64), Sink::default());
    let forward = in_pid_dir(component(programs, "Forward", &["number"]), pids.path());
    let (spout, first, second, seen) = (source.clone(), forward.clone(), forward, sink.clone());
    let mut builder = TopologyBuilder::new();
    builder.config("max_spout_pending", 1000);
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("first", move || ShellBolt::new(first.clone())).shuffle_grouping("source");
    builder.set_bolt("second", move || ShellBolt::new(second.clone())).shuffle_grouping("first");
    builder.set_bolt("sink", move || seen.clone()).shuffle_grouping("second");
    let started = Instant::now();
    let topology = start(builder);
    let killed = kill_on_the_way(&topology, &source, pids.path(), kills);
    await_that("all is acked", &topology, || source.is_done());
    let took = started.elapsed();
    assert_eq!(killed.len(), kills);
    assert_eq!(sink.distinct(), tuples, "none is lost");
    assert!(topology.wait_settled(Duration::from_secs(10)), "nothing is pending in the end");
    println!(
        "{tuples} tuples through two pystorm bolts, {kills} children killed: {took:.1?}, {} failed and were replayed, {} arrived",
        source.failed(),
        sink.total()
    );
    end(topology, pids.path());
}
