//! Components that don't come on: what becomes of kills, of checkpoints, and whether it is told.

mod bench;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bench::exact::*;
use bench::*;
use monsoon_topology::multilang::{ShellBolt, ShellSpec};
use monsoon_topology::{
    BasicCollector, CheckpointStore, Failure, Guarantee, MemoryCheckpoints, RunningTopology, StartOptions,
    TopologyBuilder, Tuple, Value,
};

const GUARANTEES: [Guarantee; 2] = [Guarantee::ExactlyOnceState, Guarantee::AtLeastOnce];

fn command(command: &[&str]) -> ShellSpec {
    with_fields(ShellSpec::new(command.iter().copied()), &["value"])
}

/// Of `count` numbers, a shell component and a sum of them, which is state if the guarantee says so.
fn numbers_through(spec: ShellSpec, count: i64, guarantee: Guarantee) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    builder.config("checkpoint_interval", "100 ms");
    match guarantee {
        Guarantee::ExactlyOnceState => {
            builder.set_spout("source", move || Replayable { next: 0, count });
            builder.set_bolt("sum", Sum::default).shuffle_grouping("shell");
        }
        _ => {
            let source = Source::new((0..count).map(Value::Int));
            builder.set_spout("source", move || source.clone());
            builder.set_bolt("sink", Sink::default).shuffle_grouping("shell");
        }
    }
    let shell = builder.set_bolt("shell", move || ShellBolt::new(spec.clone()));
    shell.parallelism(2).tasks(4).shuffle_grouping("source");
    builder
}

fn begin(builder: TopologyBuilder, checkpoints: &MemoryCheckpoints, guarantee: Guarantee) -> RunningTopology {
    let options = StartOptions { checkpoints: Some(Arc::new(checkpoints.clone())), ..StartOptions::default() };
    let topology = RunningTopology::start(&builder.build("stalls").unwrap(), options).unwrap();
    assert_eq!(topology.guarantee(), guarantee);
    topology
}

fn is_told(topology: &RunningTopology, component: &str, text: &str) -> bool {
    errors(topology, component).iter().any(|error| error.contains(text))
}

