//! Coordinated spouts on their thread: each batch is described, the description kept, and then the batch emitted.

use std::sync::Arc;

use monsoon_topology::Outcome;

use super::{Emitted, Producer, SpoutRecord};
use crate::batch::BatchId;
use crate::runtime::guarded;
use crate::spout::{CoordinatedSpout, SpoutCoordinator, SpoutEmitter};
use crate::tuple::Collector;

/// The parts of a spout that live from failure to failure.
struct Parts {
    coordinator: Box<dyn SpoutCoordinator>,
    /// By partition of the stream.
    emitters: Vec<Box<dyn SpoutEmitter>>,
}

impl Parts {
    fn new(spout: &mut dyn CoordinatedSpout, partitions: usize) -> Outcome<Parts> {
        // Made one after the other, so that those that are there are closed when the next one refuses.
        let mut parts = Parts { coordinator: spout.coordinator()?, emitters: Vec::new() };
        for partition in 0..partitions {
            parts.emitters.push(spout.emitter(partition, partitions)?);
        }
        Ok(parts)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let closing = |close: &mut dyn FnMut()| {
            drop(guarded(|| {
                close();
                Ok(())
            }));
        };
        self.emitters.iter_mut().for_each(|emitter| closing(&mut || emitter.close()));
        closing(&mut || self.coordinator.close());
    }
}

pub(super) struct Coordinated {
    spout: Box<dyn CoordinatedSpout>,
    /// `None` after a failure, until they are needed.
    parts: Option<Parts>,
    record: Arc<SpoutRecord>,
    arity: usize,
    partitions: usize,
}

impl Coordinated {
    pub(super) fn new(
        mut spout: Box<dyn CoordinatedSpout>,
        record: Arc<SpoutRecord>,
        arity: usize,
        partitions: usize,
    ) -> Outcome<Coordinated> {
        let parts = Some(Parts::new(&mut *spout, partitions)?);
        Ok(Coordinated { spout, parts, record, arity, partitions })
    }

    fn parts(&mut self) -> Outcome<&mut Parts> {
        let parts = match self.parts.take() {
            Some(parts) => parts,
            None => Parts::new(&mut *self.spout, self.partitions)?,
        };
        Ok(self.parts.insert(parts))
    }
}

impl Producer for Coordinated {
    fn is_ready(&mut self, txid: u64) -> Outcome<bool> {
        self.parts()?.coordinator.is_ready(txid)
    }

    fn emit(&mut self, batch: BatchId) -> Outcome<Emitted> {
        let (txid, arity) = (batch.txid, self.arity);
        let (previous, known) = (self.record.previous(txid), self.record.known(txid));
        let parts = self.parts()?;
        let metadata = parts.coordinator.initialize_transaction(txid, previous.as_ref(), known.as_ref())?;
        // Durable before anything of the batch can be committed: after a crash it is given again.
        self.record.keep(txid, metadata.clone())?;
        let mut emitted = Vec::with_capacity(self.partitions);
        for emitter in &mut self.parts()?.emitters {
            let mut out = Collector::new(arity);
            emitter.emit_batch(batch, &metadata, &mut out)?;
            emitted.push(out.finish()?);
        }
        Ok(emitted)
    }

    fn committed(&mut self, batch: BatchId) -> Outcome {
        // Parts that failed and aren't made again yet have nothing to be told about.
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.coordinator.success(batch.txid)?;
        parts.emitters.iter_mut().try_for_each(|emitter| emitter.success(batch))
    }

    fn failed(&mut self) {
        self.parts = None;
    }

    fn close(&mut self) {
        self.parts = None;
    }
}
