//! The thread of a spout: emits batches in the order it is told to, which is the order of txids.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use monsoon_topology::{Failure, Outcome};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::guarded;
use super::run::Run;
use crate::graph::Source;
use crate::metadata::{Change, MetadataStore};
use crate::spout::{BatchMetadata, Kind, Ledger, OpaqueEmitter, Spout, TransactionalEmitter};
use crate::tuple::{Collector, Row};

/// What the master tells a spout.
pub(super) enum Command {
    Emit(Arc<Run>),
    Committed(u64),
}

/// How far a spout's batches are committed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Position {
    /// The txid to commit next.
    pub(super) txid: u64,
    /// The attempts at the batches that were in flight.
    pub(super) attempts: BTreeMap<u64, u32>,
}

/// What the master and the spout's thread share.
pub(super) struct SpoutRecord {
    name: String,
    is_opaque: bool,
    ledger: Mutex<Ledger>,
}

impl SpoutRecord {
    /// Reads what is known of a spout, and how far it is.
    pub(super) fn load(name: &str, spout: &Spout, store: &dyn MetadataStore) -> Outcome<(SpoutRecord, Position)> {
        let is_opaque = matches!(spout.0, Kind::Opaque(_));
        let mut position = Position { txid: 1, attempts: BTreeMap::new() };
        let mut ledger = Ledger::default();
        for (key, value) in store.list(&format!("{name}/"))? {
            let unreadable =
                |error: serde_json::Error| Failure::new(format!("metadata {key:?} is unreadable: {error}"));
            match key[name.len() + 1..].strip_prefix("batch/") {
                None => position = serde_json::from_value(value).map_err(unreadable)?,
                Some(txid) => {
                    let txid = txid.parse().map_err(|error| Failure::new(format!("metadata {key:?}: {error}")))?;
                    ledger.insert(txid, serde_json::from_value(value).map_err(unreadable)?);
                }
            }
        }
        if is_opaque {
            ledger.drop_from(position.txid);
        }
        Ok((SpoutRecord { name: name.to_owned(), is_opaque, ledger: Mutex::new(ledger) }, position))
    }

    fn batch_key(&self, txid: u64) -> String {
        format!("{}/batch/{txid}", self.name)
    }

    fn put(&self, txid: u64, metadata: &BatchMetadata) -> Outcome<Change> {
        Ok(Change::Put(self.batch_key(txid), serde_json::to_value(metadata)?))
    }

    /// What makes the commit of a txid durable. Metadata of earlier batches goes; that of the batch itself stays, since the
    /// next one continues from it.
    pub(super) fn changes(&self, txid: u64, attempts: &BTreeMap<u64, u32>) -> Outcome<Vec<Change>> {
        let position = Position { txid: txid + 1, attempts: attempts.clone() };
        let mut changes = vec![Change::Put(format!("{}/next", self.name), serde_json::to_value(position)?)];
        let ledger = self.ledger.lock();
        if let Some(metadata) = ledger.get(txid).filter(|_| self.is_opaque) {
            changes.push(self.put(txid, metadata)?);
        }
        changes.extend(ledger.txids_before(txid).into_iter().map(|earlier| Change::Delete(self.batch_key(earlier))));
        Ok(changes)
    }

    /// The changes are durable.
    pub(super) fn committed(&self, txid: u64) {
        self.ledger.lock().drop_before(txid);
    }
}

/// The rows of each source partition.
type Emitted = Vec<Vec<Row>>;

pub(super) struct SpoutWorker {
    source: Source,
    spout: Kind,
    transactional: HashMap<String, Box<dyn TransactionalEmitter>>,
    opaque: HashMap<String, Box<dyn OpaqueEmitter>>,
    arity: usize,
    /// The greatest txid that can be emitted: all before it are.
    next_txid: u64,
    record: Arc<SpoutRecord>,
    store: Arc<dyn MetadataStore>,
}

impl SpoutWorker {
    pub(super) fn new(
        number: usize,
        spout: Spout,
        record: Arc<SpoutRecord>,
        store: Arc<dyn MetadataStore>,
    ) -> Outcome<SpoutWorker> {
        let arity = spout.fields().len();
        let mut spout = spout.0;
        if let Kind::Batch(spout) = &mut spout {
            spout.open()?;
        }
        let (transactional, opaque) = (HashMap::new(), HashMap::new());
        let (source, next_txid) = (Source::Spout(number), 1);
        Ok(SpoutWorker { source, spout, transactional, opaque, arity, next_txid, record, store })
    }

