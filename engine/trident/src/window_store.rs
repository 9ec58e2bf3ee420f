//! `WindowStore`: where the content of windows is kept, so that it survives a restart of the topology.
//!
//! Each batch adds one entry under its txid: the tuples it brought, its time and how much of the earlier content is left. So
//! one entry tells all that a batch did to the windows, and a store needs to make no more than one write durable at once.
//! An entry is written before the windows it completes are emitted; when the batch comes again, before or after a restart,
//! its windows are computed again from the entries before it, at the same time of day.

mod file;
mod json;
mod memory;

use monsoon_topology::{Outcome, Value};

pub use file::FileWindowStore;
pub use memory::MemoryWindowStore;

/// The content of the windows of one partition, in memory, in files or in a database of yours.
pub trait WindowStore: Send + 'static {
    /// All entries, in any order.
    fn entries(&mut self) -> Outcome<Vec<(u64, Value)>>;
    /// Stores the entry of a txid, in the place of an earlier one: all of it or, with a failure, perhaps nothing.
    fn put(&mut self, txid: u64, entry: &Value) -> Outcome;
    /// Removes entries; some of them may be gone already.
    fn remove(&mut self, txids: &[u64]) -> Outcome;
}
