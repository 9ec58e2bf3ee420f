//! `CoordinatedSpout` by hand: what its parts are told and when (TRI-44).

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monsoon_trident::{
    BatchId, Change, Collector, CoordinatedSpout, Count, Failure, Fields, FileMetadata, MemoryMapState, MemoryMetadata,
    MetadataStore, Options, Outcome, ReadOnlySnapshottable, Spout, SpoutCoordinator, SpoutEmitter, TridentHandle,
    TridentTopology, Tuple, Value, run_local,
};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use support::{CoordinatedLog, Log, LogSpout};

const PATIENCE: Duration = Duration::from_secs(30);

/// Batch n is the number n. Shares what it was told with the test, and how far it is ready.
#[derive(Clone, Default)]
struct Numbers {
    told: Arc<Mutex<Vec<String>>>,
    ready_up_to: Arc<AtomicU64>,
}

impl Numbers {
    fn tell(&self, text: String) {
        self.told.lock().push(text);
    }

    /// What was told since the last call, of one beginning.
    fn told(&self, beginning: &str) -> Vec<String> {
        let told = std::mem::take(&mut *self.told.lock());
        told.into_iter().filter(|text| text.starts_with(beginning)).collect()
    }
}

impl CoordinatedSpout for Numbers {
    fn fields(&self) -> Fields {
        Fields::new(["n"]).unwrap()
    }

    fn coordinator(&mut self) -> Outcome<Box<dyn SpoutCoordinator>> {
        self.tell("coordinator".into());
        Ok(Box::new(self.clone()))
    }

    fn emitter(&mut self, partition: usize, partitions: usize) -> Outcome<Box<dyn SpoutEmitter>> {
        self.tell(format!("emitter {partition} of {partitions}"));
        Ok(Box::new(NumberEmitter(self.clone(), partition)))
    }
}

impl SpoutCoordinator for Numbers {
    fn initialize_transaction(&mut self, txid: u64, previous: Option<&Json>, known: Option<&Json>) -> Outcome<Json> {
        let text = |metadata: Option<&Json>| metadata.map_or("none".to_owned(), Json::to_string);
        self.tell(format!("initialize {txid}, previous {}, known {}", text(previous), text(known)));
        Ok(json!(txid * 10))
    }

    fn is_ready(&mut self, txid: u64) -> Outcome<bool> {
        Ok(txid <= self.ready_up_to.load(Ordering::Relaxed))
    }

    fn success(&mut self, txid: u64) -> Outcome {
        self.tell(format!("success {txid}"));
        Ok(())
    }

    fn close(&mut self) {
        self.tell("close".into());
    }
}

struct NumberEmitter(Numbers, usize);

impl SpoutEmitter for NumberEmitter {
    fn emit_batch(&mut self, batch: BatchId, metadata: &Json, out: &mut Collector) -> Outcome {
        if self.1 == 0 {
            self.0.tell(format!("emit {} of {metadata}", batch.txid));
            out.emit_one(metadata.as_i64().ok_or_else(|| Failure::new("no number"))?);
        }
        Ok(())
    }

    fn success(&mut self, batch: BatchId) -> Outcome {
        self.0.tell(format!("emitter success {}", batch.txid));
        Ok(())
    }

    fn close(&mut self) {
        self.0.tell(format!("close {}", self.1));
    }
}

/// Runs it, with a failure at the first sight of a number.
fn run(numbers: &Numbers, metadata: Arc<dyn MetadataStore>, fails_at: Option<i64>) -> TridentHandle {
    let topology = TridentTopology::new("numbers").with_options(Options {
        metadata,
        batches_in_flight_max: 1,
        idle_interval: Duration::from_millis(1),
        ..Options::default()
    });
    let failing = Mutex::new(fails_at);
    let fail = move |tuple: &Tuple<'_>| match failing.lock().take_if(|at| tuple.int("n").is_ok_and(|n| n == *at)) {
        Some(_) => Err(Failure::new("once")),
        None => Ok(()),
    };
    let stream = topology.new_stream("numbers", Spout::coordinated(numbers.clone())).unwrap();
    stream.peek(fail).unwrap().parallelism_hint(2).unwrap();
    run_local(topology).unwrap()
}

