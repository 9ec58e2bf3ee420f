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
/// All parts run on the spout's thread, one after the other. After a failure of one of them all are made anew: what they need to go on is in the
/// metadata.
///
/// ```
/// use monsoon_trident::{BatchId, Collector, CoordinatedSpout, Fields, Outcome, SpoutCoordinator, SpoutEmitter};
/// use serde_json::{Value as Json, json};
///
/// /// The numbers from 0 on, a hundred in each batch.
/// struct Numbers;
/// struct Hundred;
///
/// impl CoordinatedSpout for Numbers {
///     fn fields(&self) -> Fields {
///         Fields::new(["n"]).expect("one field")
///     }
///     fn coordinator(&mut self) -> Outcome<Box<dyn SpoutCoordinator>> {
///         Ok(Box::new(Numbers))
///     }
///     fn emitter(&mut self, partition: usize, partitions: usize) -> Outcome<Box<dyn SpoutEmitter>> {
///         assert_eq!((partition, partitions), (0, 1), "without a parallelism hint there is one");
///         Ok(Box::new(Hundred))
///     }
/// }
///
/// impl SpoutCoordinator for Numbers {
///     fn initialize_transaction(&mut self, _: u64, previous: Option<&Json>, known: Option<&Json>) -> Outcome<Json> {
///         let next = previous.and_then(Json::as_i64).map_or(0, |from| from + 100);
///         Ok(known.cloned().unwrap_or_else(|| json!(next)))
///     }
/// }
///
/// impl SpoutEmitter for Hundred {
///     fn emit_batch(&mut self, _: BatchId, from: &Json, out: &mut Collector) -> Outcome {
///         let from = from.as_i64().unwrap_or_default();
///         (from..from + 100).for_each(|n| out.emit_one(n));
///         Ok(())
///     }
/// }
///
/// use monsoon_trident::{MemoryMapState, ReadOnlySnapshottable, Spout, Sum, TridentTopology, run_local};
/// let topology = TridentTopology::new("numbers");
/// let numbers = topology.new_stream("numbers", Spout::coordinated(Numbers))?;
/// let sum = numbers.persistent_aggregate(|_| Ok(MemoryMapState::new()), "n", Sum, "sum")?;
/// let running = run_local(topology)?;
/// running.wait_for_txid(1, std::time::Duration::from_secs(10))?;
/// let sum = sum.with_partition(0, |state| state.get()).unwrap().and_then(|sum| sum.as_int());
/// assert!(sum >= Some((0..100).sum()), "the first batch, and perhaps later ones");
/// running.stop();
/// # Ok::<(), monsoon_trident::Error>(())
/// ```
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
    /// several spouts a batch starts when any of them is ready, as those of other kinds always are, and all emit their part.
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
