//! Failures a user meets: poison batches, failing requests, refused topologies, states of their own, restarts from a file.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monsoon_trident::{
    Collector, Count, DrpcError, Error, Failure, FeederBatchSpout, FileMetadata, FixedBatchSpout, LocalDrpc,
    MemoryBackingMap, MemoryMapState, Options, Outcome, Spout, State, TransactionalMap, TridentTopology, Tuple, Value,
    run_local, values,
};
use parking_lot::Mutex;
use support::{Log, LogSpout, split};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_poison_batch_is_shown_and_halts_the_topology_at_its_bound() {
    let retry_delay_min = Duration::from_millis(1);
    let options = Options { failures_max: Some(3), retry_delay_min, ..Options::default() };
    let topology = TridentTopology::new("poison").with_options(options);
    let numbers = FixedBatchSpout::new("n", 1, (1..=3).map(|n| values![n]).collect()).unwrap();
    let poison = |tuple: &Tuple<'_>| -> Outcome {
        assert_ne!(tuple.int("n")?, 3, "three is poison");
        Ok(())
    };
    topology.new_stream("numbers", numbers).unwrap().peek(poison).unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(2, PATIENCE).unwrap();
    let error = running.wait_for_txid(3, PATIENCE).unwrap_err();
    assert!(matches!(&error, Error::Halted { txid: 3, failures: 3, reason } if reason.contains("three is poison")));
    let errors = running.errors();
    assert_eq!(errors.iter().map(|error| error.failures).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(errors.iter().all(|error| error.batch.txid == 3 && error.reason.contains("three is poison")));
    assert!(errors.is_sorted_by(|a, b| a.batch.attempt < b.batch.attempt));
    assert_eq!(running.halted(), Some(error));
    running.stop();
}

#[test]
fn a_request_that_fails_says_why() {
    let topology = TridentTopology::new("requests");
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    let request = topology.new_drpc_stream("double", drpc.clone()).unwrap();
    let double = |tuple: &Tuple<'_>| -> Outcome<Vec<Value>> { Ok(values![tuple.text("args")?.parse::<i64>()? * 2]) };
    request.map_to(double, "n").unwrap();
    let running = run_local(topology).unwrap();
    assert_eq!(drpc.execute("double", "21").unwrap(), "[[42]]");
    let error = drpc.execute("double", "x").unwrap_err();
    let reason = "invalid digit found in string".to_owned();
    assert_eq!(error, DrpcError::Failed { function: "double".into(), reason });
    running.stop();
    let late = LocalDrpc::with_timeout(Duration::from_millis(1)).execute("double", "1");
    assert!(matches!(late, Err(DrpcError::Timeout { .. })));
}

fn refusal<T>(result: Result<T, Error>) -> String {
    result.err().expect("this is refused").to_string()
}