    /// Works from a txid on until the master is gone.
    pub(super) fn work(mut self, first_txid: u64, commands: Receiver<Command>) {
        self.next_txid = first_txid;
        for command in commands {
            match command {
                Command::Emit(run) => self.emit_to(&run),
                Command::Committed(txid) => drop(guarded(|| self.committed(txid))),
            }
        }
        if let Kind::Batch(spout) = &mut self.spout {
            drop(guarded(|| {
                spout.close();
                Ok(())
            }));
        }
    }

    fn committed(&mut self, txid: u64) -> Outcome {
        match &mut self.spout {
            Kind::Batch(spout) => spout.ack(txid),
            Kind::Transactional(spout) => spout.committed(txid),
            Kind::Opaque(spout) => spout.committed(txid),
        }
        Ok(())
    }

    fn emit_to(&mut self, run: &Arc<Run>) {
        let txid = run.batch.txid;
        // A batch starts where the one before it ended. When that one was given up or failed, this attempt is about to be
        // cancelled too, and must not take the place of the other.
        if run.is_cancelled() || txid > self.next_txid {
            self.next_txid = self.next_txid.min(txid);
            return;
        }
        match guarded(|| self.emit(txid)) {
            Ok(emitted) => {
                self.next_txid = txid + 1;
                let partitions = run.partitions(self.source);
                run.deliver(self.source, spread(emitted, partitions, matches!(self.spout, Kind::Batch(_))));
            }
            Err(reason) => {
                self.next_txid = txid;
                // A reader that failed may be anywhere: the next attempt makes new ones.
                self.transactional.clear();
                self.opaque.clear();
                run.fail(format!("spout {:?}: {reason}", self.record.name));
            }
        }
    }

    fn emit(&mut self, txid: u64) -> Outcome<Emitted> {
        match &mut self.spout {
            Kind::Batch(spout) => {
                let mut out = Collector::new(self.arity);
                spout.emit_batch(txid, &mut out)?;
                Ok(vec![out.finish()?])
            }
            Kind::Transactional(_) => self.emit_transactional(txid),
            Kind::Opaque(_) => self.emit_opaque(txid),
        }
    }

    fn emit_transactional(&mut self, txid: u64) -> Outcome<Emitted> {
        let Kind::Transactional(spout) = &mut self.spout else { return Ok(Vec::new()) };
        let known = self.record.ledger.lock().get(txid).cloned();
        if let Some(metadata) = known {
            let mut emitted = Vec::new();
            for (partition, metadata) in &metadata.emitted {
                let mut out = Collector::new(self.arity);
                let reader = reader(&mut self.transactional, partition, |partition| spout.emitter(partition))?;
                reader.emit_again(txid, metadata, &mut out)?;
                emitted.push(out.finish()?);
            }
            return Ok(emitted);
        }
        let previous = self.record.ledger.lock().before(txid);
        let (mut emitted, mut described) = (Vec::new(), BTreeMap::new());
        for partition in spout.partitions()? {
            let mut out = Collector::new(self.arity);
            let reader = reader(&mut self.transactional, &partition, |partition| spout.emitter(partition))?;
            let metadata = reader.emit_new(txid, previous.last(&partition), &mut out)?;
            emitted.push(out.finish()?);
            described.insert(partition, metadata);
        }
        // Durable before anything of the batch can be committed: after a crash it must be the same batch.
        let metadata = previous.followed_by(described);
        self.store.apply(&[self.record.put(txid, &metadata)?])?;
        self.record.ledger.lock().insert(txid, metadata);
        Ok(emitted)
    }

    fn emit_opaque(&mut self, txid: u64) -> Outcome<Emitted> {
        let Kind::Opaque(spout) = &mut self.spout else { return Ok(Vec::new()) };
        // A replay starts where the batch before it ended, and so do all batches after it.
        let previous = {
            let mut ledger = self.record.ledger.lock();
            ledger.drop_from(txid);
            ledger.before(txid)
        };
        let (mut emitted, mut described) = (Vec::new(), BTreeMap::new());
        for partition in spout.partitions()? {
            let mut out = Collector::new(self.arity);
            let reader = reader(&mut self.opaque, &partition, |partition| spout.emitter(partition))?;
            let metadata = reader.emit(txid, previous.last(&partition), &mut out)?;
            emitted.push(out.finish()?);
            described.insert(partition, metadata);
        }
        self.record.ledger.lock().insert(txid, previous.followed_by(described));
        Ok(emitted)
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

/// Source partitions go round the partitions of the stream; the tuples of a spout without partitions do so one by one.
fn spread(emitted: Emitted, partitions: usize, one_by_one: bool) -> Vec<Vec<Row>> {
    let mut spread = vec![Vec::new(); partitions];
    if one_by_one {
        emitted.into_iter().flatten().enumerate().for_each(|(place, row)| spread[place % partitions].push(row));
    } else {
        emitted.into_iter().enumerate().for_each(|(place, rows)| spread[place % partitions].extend(rows));
    }
    spread
}
