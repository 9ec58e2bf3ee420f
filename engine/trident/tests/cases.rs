//! The conformance cases T-1 to T-16, named by their ids; expected values are those of the cases.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use monsoon_trident::{
    Aggregator, BatchId, Collector, Count, FeederBatchSpout, FilterNull, LocalDrpc, MapGet, MemoryMapState, Options,
    Outcome, SnapshotGet, Spout, Sum, TridentHandle, TridentState, TridentTopology, Tuple, TupleCollectionGet, Value,
    run_local, values,
};
use support::{Log, LogSpout, split};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running word count that is fed by the test and asked by DRPC.
struct WordCount {
    feeder: FeederBatchSpout,
    drpc: Arc<LocalDrpc>,
    running: TridentHandle,
}

impl WordCount {
    fn feed(&self, lines: &[&str]) {
        self.feeder.feed(lines.iter().map(|line| values![*line]).collect());
        assert!(self.feeder.wait_until_committed(PATIENCE), "{:?}", self.running.errors());
    }

    fn ask(&self, args: &str) -> String {
        self.drpc.execute("words", args).unwrap()
    }

    /// The answer's tuples, without an order.
    fn set(&self, args: &str) -> BTreeSet<(String, i64)> {
        serde_json::from_str::<Vec<(String, i64)>>(&self.ask(args)).unwrap().into_iter().collect()
    }
}