#[test]
fn topologies_that_can_not_run_are_refused() {
    let topology = TridentTopology::new("refused");
    let stream = topology.new_stream("s", FeederBatchSpout::new("a").unwrap()).unwrap();
    let again = refusal(topology.new_stream("s", FeederBatchSpout::new("a").unwrap()));
    assert_eq!(again, r#"invalid topology: there are two spouts with the txid name "s""#);
    let drpc = Arc::new(LocalDrpc::new());
    let request = topology.new_drpc_stream("f", drpc).unwrap();
    let memory = |_: &monsoon_trident::StateContext| Ok(MemoryMapState::new());
    let update = refusal(request.persistent_aggregate(memory, (), Count, "n"));
    assert_eq!(update, "invalid topology: a DRPC request has no txid, so a state's update can't follow it");
    let meeting = refusal(topology.merge(&[&stream, &request]));
    assert!(meeting.contains("query a state instead"), "{meeting}");
    let first = monsoon_trident::FirstN::new(1);
    let aggregator = refusal(stream.persistent_aggregate(memory, "a", first, "n"));
    assert!(aggregator.contains("persist a combiner or a reducer"), "{aggregator}");
    let window = monsoon_trident::WindowConfig::tumbling_count(0);
    assert!(refusal(stream.window(window, "a", Count, "n")).contains("must be at least 1"));
    assert!(refusal(stream.clone().parallelism_hint(0)).contains("needs a partition"));
    request.project("args").unwrap();
    request.project("args").unwrap();
    let ends = refusal(run_local(topology));
    assert!(ends.contains(r#"the DRPC stream "f" must have one end"#), "{ends}");
    assert!(refusal(stream.project("a")).contains("is running"));
}

/// A file of rows, by txid: what a batch wrote is there once, however often it is tried.
#[derive(Default)]
struct RowFile {
    rows: Arc<Mutex<Vec<(u64, String)>>>,
    txid: u64,
}

impl State for RowFile {
    fn begin_commit(&mut self, txid: u64) -> Outcome {
        self.txid = txid;
        self.rows.lock().retain(|(writer, _)| *writer < txid);
        Ok(())
    }

    fn commit(&mut self, _txid: u64) -> Outcome {
        Ok(())
    }
}

#[test]
fn t16_rows_of_a_replayed_batch_appear_once() {
    let topology = TridentTopology::new("file");
    let lines = (0..10).map(|n| values![format!("line {n}")]).collect();
    let stream = topology.new_stream("lines", FixedBatchSpout::new("line", 3, lines).unwrap()).unwrap();
    let rows = Arc::new(Mutex::new(Vec::new()));
    let file = rows.clone();
    let factory = move |_: &monsoon_trident::StateContext| Ok(RowFile { rows: file.clone(), txid: 0 });
    let write = |file: &mut RowFile, tuples: &[Tuple<'_>], out: &mut Collector| -> Outcome {
        for tuple in tuples {
            file.rows.lock().push((file.txid, tuple.text("line")?.to_owned()));
            out.emit_one(tuple.text("line")?);
        }
        Ok(())
    };
    let state = stream.partition_persist(factory, "line", write, "written").unwrap();
    let tries = AtomicU64::new(0);
    let fail_twice = move |_: &Tuple<'_>| match tries.fetch_add(1, Ordering::Relaxed) {
        1 | 4 => Err(Failure::new("after the write")),
        _ => Ok(()),
    };
    state.new_values_stream().unwrap().peek(fail_twice).unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(4, PATIENCE).unwrap();
    assert_eq!(running.errors().len(), 2);
    running.stop();
    let written: Vec<String> = rows.lock().iter().map(|(_, line)| line.clone()).collect();
    assert_eq!(written, (0..10).map(|n| format!("line {n}")).collect::<Vec<_>>());
}

#[test]
fn a_topology_continues_from_its_metadata_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("words.json");
    let log = Log::new(vec![vec!["a b".into(), "a".into(), "c a".into()], vec!["b".into()]]);
    let table = MemoryBackingMap::new();
    let run = || {
        let metadata = Arc::new(FileMetadata::open(&path).unwrap());
        let topology = TridentTopology::new("words").with_options(Options { metadata, ..Options::default() });
        let lines = topology.new_stream("lines", Spout::transactional(LogSpout::new(&log, 1))).unwrap();
        let words = lines.each("line", split("line"), "word").unwrap().group_by("word").unwrap();
        let table = table.clone();
        let factory = move |_: &monsoon_trident::StateContext| Ok(TransactionalMap::new(table.clone()));
        words.persistent_aggregate(factory, (), Count, "count").unwrap().parallelism_hint(2).unwrap();
        run_local(topology).unwrap()
    };
    let running = run();
    assert_eq!(running.committed_txid(), 0);
    running.wait_for_txid(2, PATIENCE).unwrap();
    running.stop();
    let running = run();
    let committed = running.committed_txid();
    assert!(committed >= 2);
    running.wait_for_txid(committed + 4, PATIENCE).unwrap();
    running.stop();
    let mut counts: Vec<String> =
        table.entries().iter().map(|(key, value)| format!("{:?} {:?}", key[0], value.value)).collect();
    counts.sort();
    assert_eq!(counts, [r#""a" 3"#, r#""b" 2"#, r#""c" 1"#]);
}

#[test]
fn an_opaque_spout_goes_on_without_a_lost_partition() {
    let log = Log::new(vec![vec!["a".into(), "b".into()], vec!["c".into(), "d".into()]]);
    log.first_is_lost.store(true, Ordering::Relaxed);
    let topology = TridentTopology::new("lost");
    let stream = topology.new_stream("lines", Spout::opaque(LogSpout::new(&log, 1))).unwrap();
    let total = stream.persistent_aggregate(|_| Ok(MemoryMapState::new()), (), Count, "n").unwrap();
    let read = || total.with_partition(0, monsoon_trident::ReadOnlySnapshottable::get).unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(4, PATIENCE).unwrap();
    assert_eq!(read(), Some(Value::Int(2)));
    log.first_is_lost.store(false, Ordering::Relaxed);
    running.wait_for_txid(running.committed_txid() + 8, PATIENCE).unwrap();
    assert_eq!(read(), Some(Value::Int(4)));
    assert!(running.errors().is_empty());
    running.stop();
}

#[test]
fn a_wait_ends_with_the_topology() {
    let topology = TridentTopology::new("waits");
    let feeder = FeederBatchSpout::new("a").unwrap();
    topology.new_stream("s", feeder).unwrap();
    let running = run_local(topology).unwrap();
    let error = running.wait_for_txid(u64::MAX, Duration::from_millis(5)).unwrap_err();
    assert!(matches!(error, Error::Timeout { txid: u64::MAX, .. }));
    running.stop();
}
