//! Components of the Python SDK in running topologies, in the Arrow dialect and in JSON, and children that break the dialect.
//!
//! `MONSOON_MULTILANG_TUPLES` and `MONSOON_MULTILANG_KILLS` make the test with killed children longer, `MONSOON_SEED` repeats a random one.

mod bench;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bench::python::environment;
use bench::*;
use monsoon_topology::multilang::{ShellBolt, ShellSpec, ShellSpout};
use monsoon_topology::{
    Bolt, BoltCollector, Grouping, Outcome, RunningTopology, Spout, SpoutCollector, Streams, TopologyBuilder, Tuple,
    Value,
};

fn sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/python/monsoon_components")
}

/// A program of Python that finds the SDK.
fn program(programs: &Path, path: &Path, arguments: &[&str], fields: &[&str]) -> ShellSpec {
    let python = programs.join("python");
    let command = [python.to_str().unwrap(), path.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
    let mut spec = with_fields(ShellSpec::new(command), fields);
    spec.environment.insert("PYTHONPATH".into(), sdk().join("src").to_str().unwrap().into());
    spec
}

/// A class of `multilang/arrow/components.py`.
fn component(programs: &Path, class: &str, fields: &[&str]) -> ShellSpec {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/arrow/components.py");
    program(programs, &path, &[class], fields)
}

fn in_json(mut spec: ShellSpec) -> ShellSpec {
    spec.environment.insert("SPEAK".into(), "json".into());
    spec
}

fn as_it_likes(spec: ShellSpec) -> ShellSpec {
    spec
}

fn numbers(count: i64) -> Source {
    Source::new((0..count).map(Value::Int))
}

/// A source, shell bolts one after the other, and a sink.
fn chain(source: &Source, bolts: Vec<ShellSpec>, sink: &Sink) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    let (source, sink) = (source.clone(), sink.clone());
    builder.set_spout("source", move || source.clone());
    let mut last = "source".to_owned();
    for (place, spec) in bolts.into_iter().enumerate() {
        let name = format!("bolt{place}");
        builder.set_bolt(&name, move || ShellBolt::new(spec.clone())).shuffle_grouping(&last);
        last = name;
    }
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping(&last);
    builder
}

/// Runs a chain until all is acked.
fn run(source: &Source, bolts: Vec<ShellSpec>, sink: &Sink) -> RunningTopology {
    let topology = start(chain(source, bolts, sink));
    await_that("all is acked", &topology, || source.is_done());
    topology
}

fn no_errors(topology: &RunningTopology) {
    let told: Vec<_> =
        topology.errors().into_iter().flat_map(|(_, errors, _)| errors).map(|error| error.message).collect();
    assert_eq!(told, [""; 0]);
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = std::env::var("MONSOON_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = seed.unwrap_or(now.as_nanos() as u64);
        println!("repeat with MONSOON_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn int(&mut self) -> i64 {
        let ints = [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1];
        match self.below(3) {
            0 => ints[self.below(7) as usize],
            1 => self.below(1000) as i64,
            _ => self.next() as i64,
        }
    }

    fn float(&mut self) -> f64 {
        let floats = [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE / 4.0, f64::MAX];
        match self.below(2) {
            0 => floats[self.below(8) as usize],
            _ => f64::from_bits(self.next()),
        }
    }

    fn text(&mut self) -> String {
        let pieces = [
            "",
            "人",
            "a",
            "\0",
            "\"",
            "\\u0041",
            "\n",
            "$map",
            "end",
            "🦀",
            "a longer piece of text than fits in place",
        ];
        (0..self.below(4)).map(|_| pieces[self.below(11) as usize]).collect()
    }

    /// Of a kind; kinds from 6 on are lists and maps.
    fn value(&mut self, kind: u64, depth: u32) -> Value {
        match kind {
            0 => Value::Bool(self.below(2) == 0),
            1 => Value::Int(self.int()),
            2 => Value::Float(self.float()),
            3 => Value::Timestamp(self.int()),
            4 => Value::from(self.text()),
            5 => Value::from((0..self.below(20)).map(|_| self.next() as u8).collect::<Vec<u8>>()),
            _ if depth == 0 => Value::Null,
            6 => (0..self.below(4)).map(|_| self.any(depth - 1)).collect::<Vec<_>>().into(),
            _ => {
                let keys = ["a", "b", "$map", "$timestamp", ""];
                let entries = (0..self.below(4)).map(|_| (keys[self.below(5) as usize].into(), self.any(depth - 1)));
                Value::Map(entries.collect::<Vec<_>>().into())
            }
        }
    }

    fn any(&mut self, depth: u32) -> Value {
        let kind = self.below(8);
        self.value(kind, depth)
    }
}

/// A spout of rows, the first value of which is their number, that emits again what has failed.
#[derive(Clone)]
struct Table {
    rows: Arc<Vec<Vec<Value>>>,
    fields: Vec<String>,
    waiting: Arc<Mutex<Vec<usize>>>,
}

impl Spout for Table {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(&self.fields);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if let Some(number) = self.waiting.lock().unwrap().pop() {
            collector.emit_tracked(self.rows[number].clone(), number as i64)?;
        }
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.waiting.lock().unwrap().push(id.as_int().unwrap() as usize);
        Ok(())
    }
}

