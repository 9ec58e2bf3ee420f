//! What the tests share: a log to read from, in the transactional and the opaque way, failures on demand, and dice.
#![allow(dead_code)]

pub mod faults;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use monsoon_trident::{
    BatchId, Collector, CoordinatedSpout, Failure, Fields, OpaqueEmitter, OpaquePartitionedSpout, Outcome,
    PartitionedTransactionalSpout, Spout, SpoutCoordinator, SpoutEmitter, TransactionalEmitter, Tuple, Value,
};
use serde_json::{Value as Json, json};

/// A function that splits the text of a field into words.
pub fn split(field: &'static str) -> impl Fn(&Tuple<'_>, &mut Collector) -> Outcome + Send + Sync {
    move |tuple: &Tuple<'_>, out: &mut Collector| {
        tuple.text(field)?.split_whitespace().for_each(|word| out.emit_one(word));
        Ok(())
    }
}

/// Dice with a seed (SplitMix64). Clones share them.
#[derive(Clone)]
pub struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(Arc::new(Mutex::new(seed)))
    }

    /// A number below the bound.
    pub fn roll(&self, bound: usize) -> usize {
        let mut state = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    /// Fails or panics once in so many times.
    pub fn stumble(&self, once_in: usize) -> Outcome {
        match self.roll(once_in * 2) {
            0 => Err(Failure::new("bad luck")),
            1 => panic!("very bad luck"),
            _ => Ok(()),
        }
    }
}

/// A partitioned log of one field.
#[derive(Clone, Default)]
pub struct Log {
    partitions: Arc<Mutex<Vec<Vec<Value>>>>,
    /// Every read from the log: partition, first offset, end.
    pub reads: Arc<Mutex<Vec<(String, usize, usize)>>>,
    /// While set, the first partition can't be reached.
    pub first_is_lost: Arc<AtomicBool>,
    pub committed: Arc<AtomicUsize>,
}

impl Log {
    pub fn new(partitions: Vec<Vec<Value>>) -> Log {
        Log { partitions: Arc::new(Mutex::new(partitions)), ..Log::default() }
    }

    pub fn append(&self, partition: usize, value: impl Into<Value>) {
        self.partitions.lock().unwrap().get_mut(partition).unwrap().push(value.into());
    }

    fn names(&self) -> Vec<String> {
        let skipped = usize::from(self.first_is_lost.load(Ordering::Relaxed));
        (skipped..self.partitions.lock().unwrap().len()).map(|number| number.to_string()).collect()
    }

    fn read(&self, partition: &str, from: usize, end: usize, out: &mut Collector) -> Outcome {
        let number: usize = partition.parse()?;
        let partitions = self.partitions.lock().unwrap();
        partitions[number][from..end].iter().for_each(|value| out.emit_one(value));
        self.reads.lock().unwrap().push((partition.to_owned(), from, end));
        Ok(())
    }

    fn len(&self, partition: &str) -> Outcome<usize> {
        let number: usize = partition.parse()?;
        Ok(self.partitions.lock().unwrap()[number].len())
    }
}

/// How many values a batch takes from a partition: always the most, or by dice; and whether emitting may fail.
#[derive(Clone)]
pub struct LogSpout {
    pub log: Log,
    pub rows_max: usize,
    pub dice: Option<Dice>,
}

impl LogSpout {
    pub fn new(log: &Log, rows_max: usize) -> LogSpout {
        LogSpout { log: log.clone(), rows_max, dice: None }
    }

    fn next(&self, partition: &str, last: Option<&Json>) -> Outcome<(usize, usize)> {
        let from = last.and_then(|last| last["end"].as_u64()).unwrap_or(0) as usize;
        let rows = self.dice.as_ref().map_or(self.rows_max, |dice| dice.roll(self.rows_max + 1));
        Ok((from, (from + rows).min(self.log.len(partition)?)))
    }

    fn emit_next(&self, partition: &str, last: Option<&Json>, out: &mut Collector) -> Outcome<Json> {
        let (from, end) = self.next(partition, last)?;
        self.log.read(partition, from, end, out)?;
        self.dice.as_ref().map_or(Ok(()), |dice| dice.stumble(30))?;
        Ok(json!({"from": from, "end": end}))
    }
}

struct Reader(LogSpout, String);

impl TransactionalEmitter for Reader {
    fn emit_new(&mut self, _txid: u64, last: Option<&Json>, out: &mut Collector) -> Outcome<Json> {
        self.0.emit_next(&self.1, last, out)
    }

    fn emit_again(&mut self, _txid: u64, metadata: &Json, out: &mut Collector) -> Outcome {
        let place =
            |key: &str| metadata[key].as_u64().ok_or_else(|| Failure::new("no such place")).map(|at| at as usize);
        self.0.log.read(&self.1, place("from")?, place("end")?, out)
    }
}

