//! Shell bolts and spouts in running topologies: `multilang/shell.py` and others, which need Python 3, Node and Perl and nothing else.

mod bench;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bench::exact::*;
use bench::*;
use monsoon_topology::multilang::{ShellBolt, ShellSpec, ShellSpout};
use monsoon_topology::{
    Fields, Grouping, Guarantee, MemoryCheckpoints, RunningTopology, SKIPPED_STREAM, StartOptions, TopologyBuilder,
    Value,
};

fn numbers(count: i64) -> Source {
    Source::new((0..count).map(Value::Int))
}

/// A source, shell bolts one after the other, and a sink.
fn chain(source: &Source, bolts: Vec<ShellSpec>, sink: &Sink) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    let source = source.clone();
    builder.set_spout("source", move || source.clone());
    let mut last = "source".to_owned();
    for (place, spec) in bolts.into_iter().enumerate() {
        let name = format!("shell{place}");
        builder.set_bolt(&name, move || ShellBolt::new(spec.clone())).shuffle_grouping(&last);
        last = name;
    }
    let sink = sink.clone();
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping(&last);
    builder
}

fn sentences() -> (Source, BTreeMap<String, u64>) {
    let words = ["to", "be", "or", "not", "人"];
    let sentences: Vec<String> =
        (0..500).map(|number| format!("{} {}", words[number % 5], words[number * 7 % 3])).collect();
    let mut counts = BTreeMap::new();
    sentences.iter().flat_map(|sentence| sentence.split(' ')).for_each(|word| {
        *counts.entry(word.to_owned()).or_default() += 1;
    });
    (Source::new(sentences.into_iter().map(Value::from)), counts)
}

fn check_word_count(split: ShellSpec) {
    let pids = tempfile::tempdir().unwrap();
    let split = in_pid_dir(with_fields(split, &["word"]), pids.path());
    let (source, expected) = sentences();
    let (counts, spout) = (Sink::default(), source.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("split", move || ShellBolt::new(split.clone())).parallelism(2).shuffle_grouping("source");
    let sink = counts.clone();
    let count = builder.set_bolt("count", move || sink.clone());
    count.parallelism(2).grouping(
        "split",
        "default",
        monsoon_topology::Grouping::Fields(Fields::new(["word"]).unwrap()),
    );
    let topology = start(builder);
    await_that("all is acked", &topology, || source.is_done());
    assert_eq!(counts.texts(), expected);
    assert!(topology.wait_settled(WAIT));
    assert_eq!(topology.counts("split").acked, 500);
    assert_eq!(errors(&topology, "split"), [""; 0]);
    end(topology, pids.path());
}

#[test]
fn words_split_in_python_are_counted() {
    check_word_count(python(&["split"], &[]));
}

#[test]
fn words_split_in_node_are_counted() {
    if is_installed("node") {
        check_word_count(script("node", "split.js", &[]));
    }
}

#[test]
fn a_spout_in_perl_feeds_a_bolt_in_python() {
    if !is_installed("perl") {
        return;
    }
    let spec = with_fields(script("perl", "words.pl", &["300"]), &["sentence"]);
    let (sink, splitter) = (Sink::default(), python(&["split"], &["word"]));
    let mut builder = TopologyBuilder::new();
    builder.config("max_spout_pending", 10);
    builder.set_spout("source", move || ShellSpout::new(spec.clone()));
    builder.set_bolt("split", move || ShellBolt::new(splitter.clone())).shuffle_grouping("source");
    let counts = sink.clone();
    builder.set_bolt("count", move || counts.clone()).shuffle_grouping("split");
    let topology = start(builder);
    await_that("all is acked", &topology, || topology.counts("source").acked == 300);
    assert_eq!(sink.texts()["line"], 300);
    assert_eq!(sink.total(), 1200);
    topology.kill(WAIT).unwrap();
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("SKIPPED: {program} isn't installed");
    }
    found
}