/// Rows by their number.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<i64, Vec<Value>>>>);

impl Bolt for Kept {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0.lock().unwrap().insert(tuple[0].as_int().unwrap(), tuple.values().to_vec());
        collector.ack(tuple);
        Ok(())
    }
}

#[test]
fn every_value_comes_back_as_it_went() {
    let Some(programs) = environment() else { return };
    let mut random = Random::new();
    // Columns of each kind without and with nulls, one of nulls alone, and one of everything.
    let fields: Vec<String> = (0..19).map(|place| format!("f{place}")).collect();
    let rows: Vec<Vec<Value>> = (0..3000)
        .map(|number| {
            let full = (0..8).map(|kind| random.value(kind, 3)).collect::<Vec<_>>();
            let sparse = (0..8).map(|kind| if random.below(4) == 0 { Value::Null } else { random.value(kind, 3) });
            let sparse = sparse.collect::<Vec<_>>();
            let rest = [Value::Null, random.any(3)];
            [Value::Int(number)].into_iter().chain(full).chain(sparse).chain(rest).collect()
        })
        .collect();
    let waiting = Arc::new(Mutex::new((0..rows.len()).collect()));
    let (table, kept) = (Table { rows: Arc::new(rows), fields: fields.clone(), waiting }, Kept::default());
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let mut builder = TopologyBuilder::new();
    let (spout, sink) = (table.clone(), kept.clone());
    let (first, second) = (component(programs, "Forward", &names), component(programs, "ForwardBatch", &names));
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("first", move || ShellBolt::new(first.clone())).shuffle_grouping("source");
    builder.set_bolt("second", move || ShellBolt::new(second.clone())).shuffle_grouping("first");
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("second");
    let topology = start(builder);
    await_that("all is acked", &topology, || topology.counts("source").acked == table.rows.len() as u64);
    no_errors(&topology);
    let kept = kept.0.lock().unwrap();
    for (number, row) in table.rows.iter().enumerate() {
        assert_eq!(kept.get(&(number as i64)), Some(row));
    }
}