impl OpaqueEmitter for Reader {
    fn emit(&mut self, _txid: u64, last: Option<&Json>, out: &mut Collector) -> Outcome<Json> {
        self.0.emit_next(&self.1, last, out)
    }
}

impl PartitionedTransactionalSpout for LogSpout {
    fn fields(&self) -> Fields {
        Fields::new(["line"]).unwrap()
    }

    fn partitions(&mut self) -> Outcome<Vec<String>> {
        Ok(self.log.names())
    }

    fn emitter(&mut self, partition: &str) -> Outcome<Box<dyn TransactionalEmitter>> {
        Ok(Box::new(Reader(self.clone(), partition.to_owned())))
    }

    fn committed(&mut self, txid: u64) {
        self.log.committed.store(txid as usize, Ordering::Relaxed);
    }
}

impl OpaquePartitionedSpout for LogSpout {
    fn fields(&self) -> Fields {
        Fields::new(["line"]).unwrap()
    }

    fn partitions(&mut self) -> Outcome<Vec<String>> {
        Ok(self.log.names())
    }

    fn emitter(&mut self, partition: &str) -> Outcome<Box<dyn OpaqueEmitter>> {
        Ok(Box::new(Reader(self.clone(), partition.to_owned())))
    }

    fn committed(&mut self, txid: u64) {
        self.log.committed.store(txid as usize, Ordering::Relaxed);
    }
}

/// Reads the log by a coordinator, which takes down a range of each partition, and emitters, which read the ranges.
pub struct CoordinatedLog {
    pub spout: LogSpout,
    /// Whether a replay is described anew, so that it may be another batch.
    pub is_opaque: bool,
}

struct LogCoordinator(LogSpout, bool);

impl SpoutCoordinator for LogCoordinator {
    fn initialize_transaction(&mut self, _txid: u64, previous: Option<&Json>, known: Option<&Json>) -> Outcome<Json> {
        if let Some(known) = known.filter(|_| !self.1) {
            return Ok(known.clone());
        }
        self.0.dice.as_ref().map_or(Ok(()), |dice| dice.stumble(30))?;
        let mut ranges = serde_json::Map::new();
        for partition in self.0.log.names() {
            let (from, end) = self.0.next(&partition, previous.map(|previous| &previous[&partition]))?;
            ranges.insert(partition, json!({"from": from, "end": end}));
        }
        Ok(Json::Object(ranges))
    }

    fn success(&mut self, txid: u64) -> Outcome {
        self.0.log.committed.store(txid as usize, Ordering::Relaxed);
        Ok(())
    }
}

struct LogEmitter {
    spout: LogSpout,
    partition: usize,
    partitions: usize,
}

impl SpoutEmitter for LogEmitter {
    fn emit_batch(&mut self, _batch: BatchId, metadata: &Json, out: &mut Collector) -> Outcome {
        let ranges = metadata.as_object().ok_or_else(|| Failure::new("ranges are missing"))?;
        for (name, range) in ranges {
            if name.parse::<usize>()? % self.partitions == self.partition {
                let place = |key: &str| range[key].as_u64().ok_or_else(|| Failure::new("no such place"));
                self.spout.log.read(name, place("from")? as usize, place("end")? as usize, out)?;
            }
        }
        self.spout.dice.as_ref().map_or(Ok(()), |dice| dice.stumble(30))
    }
}

impl CoordinatedSpout for CoordinatedLog {
    fn fields(&self) -> Fields {
        Fields::new(["line"]).unwrap()
    }

    fn coordinator(&mut self) -> Outcome<Box<dyn SpoutCoordinator>> {
        Ok(Box::new(LogCoordinator(self.spout.clone(), self.is_opaque)))
    }

    fn emitter(&mut self, partition: usize, partitions: usize) -> Outcome<Box<dyn SpoutEmitter>> {
        Ok(Box::new(LogEmitter { spout: self.spout.clone(), partition, partitions }))
    }
}

/// How a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoutKind {
    Transactional,
    Opaque,
    /// One whose coordinator gives back what it knows of a batch.
    Coordinated,
    /// One whose coordinator describes a replay anew.
    CoordinatedAnew,
}

impl SpoutKind {
    /// A spout of this kind.
    pub fn over(self, spout: LogSpout) -> Spout {
        match self {
            SpoutKind::Transactional => Spout::transactional(spout),
            SpoutKind::Opaque => Spout::opaque(spout),
            SpoutKind::Coordinated => Spout::coordinated(CoordinatedLog { spout, is_opaque: false }),
            SpoutKind::CoordinatedAnew => Spout::coordinated(CoordinatedLog { spout, is_opaque: true }),
        }
    }
}