/// Whether it fails now, and at each look for a while.
fn await_failing_for_good(topology: &RunningTopology) {
    await_that("it fails", topology, || topology.is_failing());
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        assert!(topology.is_failing(), "after {:?}: {:#?}", since.elapsed(), topology.task_counts());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_kill_takes_little_longer_than_its_wait() {
    // A child that says nothing is given up after 30 s: the kill must not wait for that.
    let (wait, longest) = (Duration::from_secs(1), Duration::from_secs(12));
    for guarantee in GUARANTEES {
        let stubborn = "trap '' TERM; while true; do sleep 0.2; done";
        for spec in [command(&["sleep", "1000"]), command(&["sh", "-c", stubborn]), python(&["hold"], &["value"])] {
            let (what, checkpoints) = (spec.command.join(" "), MemoryCheckpoints::default());
            let topology = begin(numbers_through(spec, 40, guarantee), &checkpoints, guarantee);
            await_that("tuples are under way", &topology, || topology.counts("source").emitted == 40);
            let started = Instant::now();
            topology.kill(wait).unwrap();
            let took = started.elapsed();
            assert!(took >= wait && took < longest, "{guarantee:?}, {what}: {took:?}");
            if guarantee == Guarantee::AtLeastOnce {
                continue;
            }
            // What wasn't durable is done by a component that works.
            let working = numbers_through(python(&["forward"], &["value"]), 40, guarantee);
            let topology = begin(working, &checkpoints, guarantee);
            await_that("all is counted", &topology, || kept_sum(&checkpoints) == Some([40, 40 * 39 / 2]));
            topology.kill(WAIT).unwrap();
            assert_eq!(kept_sum(&checkpoints), Some([40, 40 * 39 / 2]));
        }
    }
}

#[test]
fn a_tuple_that_is_never_acked_holds_up_checkpoints_as_long_as_messages_may_take() {
    let checkpoints = MemoryCheckpoints::default();
    let mut builder = numbers_through(python(&["hold"], &["value"]), 1, Guarantee::ExactlyOnceState);
    builder.config("message_timeout", "1 s");
    let started = Instant::now();
    let topology = begin(builder, &checkpoints, Guarantee::ExactlyOnceState);
    await_that("it goes back", &topology, || topology.restores() > 0);
    assert!((2..30).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    // Which of the four tasks has the tuple is up to the grouping.
    let (durable, next) = (checkpoints.last().unwrap(), checkpoints.last().unwrap() + 1);
    let holds = format!(
        "of \"shell\" hasn't handed in its part of checkpoint {next} within 2s: a tuple it was given isn't acked yet"
    );
    assert!(is_told(&topology, "shell", &holds), "{:?}", errors(&topology, "shell"));
    assert!(is_told(&topology, "shell", &format!("the topology goes back to checkpoint {durable}")));
    assert_eq!((errors(&topology, "source"), errors(&topology, "sum")), (vec![], vec![]));
    topology.kill(Duration::ZERO).unwrap();
    let position = checkpoints.load("source", 0).unwrap().position;
    assert!(position.is_none_or(|position| position == 0_i64.to_le_bytes()), "the tuple comes again");
}

/// Takes a while for each tuple.
struct Slow;

impl monsoon_topology::BasicBolt for Slow {
    fn declare(&self, streams: &mut monsoon_topology::Streams) {
        streams.declare(["value"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BasicCollector) -> monsoon_topology::Outcome {
        std::thread::sleep(Duration::from_millis(20));
        collector.emit(tuple.values()).map(drop)
    }
}

#[test]
fn a_bolt_that_is_slow_and_comes_on_is_waited_for() {
    let (count, checkpoints) = (250, MemoryCheckpoints::default());
    let mut builder = TopologyBuilder::new();
    builder.config("checkpoint_interval", "100 ms").config("message_timeout", "1 s");
    builder.set_spout("source", move || Replayable { next: 0, count });
    builder.set_basic_bolt("slow", || Slow).shuffle_grouping("source");
    builder.set_bolt("sum", Sum::default).shuffle_grouping("slow");
    let topology = begin(builder, &checkpoints, Guarantee::ExactlyOnceState);
    await_that("all is counted", &topology, || kept_sum(&checkpoints) == Some([count, count * (count - 1) / 2]));
    assert_eq!((topology.restores(), topology.counts("slow").executed), (0, count as u64));
    topology.kill(WAIT).unwrap();
}

#[test]
fn where_messages_never_time_out_checkpoints_do_not_either() {
    let checkpoints = MemoryCheckpoints::default();
    let mut builder = numbers_through(python(&["hold"], &["value"]), 1, Guarantee::ExactlyOnceState);
    builder.config("message_timeout", "1 s").config("message_timeouts", false);
    let topology = begin(builder, &checkpoints, Guarantee::ExactlyOnceState);
    await_that("the tuple is given", &topology, || topology.counts("shell").executed == 1);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(topology.restores(), 0);
}

#[test]
fn a_program_that_can_not_be_started_is_failing_until_it_can() {
    for guarantee in GUARANTEES {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("component");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/shell.py");
        let spec = command(&[program.to_str().unwrap()]);
        let topology = begin(numbers_through(spec, 10, guarantee), &MemoryCheckpoints::default(), guarantee);
        await_failing_for_good(&topology);
        assert!(topology.counts("shell").restarts > 0);
        let text = format!("#!/bin/sh\nexec python3 {} forward\n", script.display());
        let being_written = directory.path().join("new");
        std::fs::write(&being_written, text).unwrap();
        std::fs::set_permissions(&being_written, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::rename(being_written, program).unwrap();
        // Tasks that get no tuple have nothing to show; their failures are forgotten.
        await_that("it works", &topology, || !topology.is_failing());
        topology.kill(Duration::from_secs(1)).unwrap();
    }
}

#[test]
fn a_program_that_ends_at_once_is_failing_for_good() {
    for guarantee in GUARANTEES {
        for count in [0, 10] {
            let builder = numbers_through(command(&["true"]), count, guarantee);
            await_failing_for_good(&begin(builder, &MemoryCheckpoints::default(), guarantee));
        }
    }
}

#[test]
fn a_child_that_ends_once_does_not_make_a_topology_fail() {
    let pids = tempfile::tempdir().unwrap();
    let (source, sink) = (Source::new((0..10_000).map(Value::Int)), Sink::default());
    let forward = in_pid_dir(python(&["forward"], &["value"]), pids.path());
    let (spout, bolt) = (source.clone(), sink.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    builder.set_bolt("shell", move || ShellBolt::new(forward.clone())).shuffle_grouping("source");
    builder.set_bolt("sink", move || bolt.clone()).shuffle_grouping("shell");
    let topology = start(builder);
    kill_on_the_way(&topology, &source, pids.path(), 1);
    await_that("all is acked", &topology, || {
        assert!(!topology.is_failing());
        source.is_done()
    });
    assert_eq!(topology.counts("shell").restarts, 1);
}

/// Fails what it is given while the test says so.
fn broken(count: i64) -> (Source, Arc<AtomicBool>, RunningTopology) {
    let (source, broken) = (Source::new((0..count).map(Value::Int)), Arc::new(AtomicBool::new(true)));
    let (spout, cause) = (source.clone(), broken.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    let bolt = builder.set_bolt_fn("fails", [""; 0], move || {
        let cause = cause.clone();
        move |_: &Tuple<'_>, _: &mut BasicCollector<'_, '_>| match cause.load(Ordering::SeqCst) {
            true => Err(Failure::new("on purpose")),
            false => Ok(()),
        }
    });
    bolt.shuffle_grouping("source");
    (source, broken, start(builder))
}

#[test]
fn what_fails_every_time_is_failing_and_is_not_tried_all_the_time() {
    let (source, broken, topology) = broken(1);
    await_failing_for_good(&topology);
    let failed = source.failed();
    assert!((5..30).contains(&failed), "{failed} times in three seconds");
    broken.store(false, Ordering::SeqCst);
    await_that("it is acked", &topology, || source.is_done());
    await_that("health", &topology, || !topology.is_failing());
}

#[test]
fn ticks_are_neither_executed_nor_acked() {
    let source = Source::new((0..3).map(Value::Int));
    let spout = source.clone();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("source", move || spout.clone());
    let ticks = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = ticks.clone();
    let bolt = builder.set_bolt_fn("ticked", [""; 0], move || {
        let seen = seen.clone();
        move |tuple: &Tuple<'_>, _: &mut BasicCollector<'_, '_>| {
            seen.fetch_add(u64::from(tuple.is_tick()), Ordering::SeqCst);
            Ok(())
        }
    });
    bolt.shuffle_grouping("source").config("tick_interval", "5 ms");
    let topology = start(builder);
    await_that("tuples and ticks", &topology, || source.is_done() && ticks.load(Ordering::SeqCst) > 3);
    await_that("counts", &topology, || topology.counts("ticked").acked == 3);
    topology.kill(WAIT).unwrap();
    assert_eq!((topology.counts("ticked").executed, topology.counts("ticked").acked), (3, 3));
}