#[test]
fn a_component_speaks_arrow_unless_it_or_the_engine_does_not_want_to() {
    let Some(programs) = environment() else { return };
    let spoken = |spec: ShellSpec, setting: Option<bool>| {
        let (source, sink) = (numbers(10), Sink::default());
        let mut builder = chain(&source, vec![spec], &sink);
        setting.into_iter().for_each(|offered| _ = builder.config("shell_arrow", offered));
        let topology = start(builder);
        await_that("all is acked", &topology, || source.is_done());
        no_errors(&topology);
        sink.texts().into_keys().collect::<Vec<_>>()
    };
    let speaks = component(programs, "Speaks", &["name"]);
    assert_eq!(spoken(speaks.clone(), None), ["ArrowChannel"]);
    assert_eq!(spoken(speaks.clone(), Some(false)), ["JsonChannel"]);
    assert_eq!(spoken(in_json(speaks.clone()), None), ["JsonChannel"]);
    // Python without pyarrow.
    let plain = ShellSpec {
        command: ["python3".to_owned()].into_iter().chain(speaks.command[1..].to_vec()).collect(),
        ..speaks
    };
    let has_arrow = std::process::Command::new("python3").args(["-c", "import pyarrow"]).output().unwrap();
    if !has_arrow.status.success() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/arrow/plain.py");
        let plain = ShellSpec { command: vec!["python3".into(), path.to_str().unwrap().into()], ..plain };
        assert_eq!(spoken(plain, None), ["JsonChannel"]);
    }
}

#[test]
fn json_and_arrow_go_together() {
    let Some(programs) = environment() else { return };
    let (source, sink) = (numbers(5000), Sink::default());
    let forward = component(programs, "Forward", &["value"]);
    let batch = component(programs, "ForwardBatch", &["value"]);
    let bolts =
        vec![python(&["forward"], &["value"]), batch.clone(), in_json(forward.clone()), forward, in_json(batch)];
    let topology = run(&source, bolts, &sink);
    assert_eq!((sink.total(), sink.distinct(), source.failed()), (5000, 5000, 0));
    no_errors(&topology);
}

/// A bolt that fails each value the first time.
#[derive(Clone, Default)]
struct Reluctant(Arc<Mutex<BTreeMap<String, u64>>>);

impl Bolt for Reluctant {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        let mut seen = self.0.lock().unwrap();
        let times = seen.entry(tuple[0].to_string()).or_default();
        *times += 1;
        if *times == 1 && tuple[0].as_int().unwrap() % 3 == 0 {
            collector.fail(tuple)
        } else {
            collector.ack(tuple)
        }
        Ok(())
    }
}

#[test]
fn a_failed_tuple_is_that_of_its_row() {
    let Some(programs) = environment() else { return };
    for class in ["Forward", "ForwardBatch", "ForwardSome"] {
        let bolt = component(programs, class, &["value"]);
        let (source, reluctant) = (numbers(600), Reluctant::default());
        let (spout, sink) = (source.clone(), reluctant.clone());
        let mut builder = TopologyBuilder::new();
        builder.set_spout("source", move || spout.clone());
        builder.set_bolt("bolt", move || ShellBolt::new(bolt.clone())).shuffle_grouping("source");
        builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("bolt");
        let topology = start(builder);
        await_that("all is acked", &topology, || source.is_done());
        let step = if class == "ForwardSome" { 2 } else { 1 };
        let expected: BTreeMap<String, u64> = (0..600)
            .step_by(step)
            .map(|number: i64| (number.to_string(), if number % 3 == 0 { 2 } else { 1 }))
            .collect();
        assert_eq!(*reluctant.0.lock().unwrap(), expected, "{class}: what failed is replayed, and nothing else");
        assert_eq!(source.failed(), 200 / step as u64);
        no_errors(&topology);
    }
}

/// Fails everything until a number of tuples has come.
#[derive(Clone)]
struct Never(Arc<Mutex<u64>>);

impl Bolt for Never {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        let mut left = self.0.lock().unwrap();
        if *left > 0 {
            collector.fail(tuple)
        } else {
            collector.ack(tuple)
        }
        *left = left.saturating_sub(1);
        Ok(())
    }
}

#[test]
fn a_tuple_of_a_whole_batch_fails_the_whole_batch() {
    let Some(programs) = environment() else { return };
    let bolt = component(programs, "Sums", &["sum"]);
    let source = numbers(500);
    let (spout, sink) = (source.clone(), Never(Arc::new(Mutex::new(1))));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("bolt", move || ShellBolt::new(bolt.clone())).shuffle_grouping("source");
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("bolt");
    let topology = start(builder);
    await_that("all is acked", &topology, || source.is_done());
    let counts = topology.counts("bolt");
    assert_eq!(counts.executed, 500 + source.failed());
    assert!(source.failed() > 0);
    no_errors(&topology);
}

