//! `CoordinatedSpout`: the general spout, in which one part decides what is in a batch and others emit it.

use monsoon_topology::{Fields, Outcome};
use serde_json::Value as Json;

use crate::batch::BatchId;
use crate::tuple::Collector;

/// A spout in two parts, as Storm's `ITridentSpout`: a coordinator describes each batch by metadata, which the topology
/// keeps; emitters emit what the metadata describes.
///
/// It is transactional when the coordinator gives known metadata back and the emitters emit the same tuples for it. It is
/// opaque when it describes a replay anew, and each batch from where the previous one ended: what is known of later batches
/// is then out of date.
///
/// All parts run on the spout's thread. After a failure of one of them all are made anew: what they need to go on is in the
/// metadata.
pub trait CoordinatedSpout: Send + 'static {
    /// The fields of its tuples.
    fn fields(&self) -> Fields;
    /// The coordinator. There is one at a time.
    fn coordinator(&mut self) -> Outcome<Box<dyn SpoutCoordinator>>;
    /// The emitter for one of the stream's partitions: its tuples are in that partition.
    fn emitter(&mut self, partition: usize, partitions: usize) -> Outcome<Box<dyn SpoutEmitter>>;
}

/// Decides what is in a batch.
pub trait SpoutCoordinator: Send {
    /// Describes a batch: with what it returns the emitters emit it, now and after a crash. `previous` describes the batch
    /// before (`None`: this is the first); `known` is what was returned for this txid before, when it is replayed. The
    /// result is durable before the batch is emitted.
    fn initialize_transaction(&mut self, txid: u64, previous: Option<&Json>, known: Option<&Json>) -> Outcome<Json>;

    /// Whether a new batch may start. One that isn't ready is asked again after [`crate::Options::idle_interval`]. With
    /// several spouts a batch starts when any of them is ready, and every one of them emits its part.
    fn is_ready(&mut self, _txid: u64) -> Outcome<bool> {
        Ok(true)
    }

    /// The batch, and so every earlier one, is committed.
    fn success(&mut self, _txid: u64) -> Outcome {
        Ok(())
    }

    /// Called once when it is needed no more, also after a failure.
    fn close(&mut self) {}
}

/// Emits one partition's part of each batch.
pub trait SpoutEmitter: Send {
    /// Emits what the metadata describes, as far as it is this partition's.
    fn emit_batch(&mut self, batch: BatchId, metadata: &Json, out: &mut Collector) -> Outcome;

    /// The batch, and so every earlier one, is committed.
    fn success(&mut self, _batch: BatchId) -> Outcome {
        Ok(())
    }

    /// Called once when it is needed no more, also after a failure.
    fn close(&mut self) {}
}
