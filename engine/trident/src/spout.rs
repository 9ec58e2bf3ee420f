//! Spouts: where batches come from, in kinds by what a replay gives.
//!
//! | kind | the same txid again | |
//! |---|---|---|
//! | [`BatchSpout`] | anything | non-transactional |
//! | [`PartitionedTransactionalSpout`] | exactly the same tuples | each tuple is in one batch |
//! | [`OpaquePartitionedSpout`] | perhaps other tuples | each tuple is in one *committed* batch |
//! | [`CoordinatedSpout`] | what it makes of the metadata it gets again | one of the above |
//!
//! A partitioned spout describes what it emitted from a partition in one batch by metadata of its own, such as a range of
//! offsets; the topology keeps it. A coordinated spout describes a batch before it emits it.

mod coordinated;
mod feeder;
mod fixed;
mod ledger;

use monsoon_topology::{Fields, Outcome};
use serde_json::Value as Json;

pub use coordinated::{CoordinatedSpout, SpoutCoordinator, SpoutEmitter};
pub use feeder::FeederBatchSpout;
pub use fixed::FixedBatchSpout;
pub(crate) use ledger::{BatchMetadata, Ledger};

use crate::tuple::Collector;

/// Emits whole batches, with no promise on what a replay gives.
pub trait BatchSpout: Send + 'static {
    /// The fields of its tuples.
    fn fields(&self) -> Fields;
    /// Called once before the first batch.
    fn open(&mut self) -> Outcome {
        Ok(())
    }
    /// Emits a batch. The same txid comes again when the batch is replayed.
    fn emit_batch(&mut self, txid: u64, out: &mut Collector) -> Outcome;
    /// The batch, and so every earlier one, is committed.
    fn ack(&mut self, _txid: u64) {}
    /// Called once after the last batch.
    fn close(&mut self) {}
}

/// Emits the same tuples for the same txid.
pub trait PartitionedTransactionalSpout: Send + 'static {
    /// The fields of its tuples.
    fn fields(&self) -> Fields;
    /// The partitions to read in the next new batch.
    fn partitions(&mut self) -> Outcome<Vec<String>>;
    /// The reader of a partition.
    fn emitter(&mut self, partition: &str) -> Outcome<Box<dyn TransactionalEmitter>>;
    /// The batch, and so every earlier one, is committed.
    fn committed(&mut self, _txid: u64) {}
}

/// Reads one partition of a [`PartitionedTransactionalSpout`].
pub trait TransactionalEmitter: Send {
    /// Emits the next batch after the one that `last` describes (`None`: the first), and describes it.
    fn emit_new(&mut self, txid: u64, last: Option<&Json>, out: &mut Collector) -> Outcome<Json>;
    /// Emits once more the batch that `metadata` describes. A failure when it can't emit exactly the same tuples.
    fn emit_again(&mut self, txid: u64, metadata: &Json, out: &mut Collector) -> Outcome;
}

/// Emits each tuple in one committed batch; the batch of a txid may change from attempt to attempt.
pub trait OpaquePartitionedSpout: Send + 'static {
    /// The fields of its tuples.
    fn fields(&self) -> Fields;
    /// The partitions that can be read now. One that is missing continues where it was when it is back.
    fn partitions(&mut self) -> Outcome<Vec<String>>;
    /// The reader of a partition.
    fn emitter(&mut self, partition: &str) -> Outcome<Box<dyn OpaqueEmitter>>;
    /// The batch, and so every earlier one, is committed.
    fn committed(&mut self, _txid: u64) {}
}

/// Reads one partition of an [`OpaquePartitionedSpout`].
pub trait OpaqueEmitter: Send {
    /// Emits a batch that starts where the one that `last` describes ended (`None`: at the start), and describes it.
    fn emit(&mut self, txid: u64, last: Option<&Json>, out: &mut Collector) -> Outcome<Json>;
}

/// A spout of any kind.
pub struct Spout(pub(crate) Kind);

pub(crate) enum Kind {
    Batch(Box<dyn BatchSpout>),
    Transactional(Box<dyn PartitionedTransactionalSpout>),
    Opaque(Box<dyn OpaquePartitionedSpout>),
    Coordinated(Box<dyn CoordinatedSpout>),
}

impl Spout {
    /// A non-transactional one.
    pub fn batch(spout: impl BatchSpout) -> Spout {
        Spout(Kind::Batch(Box::new(spout)))
    }

    /// A transactional one.
    pub fn transactional(spout: impl PartitionedTransactionalSpout) -> Spout {
        Spout(Kind::Transactional(Box::new(spout)))
    }

    /// An opaque one.
    pub fn opaque(spout: impl OpaquePartitionedSpout) -> Spout {
        Spout(Kind::Opaque(Box::new(spout)))
    }

    /// One whose coordinator describes each batch before it is emitted.
    pub fn coordinated(spout: impl CoordinatedSpout) -> Spout {
        Spout(Kind::Coordinated(Box::new(spout)))
    }

    /// The fields of its tuples.
    pub(crate) fn fields(&self) -> Fields {
        match &self.0 {
            Kind::Batch(spout) => spout.fields(),
            Kind::Transactional(spout) => spout.fields(),
            Kind::Opaque(spout) => spout.fields(),
            Kind::Coordinated(spout) => spout.fields(),
        }
    }
}

impl From<FixedBatchSpout> for Spout {
    fn from(spout: FixedBatchSpout) -> Spout {
        Spout::batch(spout)
    }
}

impl From<FeederBatchSpout> for Spout {
    fn from(spout: FeederBatchSpout) -> Spout {
        Spout::batch(spout)
    }
}