#[test]
fn what_is_too_much_for_one_frame_goes_in_several() {
    let Some(programs) = environment() else { return };
    let (source, sink) = (numbers(2000), Sink::default());
    let topology = run(&source, vec![component(programs, "Wide", &["number"])], &sink);
    no_errors(&topology);
    assert_eq!((source.failed(), sink.distinct(), sink.total() % 1500), (0, 1500, 0));
    let (source, sink) = (numbers(1), Sink::default());
    let topology = run(&source, vec![component(programs, "Large", &["bytes"])], &sink);
    no_errors(&topology);
    assert_eq!((source.failed(), sink.total()), (0, 60));
}

#[test]
fn a_spout_replays_what_a_bolt_fails() {
    let Some(programs) = environment() else { return };
    for (speak, class) in
        [(as_it_likes as fn(_) -> _, "FailSome"), (in_json, "FailSome"), (as_it_likes, "FailSomeOfBatch")]
    {
        let spout = speak(component(programs, "Numbers", &["number"]));
        let bolt = speak(component(programs, class, &["number"]));
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
        no_errors(&topology);
        topology.kill(WAIT).unwrap();
    }
}

#[test]
fn an_exception_fails_the_tuple_and_what_is_printed_is_logged() {
    let Some(programs) = environment() else { return };
    for speak in [as_it_likes, in_json] {
        let (source, sink) = (numbers(100), Sink::default());
        let topology = run(&source, vec![speak(component(programs, "Raise", &["value"]))], &sink);
        let errors = errors(&topology, "bolt0");
        assert!(errors.iter().any(|error| error.contains("seven is not liked")), "{errors:?}");
        assert!(errors.iter().any(|error| error.contains("object is no type that a value can have")), "{errors:?}");
        assert_eq!((source.failed(), sink.distinct(), errors.len()), (2, 100, 2));
    }
}

/// Whenever what was emitted is sent, the tuple it is anchored to fails, that one alone, and once.
#[test]
fn what_can_not_be_sent_fails_the_tuple_it_was_emitted_for() {
    let Some(programs) = environment() else { return };
    let (source, sink) = (numbers(100), Sink::default());
    let topology = run(&source, vec![component(programs, "SendBadly", &["value"])], &sink);
    let errors = errors(&topology, "bolt0");
    assert!(errors.iter().all(|error| error.contains("object is no type that a value can have")), "{errors:?}");
    assert_eq!((source.failed(), sink.distinct(), errors.len()), (2, 100, 2));
}

#[test]
fn an_exception_fails_the_batch() {
    let Some(programs) = environment() else { return };
    let (source, sink) = (numbers(100), Sink::default());
    let topology = run(&source, vec![component(programs, "RaiseBatch", &["value"])], &sink);
    let errors = errors(&topology, "bolt0");
    assert!(errors.len() == 1 && errors[0].contains("batches are not liked"), "{errors:?}");
    assert!(source.failed() > 0);
    assert_eq!((sink.distinct(), sink.total()), (100, 100));
}