fn set(expected: &[(&str, i64)]) -> BTreeSet<(String, i64)> {
    expected.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn counts(topology: &TridentTopology, feeder: &FeederBatchSpout) -> TridentState<MemoryMapState> {
    let lines = topology.new_stream("lines", feeder.clone()).unwrap();
    let words = lines.each("line", split("line"), "word").unwrap().group_by("word").unwrap();
    let counts = words.persistent_aggregate(|_| Ok(MemoryMapState::new()), (), Count, "count").unwrap();
    counts.parallelism_hint(6).unwrap()
}

fn start(ask: impl FnOnce(&TridentTopology, Arc<LocalDrpc>, &TridentState<MemoryMapState>)) -> WordCount {
    let topology = TridentTopology::new("words");
    let feeder = FeederBatchSpout::new("line").unwrap();
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    let counts = counts(&topology, &feeder);
    ask(&topology, drpc.clone(), &counts);
    WordCount { feeder, drpc, running: run_local(topology).unwrap() }
}

fn sum_of_counts(topology: &TridentTopology, drpc: Arc<LocalDrpc>, counts: &TridentState<MemoryMapState>) {
    let request = topology.new_drpc_stream("words", drpc).unwrap();
    let words = request.each("args", split("args"), "word").unwrap().group_by("word").unwrap();
    let found = words.state_query(counts, "word", MapGet, "count").unwrap();
    found.aggregate("count", Sum, "sum").unwrap();
}

#[test]
fn t01_word_count_is_summed_by_drpc() {
    let count = start(sum_of_counts);
    count.feed(&["hello the man said", "the"]);
    assert_eq!(count.ask("the"), "[[2]]");
    assert_eq!(count.ask("hello"), "[[1]]");
    count.feed(&["the man on the moon", "where are you"]);
    assert_eq!(count.ask("the"), "[[4]]");
    assert_eq!(count.ask("man"), "[[2]]");
    assert_eq!(count.ask("man where you the"), "[[8]]");
}

#[test]
fn t02_a_broadcast_request_sees_all_tuples_of_a_state() {
    let count = start(|topology, drpc, counts| {
        let request = topology.new_drpc_stream("words", drpc).unwrap();
        let all =
            request.broadcast().unwrap().state_query(counts, "args", TupleCollectionGet, ["word", "count"]).unwrap();
        all.project(["word", "count"]).unwrap();
    });
    count.feed(&["hello the man said", "the"]);
    assert_eq!(count.set(""), set(&[("hello", 1), ("said", 1), ("the", 2), ("man", 1)]));
    count.feed(&["the foo"]);
    assert_eq!(count.set(""), set(&[("hello", 1), ("said", 1), ("the", 3), ("man", 1), ("foo", 1)]));
}

#[test]
fn t03_many_empty_batches_of_a_committing_spout_do_not_freeze_it() {
    let log = Log::new(vec![vec!["hello the man said".into(), "the".into()], vec![]]);
    let topology = TridentTopology::new("words")
        .with_options(Options { idle_interval: Duration::from_millis(1), ..Options::default() });
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    let lines = topology.new_stream("lines", Spout::opaque(LogSpout::new(&log, 10))).unwrap();
    let words = lines.each("line", split("line"), "word").unwrap().group_by("word").unwrap();
    let counts = words.persistent_aggregate(|_| Ok(MemoryMapState::new()), (), Count, "count").unwrap();
    sum_of_counts(&topology, drpc.clone(), &counts.parallelism_hint(6).unwrap());
    let running = run_local(topology).unwrap();
    let settle = || running.wait_for_txid(running.committed_txid() + 50, PATIENCE).unwrap();

    settle();
    assert_eq!(drpc.execute("words", "the").unwrap(), "[[2]]");
    log.append(1, "the man on the moon");
    log.append(0, "where are you");
    settle();
    assert_eq!(drpc.execute("words", "the").unwrap(), "[[4]]");
    assert_eq!(drpc.execute("words", "man where you the").unwrap(), "[[8]]");
    log.append(1, "the the");
    settle();
    assert_eq!(drpc.execute("words", "the").unwrap(), "[[6]]");
    log.append(0, "the");
    settle();
    assert_eq!(drpc.execute("words", "the").unwrap(), "[[7]]");
}

/// A count that isn't a combiner.
struct CountAll;

impl Aggregator for CountAll {
    type State = i64;

    fn init(&self, _batch: BatchId, _out: &mut Collector) -> Outcome<i64> {
        Ok(0)
    }

    fn aggregate(&self, count: &mut i64, _tuple: &Tuple<'_>, _out: &mut Collector) -> Outcome {
        *count += 1;
        Ok(())
    }

    fn complete(&self, count: i64, out: &mut Collector) -> Outcome {
        out.emit_one(count);
        Ok(())
    }
}

#[test]
fn t04_an_aggregator_counts_the_words_of_a_request_also_of_none() {
    use monsoon_trident::Aggregation;
    for aggregation in [Aggregation::aggregator(CountAll), Count.into()] {
        let topology = TridentTopology::new("count");
        let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
        let request = topology.new_drpc_stream("count", drpc.clone()).unwrap();
        let words = request.each("args", split("args"), "word").unwrap().shuffle().unwrap();
        let words = words.parallelism_hint(3).unwrap();
        words.aggregate((), aggregation, "count").unwrap().parallelism_hint(2).unwrap();
        let _running = run_local(topology).unwrap();
        for _ in 0..100 {
            assert_eq!(drpc.execute("count", "the").unwrap(), "[[1]]");
        }
        assert_eq!(drpc.execute("count", "").unwrap(), "[[0]]");
        assert_eq!(drpc.execute("count", "the man on the moon where are you").unwrap(), "[[8]]");
    }
}

/// The answer of a DRPC stream, as a sorted list of JSON texts.
fn answer(build: impl FnOnce(&TridentTopology, Arc<LocalDrpc>), function: &str, args: &str) -> Vec<String> {
    let topology = TridentTopology::new("one request");
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    build(&topology, drpc.clone());
    let _running = run_local(topology).unwrap();
    let text = drpc.execute(function, args).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
    rows.sort();
    rows
}

#[test]
fn t05_a_stream_splits_and_merges() {
    let rows = answer(
        |topology, drpc| {
            let request = topology.new_drpc_stream("f", drpc).unwrap();
            let words = request.each("args", split("args"), "word").unwrap().project("word").unwrap();
            let length = |tuple: &Tuple<'_>, out: &mut Collector| {
                out.emit_one(tuple.text("args")?.len() as i64);
                Ok(())
            };
            let length = request.each("args", length, "length").unwrap().project("length").unwrap();
            topology.merge(&[&words, &length]).unwrap();
        },
        "f",
        "the man",
    );
    assert_eq!(rows, [r#"["man"]"#, r#"["the"]"#, "[7]"]);
}

#[test]
fn t06_one_stream_in_two_groupings_gives_both_rows() {
    let rows = answer(
        |topology, drpc| {
            let request = topology.new_drpc_stream("f", drpc).unwrap();
            let first = |tuple: &Tuple<'_>, out: &mut Collector| {
                out.emit_one(&tuple.text("args")?[..1]);
                Ok(())
            };
            let stream = request.each("args", first, "letter").unwrap();
            let by_args = stream.group_by("args").unwrap().aggregate((), Count, "count").unwrap();
            let by_letter = stream.group_by("letter").unwrap().aggregate((), Count, "count").unwrap();
            let (a, b) = (by_args.project("count").unwrap(), by_letter.project("count").unwrap());
            topology.merge(&[&a, &b]).unwrap();
        },
        "f",
        "the",
    );
    assert_eq!(rows, ["[1]", "[1]"]);
}

#[test]
fn t07_two_moves_and_an_aggregate_count_right() {
    let rows = answer(
        |topology, drpc| {
            let request = topology.new_drpc_stream("f", drpc).unwrap();
            let words = request.each("args", split("args"), "word").unwrap().identity_partition().unwrap();
            let words = words.parallelism_hint(2).unwrap().shuffle().unwrap().parallelism_hint(4).unwrap();
            words.group_by("word").unwrap().aggregate((), Count, "count").unwrap().parallelism_hint(3).unwrap();
        },
        "f",
        "the man on the moon",
    );
    assert_eq!(rows, [r#"["man",1]"#, r#"["moon",1]"#, r#"["on",1]"#, r#"["the",2]"#]);
}

#[test]
fn t08_unknown_fields_are_refused_when_the_topology_is_built() {
    let topology = TridentTopology::new("t08");
    let stream = topology.new_stream("lines", FeederBatchSpout::new(["a", "b"]).unwrap()).unwrap();
    let nothing = |_: &Tuple<'_>, _: &mut Collector| -> Outcome { Ok(()) };
    let memory = |_: &monsoon_trident::StateContext| Ok(MemoryMapState::new());
    let update = |_: &mut MemoryMapState, _: &[Tuple<'_>], _: &mut Collector| -> Outcome { Ok(()) };
    let state = topology.new_static_state(memory);
    let grouped = stream.group_by("a").unwrap();
    let refusals = [
        stream.each("z", nothing, "c").err(),
        stream.filter("z", FilterNull).err(),
        stream.group_by("z").err(),
        stream.aggregate("z", Sum, "sum").err(),
        grouped.aggregate("z", Sum, "sum").err(),
        stream.project(["a", "z"]).err(),
        stream.partition_by("z").err(),
        stream.partition_aggregate("z", Sum, "sum").err(),
        stream.persistent_aggregate(memory, "z", Sum, "sum").err(),
        grouped.persistent_aggregate(memory, "z", Sum, "sum").err(),
        stream.partition_persist(memory, "z", update, ()).err(),
        stream.state_query(&state, "z", SnapshotGet, "c").err(),
        stream.min_by("z").err(),
    ];
    for (place, refusal) in refusals.into_iter().enumerate() {
        let text = refusal.unwrap_or_else(|| panic!("refusal {place} is missing")).to_string();
        assert_eq!(text, r#"invalid topology: there is no field "z", the stream's fields are ["a", "b"]"#);
    }
    let twice = stream.each("a", nothing, "b").err().unwrap();
    assert_eq!(twice.to_string(), r#"invalid topology: field "b" is declared twice"#);
}

/// Ours: operations without a repartitioning are fused, and run in as many partitions as the widest of them asks for.
#[test]
fn t09_fused_operations_share_their_widest_parallelism() {
    let topology = TridentTopology::new("t09");
    let feeder = FeederBatchSpout::new("line").unwrap();
    let stream = topology.new_stream("lines", feeder.clone()).unwrap().parallelism_hint(2).unwrap();
    let words = stream.each("line", split("line"), "word").unwrap().parallelism_hint(5).unwrap();
    let update = |_: &mut MemoryMapState, _: &[Tuple<'_>], _: &mut Collector| -> Outcome { Ok(()) };
    let state = words.partition_persist(|_| Ok(MemoryMapState::new()), "word", update, ()).unwrap();
    let _running = run_local(topology).unwrap();
    assert_eq!(state.partitions(), 5);
}

#[test]
fn t15_a_log_is_read_on_from_where_it_was() {
    use monsoon_trident::MemoryMetadata;
    let log = Log::new(vec![(0..5).map(Value::from).collect()]);
    let metadata = Arc::new(MemoryMetadata::new());
    let run = |opaque: bool| {
        let options = Options { metadata: metadata.clone(), batches_in_flight_max: 1, ..Options::default() };
        let topology = TridentTopology::new("t15").with_options(options);
        let spout = LogSpout::new(&log, 2);
        let spout = if opaque { Spout::opaque(spout) } else { Spout::transactional(spout) };
        let failing = std::sync::atomic::AtomicBool::new(true);
        let fail_once = move |_: &Tuple<'_>| -> Outcome {
            match failing.swap(false, std::sync::atomic::Ordering::Relaxed) {
                true => Err(monsoon_trident::Failure::new("once")),
                false => Ok(()),
            }
        };
        let name = if opaque { "opaque" } else { "transactional" };
        topology.new_stream(name, spout).unwrap().peek(fail_once).unwrap();
        run_local(topology).unwrap()
    };
    let reads = || -> Vec<(usize, usize)> {
        let reads = std::mem::take(&mut *log.reads.lock().unwrap());
        reads.into_iter().map(|(_, from, end)| (from, end)).filter(|(from, end)| from < end).collect()
    };
    for opaque in [false, true] {
        let running = run(opaque);
        running.wait_for_txid(6, PATIENCE).unwrap();
        assert_eq!(running.errors().len(), 1);
        running.stop();
        assert_eq!(reads(), [(0, 2), (0, 2), (2, 4), (4, 5)], "again the same, then on, then empty batches");
    }
    log.append(0, 5);
    for opaque in [false, true] {
        let running = run(opaque);
        let committed = running.committed_txid();
        assert!(committed >= 6);
        running.wait_for_txid(committed + 3, PATIENCE).unwrap();
        running.stop();
        assert_eq!(reads(), [(5, 6), (5, 6)], "a restart continues");
    }
}

#[test]
fn d03_a_stream_of_requests_serves_a_function_of_the_registry_that_sql_asks() {
    use monsoon_topology::drpc::{Drpc, PolledFunction};
    let topology = TridentTopology::new("words");
    let feeder = FeederBatchSpout::new(["line"]).unwrap();
    let counts = counts(&topology, &feeder);
    let registry = Arc::new(Drpc::default());
    let served = Arc::new(PolledFunction::serve(registry.clone(), "words"));
    let request = topology.new_drpc_stream("words", served).unwrap();
    let words = request.each("args", split("args"), "word").unwrap().group_by("word").unwrap();
    let found = words.state_query(&counts, "word", MapGet, "count").unwrap();
    found.aggregate("count", Sum, "sum").unwrap();
    let running = run_local(topology).unwrap();
    feeder.feed(vec![values!["the man"], values!["the moon"]]);
    running.wait_for_txid(1, PATIENCE).unwrap();
    let (sender, answer) = std::sync::mpsc::channel();
    registry.ask("words", "the moon", Box::new(move |answer| drop(sender.send(answer)))).unwrap();
    assert_eq!(answer.recv_timeout(PATIENCE).unwrap(), Ok("[[3]]".into()));
}
