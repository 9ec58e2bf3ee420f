//! Partitioned spouts on their thread: source partitions go round the partitions of the stream.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use monsoon_topology::Outcome;
use serde_json::Value as Json;

use super::{Emitted, Producer, SpoutRecord};
use crate::batch::BatchId;
use crate::spout::{
    BatchMetadata, OpaqueEmitter, OpaquePartitionedSpout, PartitionedTransactionalSpout, TransactionalEmitter,
};
use crate::tuple::{Collector, Row};

/// Collects what the source partitions emit.
struct Spread {
    emitted: Emitted,
    arity: usize,
    sources: usize,
}

impl Spread {
    fn new(arity: usize, partitions: usize) -> Spread {
        Spread { emitted: vec![Vec::<Row>::new(); partitions], arity, sources: 0 }
    }

    /// Adds what the next source partition emits.
    fn add<R>(&mut self, emit: impl FnOnce(&mut Collector) -> Outcome<R>) -> Outcome<R> {
        let mut out = Collector::new(self.arity);
        let result = emit(&mut out)?;
        let partitions = self.emitted.len();
        self.emitted[self.sources % partitions].extend(out.finish()?);
        self.sources += 1;
        Ok(result)
    }
}

/// The reader of a partition, made when it is first needed.
fn reader<'a, E>(
    readers: &'a mut HashMap<String, E>,
    partition: &str,
    make: impl FnOnce(&str) -> Outcome<E>,
) -> Outcome<&'a mut E> {
    match readers.entry(partition.to_owned()) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(make(partition)?)),
    }
}

/// What the batch before a txid was made of.
fn previous(record: &SpoutRecord, txid: u64) -> Outcome<BatchMetadata> {
    match record.previous(txid) {
        Some(metadata) => Ok(BatchMetadata::read(&metadata)?),
        None => Ok(BatchMetadata::default()),
    }
}

/// A transactional one.
pub(super) struct Transactional {
    spout: Box<dyn PartitionedTransactionalSpout>,
    readers: HashMap<String, Box<dyn TransactionalEmitter>>,
    record: Arc<SpoutRecord>,
    arity: usize,
    partitions: usize,
}

impl Transactional {
    pub(super) fn new(
        spout: Box<dyn PartitionedTransactionalSpout>,
        record: Arc<SpoutRecord>,
        arity: usize,
        partitions: usize,
    ) -> Transactional {
        Transactional { spout, readers: HashMap::new(), record, arity, partitions }
    }

    fn emit_again(&mut self, txid: u64, known: &Json) -> Outcome<Emitted> {
        let mut spread = Spread::new(self.arity, self.partitions);
        for (partition, metadata) in &BatchMetadata::read(known)?.emitted {
            let reader = reader(&mut self.readers, partition, |partition| self.spout.emitter(partition))?;
            spread.add(|out| reader.emit_again(txid, metadata, out))?;
        }
        Ok(spread.emitted)
    }
}

impl Producer for Transactional {
    fn emit(&mut self, batch: BatchId) -> Outcome<Emitted> {
        let txid = batch.txid;
        if let Some(known) = self.record.known(txid) {
            return self.emit_again(txid, &known);
        }
        let previous = previous(&self.record, txid)?;
        let (mut spread, mut described) = (Spread::new(self.arity, self.partitions), BTreeMap::new());
        for partition in self.spout.partitions()? {
            let reader = reader(&mut self.readers, &partition, |partition| self.spout.emitter(partition))?;
            let metadata = spread.add(|out| reader.emit_new(txid, previous.last(&partition), out))?;
            described.insert(partition, metadata);
        }
        // Durable before anything of the batch can be committed: after a crash it must be the same batch.
        self.record.keep(txid, serde_json::to_value(previous.followed_by(described))?)?;
        Ok(spread.emitted)
    }

    fn committed(&mut self, batch: BatchId) -> Outcome {
        self.spout.committed(batch.txid);
        Ok(())
    }

    fn failed(&mut self) {
        self.readers.clear();
    }
}

/// An opaque one.
pub(super) struct Opaque {
    spout: Box<dyn OpaquePartitionedSpout>,
    readers: HashMap<String, Box<dyn OpaqueEmitter>>,
    record: Arc<SpoutRecord>,
    arity: usize,
    partitions: usize,
}

impl Opaque {
    pub(super) fn new(
        spout: Box<dyn OpaquePartitionedSpout>,
        record: Arc<SpoutRecord>,
        arity: usize,
        partitions: usize,
    ) -> Opaque {
        Opaque { spout, readers: HashMap::new(), record, arity, partitions }
    }
}

impl Producer for Opaque {
    fn emit(&mut self, batch: BatchId) -> Outcome<Emitted> {
        let txid = batch.txid;
        // A replay starts where the batch before it ended, and so do all batches after it.
        let previous = previous(&self.record, txid)?;
        let (mut spread, mut described) = (Spread::new(self.arity, self.partitions), BTreeMap::new());
        for partition in self.spout.partitions()? {
            let reader = reader(&mut self.readers, &partition, |partition| self.spout.emitter(partition))?;
            let metadata = spread.add(|out| reader.emit(txid, previous.last(&partition), out))?;
            described.insert(partition, metadata);
        }
        self.record.note(txid, serde_json::to_value(previous.followed_by(described))?);
        Ok(spread.emitted)
    }

    fn committed(&mut self, batch: BatchId) -> Outcome {
        self.spout.committed(batch.txid);
        Ok(())
    }

    fn failed(&mut self) {
        self.readers.clear();
    }
}