#[test]
fn tuples_go_to_one_task_and_their_tasks_are_told() {
    let Some(programs) = environment() else { return };
    for speak in [as_it_likes, in_json] {
        let mut spec = speak(component(programs, "Direct", &[]));
        spec.outputs.declare_direct("to_one", ["number", "task"]);
        spec.outputs.declare_stream("named", ["number"]);
        let (source, sink) = (numbers(300), Sink::default());
        let (spout, seen) = (source.clone(), sink.clone());
        let mut builder = TopologyBuilder::new();
        builder.set_spout("source", move || spout.clone());
        builder.set_bolt("shell", move || ShellBolt::new(spec.clone())).shuffle_grouping("source");
        let bolt = builder.set_bolt("sink", move || seen.clone()).parallelism(3);
        bolt.grouping("shell", "to_one", Grouping::Direct).grouping("shell", "named", Grouping::Shuffle);
        let topology = start(builder);
        await_that("all is acked", &topology, || source.is_done());
        let seen = sink.0.lock().unwrap();
        let on = |stream: &str| seen.iter().filter(|((of, _), count)| of == stream && **count == 1).count();
        assert_eq!((on("to_one"), on("named"), seen.len()), (300, 300, 600));
        no_errors(&topology);
    }
}

#[test]
fn ticks_come_and_need_no_ack() {
    let Some(programs) = environment() else { return };
    for speak in [as_it_likes, in_json] {
        let (source, sink) = (numbers(1000), Sink::default());
        let mut builder = chain(&source, vec![speak(component(programs, "Ticked", &["count"]))], &sink);
        builder.config("tick_interval", "20 ms");
        let topology = start(builder);
        await_that("all is acked", &topology, || source.is_done());
        let sum: u64 = sink.texts().iter().map(|(number, times)| number.parse::<u64>().unwrap() * times).sum();
        assert_eq!((sum, source.failed()), (1000, 0));
        no_errors(&topology);
        topology.kill(WAIT).unwrap();
    }
}

#[test]
fn a_slow_child_holds_up_the_spout() {
    let Some(programs) = environment() else { return };
    let source = numbers(3000);
    let mut builder = chain(&source, vec![component(programs, "Sleepy", &["value"])], &Sink::default());
    builder.config("shell_max_pending", 10).config("queue_tuples", 20).config("batch_tuples", 5);
    let topology = start(builder);
    await_that("the child has worked a while", &topology, || source.acked() >= 30);
    // Ten in the child's work, twice ten on the way to it, ten in the outbox, 20 in the queue, 10 in batches, and what is acked every 50 ms.
    let under_way = topology.counts("source").emitted - source.acked() as u64;
    assert!((20..100).contains(&under_way), "{under_way} tuples are under way");
    no_errors(&topology);
}

#[test]
fn a_batch_that_takes_long_is_no_silence() {
    let Some(programs) = environment() else { return };
    let source = numbers(100);
    let mut builder = chain(&source, vec![component(programs, "Slow", &["value"])], &Sink::default());
    builder.config("subprocess_timeout", "1500 ms");
    let topology = start(builder);
    await_that("all is acked", &topology, || source.is_done());
    assert_eq!(source.failed(), 0);
    no_errors(&topology);
}

#[test]
fn the_example_of_the_readme_runs() {
    let Some(programs) = environment() else { return };
    let readme = std::fs::read_to_string(sdk().join("README.md")).unwrap();
    let example = readme.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.py");
    std::fs::write(&path, example).unwrap();
    let bolts = ["split", "long"].map(|name| program(programs, &path, &[name], &["word"]));
    let with_names = |mut spec: ShellSpec, name: &str| {
        spec.outputs = Streams::default();
        spec.outputs.declare([name]);
        spec
    };
    let sentences = ["to be or not to be", "that is the question", "whether tis nobler"];
    let (table, sink) =
        (Sentences(sentences.iter().cycle().take(300).map(ToString::to_string).collect()), Sink::default());
    let [split, long] = bolts.map(|bolt| with_names(bolt, "word"));
    let mut builder = TopologyBuilder::new();
    let seen = sink.clone();
    builder.set_spout("lines", move || table.clone());
    builder.set_bolt("split", move || ShellBolt::new(split.clone())).shuffle_grouping("lines");
    builder.set_bolt("long", move || ShellBolt::new(long.clone())).shuffle_grouping("split");
    builder.set_bolt("sink", move || seen.clone()).shuffle_grouping("long");
    let topology = start(builder);
    await_that("all is acked", &topology, || topology.counts("lines").acked == 300);
    let expected = ["that", "question", "whether", "nobler"].map(|word| (word.to_owned(), 100));
    assert_eq!(sink.texts(), BTreeMap::from(expected));
    no_errors(&topology);
}