#[test]
fn tri44_metadata_is_given_again_on_a_replay() {
    let numbers = Numbers::default();
    numbers.ready_up_to.store(3, Ordering::Relaxed);
    let running = run(&numbers, Arc::new(MemoryMetadata::new()), Some(20));
    running.wait_for_txid(3, PATIENCE).unwrap();
    assert_eq!(running.errors().len(), 1);
    running.stop();
    let told = numbers.told("");
    let of = |beginning: &str| -> Vec<&str> {
        told.iter().map(String::as_str).filter(|text| text.starts_with(beginning)).collect()
    };
    let initialized = [
        "initialize 1, previous none, known none",
        "initialize 2, previous 10, known none",
        "initialize 2, previous 10, known 20",
        "initialize 3, previous 20, known none",
    ];
    assert_eq!(of("initialize"), initialized);
    assert_eq!(of("emit "), ["emit 1 of 10", "emit 2 of 20", "emit 2 of 20", "emit 3 of 30"]);
    assert_eq!(of("success"), ["success 1", "success 2", "success 3"]);
    // A failure behind the spout is none of its own: there is one coordinator, and one emitter for each partition.
    assert_eq!(of("coordinator"), ["coordinator"]);
    assert_eq!(of("emitter 0").len() + of("emitter 1").len(), 2);
    assert_eq!(of("close"), ["close 0", "close 1", "close"]);
    assert_eq!(of("emitter success 2").len(), 2);
}

#[test]
fn tri44_a_batch_starts_when_the_coordinator_is_ready() {
    let numbers = Numbers::default();
    let running = run(&numbers, Arc::new(MemoryMetadata::new()), None);
    let early = running.wait_for_txid(1, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(early, monsoon_trident::Error::Timeout { .. }));
    numbers.ready_up_to.store(2, Ordering::Relaxed);
    running.wait_for_txid(2, PATIENCE).unwrap();
    assert!(running.wait_for_txid(3, Duration::from_millis(50)).is_err());
    assert_eq!(running.committed_txid(), 2);
    running.stop();
}

#[test]
fn tri44_a_restart_goes_on_from_kept_metadata() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers.json");
    let numbers = Numbers::default();
    numbers.ready_up_to.store(2, Ordering::Relaxed);
    let running = run(&numbers, Arc::new(FileMetadata::open(&path).unwrap()), None);
    running.wait_for_txid(2, PATIENCE).unwrap();
    running.stop();
    numbers.told("");

    // As a crash leaves it: the next batch was described and never committed.
    let file = FileMetadata::open(&path).unwrap();
    file.apply(&[Change::Put("numbers/batch/3".into(), json!(77))]).unwrap();
    numbers.ready_up_to.store(3, Ordering::Relaxed);
    let running = run(&numbers, Arc::new(FileMetadata::open(&path).unwrap()), None);
    assert_eq!(running.committed_txid(), 2);
    running.wait_for_txid(3, PATIENCE).unwrap();
    running.stop();
    assert_eq!(numbers.told("initialize"), ["initialize 3, previous 20, known 77"]);
    let kept = FileMetadata::open(&path).unwrap().list("numbers/batch/").unwrap();
    assert_eq!(
        kept,
        [("numbers/batch/3".to_owned(), json!(30))],
        "what the coordinator said last, of the last batch only"
    );
}

#[test]
fn tri44_parts_that_fail_are_made_anew() {
    struct Stumbling(Numbers, Arc<AtomicU64>);
    impl CoordinatedSpout for Stumbling {
        fn fields(&self) -> Fields {
            self.0.fields()
        }
        fn coordinator(&mut self) -> Outcome<Box<dyn SpoutCoordinator>> {
            self.0.coordinator()
        }
        fn emitter(&mut self, partition: usize, partitions: usize) -> Outcome<Box<dyn SpoutEmitter>> {
            drop(self.0.emitter(partition, partitions)?);
            Ok(Box::new(StumblingEmitter(NumberEmitter(self.0.clone(), partition), self.1.clone())))
        }
    }
    struct StumblingEmitter(NumberEmitter, Arc<AtomicU64>);
    impl SpoutEmitter for StumblingEmitter {
        fn emit_batch(&mut self, batch: BatchId, metadata: &Json, out: &mut Collector) -> Outcome {
            assert!(self.1.fetch_add(1, Ordering::Relaxed) != 1, "the second batch is bad luck");
            self.0.emit_batch(batch, metadata, out)
        }
    }
    let numbers = Numbers::default();
    numbers.ready_up_to.store(5, Ordering::Relaxed);
    let topology = TridentTopology::new("stumbling");
    let spout = Spout::coordinated(Stumbling(numbers.clone(), Arc::default()));
    let stream = topology.new_stream("numbers", spout).unwrap();
    let count = stream.persistent_aggregate(|_| Ok(MemoryMapState::new()), (), Count, "count").unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(5, PATIENCE).unwrap();
    let errors = running.errors();
    assert!(errors[0].reason.contains("the second batch is bad luck"), "{errors:?}");
    assert_eq!(errors.len(), 1);
    running.stop();
    let counted = count.with_partition(0, ReadOnlySnapshottable::get).unwrap();
    assert_eq!(counted, Some(Value::Int(5)), "each batch of one number counts once");
    assert_eq!(numbers.told("coordinator").len(), 2);
}