#[test]
fn every_tuple_arrives_though_children_are_killed() {
    let pids = tempfile::tempdir().unwrap();
    let (source, sink) = (numbers(20_000), Sink::default());
    let forward = in_pid_dir(python(&["forward"], &["value"]), pids.path());
    let mut builder = chain(&source, vec![forward.clone(), forward], &sink);
    builder.config("max_spout_pending", 1000);
    let topology = start(builder);
    let killed = kill_on_the_way(&topology, &source, pids.path(), 10);
    await_that("all is acked", &topology, || source.is_done());
    assert_eq!(sink.distinct(), 20_000);
    assert!(source.failed() > 0, "children had tuples when they were killed");
    assert!(topology.wait_settled(WAIT), "nothing is pending in the end");
    assert_eq!(topology.task_counts().iter().map(|task| task.counts.pending).sum::<u64>(), 0);
    assert!(killed.iter().all(|pid| !exists(*pid)));
    end(topology, pids.path());
}

#[test]
fn state_behind_a_killed_child_is_exact() {
    const COUNT: i64 = 30_000;
    let pids = tempfile::tempdir().unwrap();
    let forward = in_pid_dir(python(&["forward"], &["value"]), pids.path());
    let mut builder = TopologyBuilder::new();
    builder.config("checkpoint_interval", "100 ms").config("queue_tuples", 100).config("batch_tuples", 10);
    builder.set_spout("source", || Replayable { next: 0, count: COUNT });
    builder.set_bolt("shell", move || ShellBolt::new(forward.clone())).shuffle_grouping("source");
    builder.set_bolt("sum", Sum::default).shuffle_grouping("shell");
    let checkpoints = MemoryCheckpoints::default();
    let options = StartOptions { checkpoints: Some(Arc::new(checkpoints.clone())), ..StartOptions::default() };
    let topology = RunningTopology::start(&builder.build("exact").unwrap(), options).unwrap();
    assert_eq!(topology.guarantee(), Guarantee::ExactlyOnceState);
    for step in 1..=5 {
        let reached = || kept_sum(&checkpoints).is_some_and(|[count, _]| count >= step * COUNT / 8);
        await_that("the next step to a kill", &topology, reached);
        kill_all(pids.path());
    }
    await_that("all is counted", &topology, || kept_sum(&checkpoints).is_some_and(|[count, _]| count >= COUNT));
    topology.kill(WAIT).unwrap();
    assert_eq!(kept_sum(&checkpoints), Some([COUNT, COUNT * (COUNT - 1) / 2]));
}

#[test]
fn storms_pair_of_testers_loses_nothing() {
    const COUNT: u64 = 40;
    let spout = python(&["tester_spout", &COUNT.to_string()], &["word"]);
    let bolt = python(&["tester_bolt"], &["word"]);
    let (from_spout, from_bolt) = (Sink::default(), Sink::default());
    let mut builder = TopologyBuilder::new();
    builder.config("message_timeout", "1 s");
    builder.set_spout("spout", move || ShellSpout::new(spout.clone()));
    builder.set_bolt("bolt", move || ShellBolt::new(bolt.clone())).shuffle_grouping("spout");
    let sink = from_bolt.clone();
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("bolt");
    let sink = from_spout.clone();
    builder.set_bolt("witness", move || sink.clone()).shuffle_grouping("spout");
    let topology = start(builder);
    await_that("each id is acked", &topology, || from_spout.texts().contains_key("all acked"));

    let words = ["nathan", "mike", "jackson", "golda", "bertels人", "spout initializing", "all acked"];
    let texts = from_bolt.texts();
    let strange: Vec<&String> =
        texts.keys().filter(|text| !words.iter().any(|word| **text == format!("{word}lalala"))).collect();
    assert_eq!(strange, ["bolt initializing"]);
    assert_eq!((texts["bolt initializing"], from_spout.texts()["spout initializing"]), (1, 1));
    let counts = topology.counts("spout");
    assert_eq!(counts.acked, COUNT);
    assert!(counts.failed > 0, "a quarter of the tuples times out");
    assert_eq!(counts.failed + COUNT + 2, from_spout.total());
    for component in ["spout", "bolt"] {
        assert_eq!(errors(&topology, component), [""; 0]);
    }
}