#[derive(Clone)]
struct Sentences(Vec<String>);

impl Spout for Sentences {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["sentence"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if let Some(sentence) = self.0.pop() {
            collector.emit_tracked([sentence], self.0.len() as i64)?;
        }
        Ok(())
    }
}

#[test]
fn every_tuple_arrives_though_children_are_killed() {
    let Some(programs) = environment() else { return };
    let tuples = from_environment("MONSOON_MULTILANG_TUPLES", 5000);
    let kills = from_environment("MONSOON_MULTILANG_KILLS", 3);
    let pids = tempfile::tempdir().unwrap();
    let (source, sink) = (numbers(tuples as i64), Sink::default());
    let bolts =
        ["Forward", "ForwardBatch"].map(|class| in_pid_dir(component(programs, class, &["value"]), pids.path()));
    let mut builder = chain(&source, bolts.to_vec(), &sink);
    builder.config("max_spout_pending", 1000);
    let started = Instant::now();
    let topology = start(builder);
    let killed = kill_on_the_way(&topology, &source, pids.path(), kills);
    await_that("all is acked", &topology, || source.is_done());
    let took = started.elapsed();
    assert_eq!(killed.len(), kills);
    assert_eq!(sink.distinct(), tuples, "none is lost");
    assert!(topology.wait_settled(Duration::from_secs(10)), "nothing is pending in the end");
    println!(
        "{tuples} tuples through two bolts of the SDK, {kills} children killed: {took:.1?}, {} failed and were replayed, {} arrived",
        source.failed(),
        sink.total()
    );
    end(topology, pids.path());
}

/// The first child has a fault; what it had is replayed, and the next one works.
fn check_fault(fault: &str, expected: &str) {
    let Some(programs) = environment() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/arrow/raw.py");
    let marker = directory.path().join("marker");
    let spec = program(programs, &path, &[fault, marker.to_str().unwrap()], &["value"]);
    let (source, sink) = (numbers(10), Sink::default());
    let mut builder = chain(&source, vec![in_pid_dir(spec, &directory.path().join("pids"))], &sink);
    builder.config("subprocess_timeout", "2 s");
    let topology = start(builder);
    await_that(expected, &topology, || source.is_done());
    let errors = errors(&topology, "bolt0");
    assert!(errors.iter().any(|error| error.contains(expected)), "{fault}: {errors:?}");
    assert!(errors.iter().any(|error| error.contains("started anew")), "{fault}: {errors:?}");
    assert_eq!(sink.distinct(), 10);
    assert!(topology.wait_settled(WAIT));
    end(topology, &directory.path().join("pids"));
}