#[test]
fn tri44_emitters_share_a_log_by_partition() {
    let log = Log::new((0..3).map(|p| (0..7).map(|n| Value::from(format!("{p}.{n}"))).collect()).collect());
    let topology = TridentTopology::new("shared");
    let spout = Spout::coordinated(CoordinatedLog { spout: LogSpout::new(&log, 2), is_opaque: false });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = {
        let seen = seen.clone();
        move |tuple: &Tuple<'_>| -> Outcome {
            seen.lock().push(tuple.text("line")?.to_owned());
            Ok(())
        }
    };
    topology.new_stream("lines", spout).unwrap().peek(see).unwrap().parallelism_hint(2).unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(4, PATIENCE).unwrap();
    running.stop();
    let mut seen = seen.lock().clone();
    seen.sort();
    let mut all: Vec<String> = (0..3).flat_map(|p| (0..7).map(move |n| format!("{p}.{n}"))).collect();
    all.sort();
    assert_eq!(seen, all);
}

/// Metadata whose write of one value is done and yet fails.
struct DoneAndFailed(Arc<MemoryMetadata>, Json);

impl MetadataStore for DoneAndFailed {
    fn list(&self, prefix: &str) -> Outcome<Vec<(String, Json)>> {
        self.0.list(prefix)
    }

    fn apply(&self, changes: &[Change]) -> Outcome {
        self.0.apply(changes)?;
        let fails = changes.iter().any(|change| matches!(change, Change::Put(_, value) if *value == self.1));
        if fails { Err(Failure::new("done, and not known to be")) } else { Ok(()) }
    }
}

/// The first batch is described as 1; after a failure as 2, which is written without that being known; then as 1 again. What
/// is emitted is what must be in the store.
#[test]
fn tri44_metadata_whose_write_may_be_done_is_written_again() {
    struct Wavering(Arc<AtomicU64>);
    impl CoordinatedSpout for Wavering {
        fn fields(&self) -> Fields {
            Fields::new(["n"]).unwrap()
        }
        fn coordinator(&mut self) -> Outcome<Box<dyn SpoutCoordinator>> {
            Ok(Box::new(Wavering(self.0.clone())))
        }
        fn emitter(&mut self, partition: usize, _partitions: usize) -> Outcome<Box<dyn SpoutEmitter>> {
            Ok(Box::new(NumberEmitter(Numbers::default(), partition)))
        }
    }
    impl SpoutCoordinator for Wavering {
        fn initialize_transaction(&mut self, _: u64, _: Option<&Json>, _: Option<&Json>) -> Outcome<Json> {
            Ok(json!(if self.0.fetch_add(1, Ordering::Relaxed) == 1 { 2 } else { 1 }))
        }
        fn is_ready(&mut self, txid: u64) -> Outcome<bool> {
            Ok(txid == 1)
        }
    }
    let kept = Arc::new(MemoryMetadata::new());
    let options = Options { metadata: Arc::new(DoneAndFailed(kept.clone(), json!(2))), ..Options::default() };
    let topology = TridentTopology::new("wavering").with_options(options);
    let stream = topology.new_stream("numbers", Spout::coordinated(Wavering(Arc::default()))).unwrap();
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let fail_once = move |_: &Tuple<'_>| match is_first.swap(false, Ordering::Relaxed) {
        true => Err(Failure::new("once")),
        false => Ok(()),
    };
    stream.peek(fail_once).unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(1, PATIENCE).unwrap();
    assert_eq!(running.errors().len(), 2);
    running.stop();
    assert_eq!(kept.list("numbers/batch/").unwrap(), [("numbers/batch/1".to_owned(), json!(1))]);
}