#[test]
fn a_tuple_that_the_child_fails_every_time_is_skipped() {
    let (source, letters) = (Source::new(["a", "bad", "b"].map(Value::from)), Sink::default());
    let mut builder = TopologyBuilder::new();
    let (spout, sink) = (source.clone(), letters.clone());
    builder.set_spout("source", move || spout.clone());
    let picky = builder.set_bolt("picky", || ShellBolt::new(python(&["picky"], &[])));
    picky.shuffle_grouping("source").config("on_error", "skip").config("error_attempts", 3);
    builder.set_bolt("letters", move || sink.clone()).grouping("picky", SKIPPED_STREAM, Grouping::Shuffle);
    let topology = start(builder);
    await_that("everything acked", &topology, || source.is_done());
    assert_eq!((source.failed(), letters.total()), (2, 1));
    let told = r#"a tuple of "source", stream "default", is skipped after 3 failed attempts: the child has failed it"#;
    assert_eq!(errors(&topology, "picky"), [told]);
}

#[test]
fn a_slow_child_holds_up_the_spout() {
    let source = Source::new((0..3000).map(|number| Value::from(format!("{number:01000}"))));
    let mut builder = chain(&source, vec![python(&["slow", "0.01"], &["value"])], &Sink::default());
    builder.config("shell_max_pending", 10).config("queue_tuples", 20).config("batch_tuples", 5);
    let topology = start(builder);
    await_that("the child has worked a while", &topology, || source.acked() >= 30);
    // Tuples of 1 kB: 64 in the pipe, as many taken for a write, 8 in the child's buffer, 10 in the outbox, 20 in the queue, 10 in batches.
    let under_way = topology.counts("source").emitted - source.acked() as u64;
    assert!((20..250).contains(&under_way), "{under_way} tuples are under way");
    let before = std::time::Instant::now();
    drop(topology);
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn task_ids_overtake_tuples() {
    let (source, sink) = (numbers(300), Sink::default());
    // All 300 tuples wait for the child while it asks for 10,000 lists of task ids for each of a few, and 100 for the others.
    let topology = start(chain(&source, vec![python(&["flood", "100"], &["number"])], &sink));
    await_that("all is acked", &topology, || source.is_done());
    assert_eq!(sink.total(), 30_000);
    let (source, sink) = (numbers(2), Sink::default());
    let topology = start(chain(&source, vec![python(&["flood", "10000"], &["number"])], &sink));
    await_that("all is acked", &topology, || source.is_done());
    assert_eq!(sink.total(), 20_000);
}

#[test]
fn tuples_go_to_one_task_and_to_named_streams() {
    let mut spec = python(&["direct"], &[]);
    spec.outputs.declare_direct("to_one", ["number", "task"]);
    spec.outputs.declare_stream("named", ["number"]);
    let (source, sink) = (numbers(100), Sink::default());
    let (spout, seen) = (source.clone(), sink.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("shell", move || ShellBolt::new(spec.clone())).shuffle_grouping("source");
    let bolt = builder.set_bolt("sink", move || seen.clone()).parallelism(3);
    let direct = monsoon_topology::Grouping::Direct;
    bolt.grouping("shell", "to_one", direct).grouping("shell", "named", monsoon_topology::Grouping::Shuffle);
    let topology = start(builder);
    await_that("all is acked", &topology, || source.is_done());
    let seen = sink.0.lock().unwrap();
    let on = |stream: &str| seen.iter().filter(|((of, _), count)| of == stream && **count == 1).count();
    assert_eq!((on("to_one"), on("named"), seen.len()), (100, 100, 200));
    let executed: Vec<u64> = topology
        .task_counts()
        .iter()
        .filter(|task| task.component == "sink")
        .map(|task| task.counts.executed)
        .collect();
    assert!(executed.iter().all(|executed| *executed >= 33), "{executed:?}");
}

#[test]
fn ticks_come_and_need_no_ack() {
    let (source, sink) = (numbers(1000), Sink::default());
    let mut builder = chain(&source, vec![python(&["ticked"], &["count"])], &sink);
    builder.config("tick_interval", "20 ms");
    let topology = start(builder);
    await_that("all is acked", &topology, || source.is_done());
    let sum: u64 = sink.texts().iter().map(|(number, times)| number.parse::<u64>().unwrap() * times).sum();
    assert_eq!((sum, source.failed()), (1000, 0));
    assert_eq!(errors(&topology, "shell0"), [""; 0]);
    topology.kill(WAIT).unwrap();
}

/// The first child has a fault; what it had is replayed, and the next one works.
fn check_fault(arguments: &[&str], expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    let arguments: Vec<&str> = arguments.iter().copied().chain(marker.to_str()).collect();
    let (source, sink) = (numbers(10), Sink::default());
    let mut builder =
        chain(&source, vec![in_pid_dir(python(&arguments, &["value"]), &directory.path().join("pids"))], &sink);
    builder.config("subprocess_timeout", "2 s");
    let topology = start(builder);
    await_that(expected, &topology, || source.is_done());
    let errors = errors(&topology, "shell0");
    assert!(errors.iter().any(|error| error.contains(expected)), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains("started anew")), "{errors:?}");
    assert_eq!(sink.distinct(), 10);
    assert!(topology.wait_settled(WAIT));
    end(topology, &directory.path().join("pids"));
}

#[test]
fn a_child_that_ignores_heartbeats_is_replaced() {
    check_fault(&["faulty", "hang"], "the child has said nothing for 2000 ms");
}

#[test]
fn a_child_that_breaks_the_protocol_is_replaced() {
    check_fault(&["faulty", "print"], "does the component print to its standard output?");
    check_fault(&["faulty", "unknown_ack"], r#"the child has acked "4711", which it doesn't have"#);
    check_fault(&["faulty", "unknown_anchor"], r#"the child has anchored to "4711", which it doesn't have"#);
    check_fault(&["faulty", "arity"], "but 2 values were emitted");
}

#[test]
fn a_child_that_ends_is_replaced_and_its_last_words_are_reported() {
    check_fault(&["faulty", "raise"], "ValueError: a bug in the component");
}

#[test]
fn a_command_that_cannot_be_run_is_reported() {
    let mut spec = ShellSpec::new(["/no/such/program"]);
    spec.outputs.declare(["value"]);
    let topology = start(chain(&numbers(1), vec![spec], &Sink::default()));
    await_that("it is reported", &topology, || {
        errors(&topology, "shell0").iter().any(|error| error.contains("cannot start \"/no/such/program\""))
    });
}

#[test]
fn a_child_is_told_its_place() {
    let mut spec = python(&["setup"], &["setup"]);
    spec.config.set("app.key", 7).unwrap();
    let (source, sink) = (numbers(1), Sink::default());
    let mut builder = chain(&source, vec![spec], &sink);
    builder.config("message_timeout", "20 s");
    let topology = start(builder);
    await_that("it is emitted", &topology, || sink.distinct() == 1);
    let setup: serde_json::Value = serde_json::from_str(sink.texts().keys().next().unwrap()).unwrap();
    assert_eq!(
        setup["conf"],
        serde_json::json!({"app.key": 7, "topology.message.timeout.secs": 20, "topology.name": "shell"})
    );
    assert!(Path::new(setup["pidDir"].as_str().unwrap()).is_dir());
    assert_eq!(
        setup["context"],
        serde_json::json!({
            "taskid": 2,
            "componentid": "shell0",
            "task->component": {"1": "source", "2": "shell0", "3": "sink"},
            "stream->target->grouping": {"default": {"sink": {"type": "SHUFFLE"}}},
            "streams": ["default"],
            "stream->outputfields": {"default": ["setup"]},
            "source->stream->grouping": {"source": {"default": {"type": "SHUFFLE"}}},
            "source->stream->fields": {"source": {"default": ["value"]}},
        })
    );
    topology.kill(WAIT).unwrap();
    assert!(!Path::new(setup["pidDir"].as_str().unwrap()).exists());
}

fn counting_spout(directory: &Path, fault: &str) -> (RunningTopology, Sink) {
    let marker = directory.join("marker");
    let spec = in_pid_dir(python(&["counter", fault, marker.to_str().unwrap()], &["number"]), &directory.join("pids"));
    let (sink, mut builder) = (Sink::default(), TopologyBuilder::new());
    builder.config("subprocess_timeout", "2 s");
    builder.set_spout("source", move || ShellSpout::new(spec.clone()));
    let bolt = sink.clone();
    builder.set_bolt("sink", move || bolt.clone()).shuffle_grouping("source");
    (start(builder), sink)
}

/// What the children of `counter` have been told: whether it was the first, the command and the id.
fn told(directory: &Path) -> Vec<(bool, String, Option<i64>)> {
    let told = std::fs::read_to_string(directory.join("marker.told")).unwrap_or_default();
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn check_spout_fault(fault: &str, expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (topology, sink) = counting_spout(directory.path(), fault);
    await_that(expected, &topology, || sink.distinct() == 150);
    let errors = errors(&topology, "source");
    assert!(errors.len() == 1 && errors[0].contains(expected), "{errors:?}");
    end(topology, &directory.path().join("pids"));
    let acked = |first| {
        let told = told(directory.path());
        told.into_iter()
            .filter_map(|(of, command, id)| id.filter(|_| of == first && command == "ack"))
            .collect::<Vec<_>>()
    };
    assert!(acked(true).iter().all(|id| *id < 50));
    assert_eq!(acked(false), (100..200).collect::<Vec<i64>>(), "each in order, and none of the first child's");
}

#[test]
fn a_spouts_child_that_ends_is_replaced() {
    check_spout_fault("exit", "the child ended with exit status: 3");
}

#[test]
fn a_spouts_child_that_breaks_the_protocol_is_replaced() {
    check_spout_fault("unknown", r#"has sent "dance", which is no command for spouts"#);
}

#[test]
fn a_spouts_child_that_does_not_answer_is_replaced() {
    check_spout_fault("hang", "the child has said nothing for 2000 ms");
}

#[test]
fn a_spout_is_told_when_it_is_active() {
    let directory = tempfile::tempdir().unwrap();
    let (topology, sink) = counting_spout(directory.path(), "none");
    await_that("all is emitted", &topology, || sink.distinct() == 100);
    topology.deactivate().unwrap();
    let of_state = || {
        let told = told(directory.path());
        told.into_iter()
            .map(|(_, command, _)| command)
            .filter(|command| command.contains("activate"))
            .collect::<Vec<_>>()
    };
    await_that("it is told", &topology, || of_state() == ["activate", "deactivate"]);
    topology.activate().unwrap();
    await_that("it is told", &topology, || of_state() == ["activate", "deactivate", "activate"]);
    end(topology, &directory.path().join("pids"));
    assert_eq!(of_state(), ["activate", "deactivate", "activate", "deactivate"]);
    assert_eq!(told(directory.path()).iter().filter(|(_, command, _)| command == "ack").count(), 100);
}

#[test]
fn children_stay_when_their_tasks_move_to_other_threads() {
    let pids = tempfile::tempdir().unwrap();
    let (source, sink) = (numbers(20_000), Sink::default());
    let forward = in_pid_dir(python(&["forward"], &["value"]), pids.path());
    let (spout, seen) = (source.clone(), sink.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("shell", move || ShellBolt::new(forward.clone())).parallelism(3).shuffle_grouping("source");
    builder.set_bolt("sink", move || seen.clone()).shuffle_grouping("shell");
    let topology = start(builder);
    await_that("all children work", &topology, || bench::pids(pids.path()).len() == 3);
    let sorted = || BTreeSet::from_iter(bench::pids(pids.path()));
    let children = sorted();
    for executors in [1, 3, 2] {
        topology.rebalance(&BTreeMap::from([("shell".to_owned(), executors)])).unwrap();
    }
    await_that("all is acked", &topology, || source.is_done());
    assert_eq!((sink.total(), source.failed()), (20_000, 0));
    assert_eq!(sorted(), children);
    end(topology, pids.path());
}

#[test]
fn a_child_that_never_greets_does_not_hold_up_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    let spec = python(&["mute", marker.to_str().unwrap()], &["value"]);
    let topology = start(chain(&numbers(10), vec![spec], &Sink::default()));
    await_that("the child has begun", &topology, || marker.exists());
    let before = std::time::Instant::now();
    topology.kill(Duration::ZERO).unwrap();
    assert!(before.elapsed() < Duration::from_secs(5));
}