#[test]
fn a_dialect_that_was_not_offered_or_comes_late_is_refused() {
    check_fault(
        "unknown_dialect",
        r#"the child has chosen the dialect "arrow-2", which isn't among those offered: ["arrow-1"]"#,
    );
    check_fault("late_dialect", r#"the child has chosen the dialect "arrow-1" after it has said something else"#);
}

#[test]
fn a_malformed_frame_is_told_and_the_child_replaced() {
    check_fault("prints", "does the component print to its standard output?");
    check_fault("cut", r#"exit status: 3 in the middle of a message: "{\"command\": \"em""#);
    check_fault("long", "a frame with a header of 100 bytes and a body of 1073741824");
    check_fault("no_json", "not a header");
    check_fault("a_list", "not a header: not an object");
    check_fault("bare_ack", "missing field `ids`");
    check_fault("body_of_an_ack", r#""ack" has a body of 3 bytes, which only an emit has"#);
}

#[test]
fn a_malformed_batch_is_told_and_the_child_replaced() {
    check_fault("no_batch", "Arrow");
    check_fault("cut_batch", "cut off");
    check_fault("rows", "a batch of 2 rows where the header says 3");
    check_fault("no_columns_expected", "the child has emitted what can't be");
    check_fault("wrong_type", r#"column "value": its type, List, isn't one that is taken"#);
    check_fault("dictionary", "cast it to plain values");
    check_fault("compressed", "the batch is compressed");
    check_fault("large_integer", "9223372036854775808 is more than 63 bits hold");
    check_fault("bad_text", "row 0 is no UTF-8");
}

#[test]
fn ids_that_are_not_the_childs_are_told_and_the_child_replaced() {
    check_fault("unknown_ack", r#"the child has acked "4711", which it doesn't have"#);
    check_fault("unknown_anchor", r#"the child has anchored to "4711", which it doesn't have"#);
    check_fault("endless_range", "no range of ids");
    check_fault("too_few_anchors", "anchors for 0 rows, where there are 2");
    check_fault("both_anchors", r#"both "each" and "anchors""#);
}

#[test]
fn a_child_that_ends_or_falls_silent_is_replaced() {
    check_fault("exits", "last words");
    check_fault("hangs", "the child has said nothing for 2000 ms");
}

/// Numbers without end.
struct Endless(i64);

impl Spout for Endless {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["value"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        self.0 += 1;
        collector.emit_tracked([self.0], self.0)?;
        Ok(())
    }
}

/// User and system time of a process and what it has waited for, in clock ticks.
fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(11..13).map_or(0, |times| times.iter().filter_map(|time| time.parse::<u64>().ok()).sum())
}

/// Tuples a second through one child, and the microseconds of processor that a tuple takes in the child and in the engine.
fn measure(name: &str, pending: i64, spec: ShellSpec) -> String {
    let pids = tempfile::tempdir().unwrap();
    let spec = in_pid_dir(spec, pids.path());
    let mut builder = TopologyBuilder::new();
    builder.config("max_spout_pending", pending);
    builder.set_spout("source", || Endless(0));
    builder.set_bolt("bolt", move || ShellBolt::new(spec.clone())).shuffle_grouping("source");
    builder.set_bolt("sink", Accept::default).shuffle_grouping("bolt");
    let topology = start(builder);
    let acked = || topology.counts("source").acked;
    await_that("it runs", &topology, || acked() > 1000);
    let child = bench::pids(pids.path())[0];
    let own = std::process::id() as i32;
    let before = (Instant::now(), acked(), cpu_ticks(child), cpu_ticks(own));
    std::thread::sleep(Duration::from_secs(from_environment("MONSOON_MEASURE_SECONDS", 8) as u64));
    let tuples = (acked() - before.1) as f64;
    let took = before.0.elapsed().as_secs_f64();
    let micros = |ticks: u64| ticks as f64 * 10_000.0 / tuples;
    let (of_child, of_engine) = (micros(cpu_ticks(child) - before.2), micros(cpu_ticks(own) - before.3));
    no_errors(&topology);
    drop(topology);
    format!("{name}: {:.0} tuples/s, CPU per tuple: child {of_child:.2} us, engine {of_engine:.2} us", tuples / took)
}

/// Acks all.
#[derive(Default)]
struct Accept;

impl Bolt for Accept {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        collector.ack(tuple);
        Ok(())
    }
}

/// `cargo test --release -p monsoon-topology --test arrow_dialect -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn what_a_tuple_costs() {
    let Some(programs) = environment() else { return };
    let pystorm = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/pystorm/components.py");
    let forward = |class| component(programs, class, &["value"]);
    let specs = [
        ("pystorm, JSON", program(programs, &pystorm, &["Forward"], &["value"])),
        ("SDK Bolt, JSON", in_json(forward("Forward"))),
        ("SDK Bolt, Arrow", forward("Forward")),
        ("SDK BatchBolt, Arrow", forward("ForwardBatch")),
    ];
    for pending in [20_000, 1] {
        for (name, spec) in &specs {
            println!("at most {pending} under way, {}", measure(name, pending, spec.clone()));
        }
    }
}
