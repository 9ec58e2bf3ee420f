//! States: what a topology keeps from batch to batch, inside the process or in a database of yours.
//!
//! A state is updated between `begin_commit(txid)` and `commit(txid)`, in the order of txids, and once more under the same
//! txid when a batch is replayed. What a state stores beside a value decides what a replay does to it:
//!
//! | | value | (txid, value) | (txid, previous, value) |
//! |---|---|---|---|
//! | map | [`NonTransactionalMap`] | [`TransactionalMap`] | [`OpaqueMap`] |
//! | a replay | counts twice | is skipped | starts again from the previous value |
//! | exactly once with | no spout | transactional spouts | transactional and opaque spouts |

mod cached;
mod cell;
mod map;
mod memory;
mod non_transactional;
mod opaque;
mod snapshot;
mod transactional;

use monsoon_topology::{Outcome, Value};

pub use cached::CachedMap;
pub(crate) use cell::StateCell;
pub use cell::{StateContext, TridentState};
pub(crate) use map::expect_count;
pub use map::{BackingMap, MapState, ReadOnlyMapState, RemovableMapState, UpdateValue};
pub use memory::{MemoryBackingMap, MemoryMapState};
pub use non_transactional::NonTransactionalMap;
pub use opaque::{OpaqueMap, OpaqueValue};
pub use snapshot::{ReadOnlySnapshottable, Snapshottable, SnapshottableMap};
pub use transactional::{TransactionalMap, TransactionalValue};

use crate::tuple::{Collector, Tuple};

/// A state that takes part in the commit of batches.
pub trait State: Send + 'static {
    /// The updates of a batch follow. A txid comes again when its batch is replayed.
    fn begin_commit(&mut self, txid: u64) -> Outcome;
    /// The updates of the batch are done.
    fn commit(&mut self, txid: u64) -> Outcome;
}

/// The key of a map state: the values of the fields a stream is grouped by.
pub type Key = Vec<Value>;

/// All that a state holds, as tuples.
pub trait TupleCollection: Send + 'static {
    /// The tuples, in no particular order.
    fn tuples(&mut self) -> Outcome<Vec<Vec<Value>>>;
}

/// Updates a state of your own with the tuples of one batch and partition.
pub trait StateUpdater<S>: Send + Sync + 'static {
    /// Updates the state. What is emitted is the stream of new values.
    fn update(&self, state: &mut S, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome;
}

impl<S, F> StateUpdater<S> for F
where
    F: Fn(&mut S, &[Tuple<'_>], &mut Collector) -> Outcome + Send + Sync + 'static,
{
    fn update(&self, state: &mut S, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome {
        self(state, tuples, out)
    }
}

/// Reads a state for the tuples of one batch and partition.
pub trait QueryFunction<S>: Send + Sync + 'static {
    /// One result for each tuple, in their order.
    fn retrieve(&self, state: &mut S, tuples: &[Tuple<'_>]) -> Outcome<Vec<Value>>;

    /// Emits what is appended to a tuple for its result: unless overridden, the result itself.
    fn execute(&self, _tuple: &Tuple<'_>, result: Value, out: &mut Collector) -> Outcome {
        out.emit_one(result);
        Ok(())
    }
}

impl<S, F> QueryFunction<S> for F
where
    F: Fn(&mut S, &[Tuple<'_>]) -> Outcome<Vec<Value>> + Send + Sync + 'static,
{
    fn retrieve(&self, state: &mut S, tuples: &[Tuple<'_>]) -> Outcome<Vec<Value>> {
        self(state, tuples)
    }
}

#[cfg(test)]
mod tests;
