//! `FeederBatchSpout`: a test feeds the batches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use monsoon_topology::{Fields, Outcome, Value};
use parking_lot::{Condvar, Mutex};

use super::BatchSpout;
use crate::Result;
use crate::tuple::{Collector, FieldNames, Row, fields_of};

#[derive(Default)]
struct Feed {
    waiting: VecDeque<Vec<Row>>,
    emitted: BTreeMap<u64, Vec<Row>>,
    fed: u64,
    /// How many of the fed batches are committed.
    committed: u64,
}

/// Emits the batches it is fed with, and empty ones in between. A replay gives the same batch. Clones share the feed.
#[derive(Clone)]
pub struct FeederBatchSpout {
    fields: Fields,
    feed: Arc<(Mutex<Feed>, Condvar)>,
}

impl FeederBatchSpout {
    /// For tuples with these fields.
    pub fn new(fields: impl FieldNames) -> Result<FeederBatchSpout> {
        Ok(FeederBatchSpout { fields: fields_of(&fields)?, feed: Arc::default() })
    }

    /// Adds a batch.
    pub fn feed(&self, rows: Vec<Vec<Value>>) {
        let mut feed = self.feed.0.lock();
        feed.waiting.push_back(rows);
        feed.fed += 1;
    }

    /// Waits until all batches fed so far are committed; false when they weren't in time.
    pub fn wait_until_committed(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let (feed, changed) = &*self.feed;
        let mut feed = feed.lock();
        let wanted = feed.fed;
        while feed.committed < wanted {
            if changed.wait_until(&mut feed, deadline).timed_out() {
                return feed.committed >= wanted;
            }
        }
        true
    }
}

impl BatchSpout for FeederBatchSpout {
    fn fields(&self) -> Fields {
        self.fields.clone()
    }

    fn emit_batch(&mut self, txid: u64, out: &mut Collector) -> Outcome {
        let mut feed = self.feed.0.lock();
        if !feed.emitted.contains_key(&txid)
            && let Some(batch) = feed.waiting.pop_front()
        {
            feed.emitted.insert(txid, batch);
        }
        feed.emitted.get(&txid).into_iter().flatten().for_each(|row| out.emit(row.clone()));
        Ok(())
    }

    fn ack(&mut self, txid: u64) {
        let mut feed = self.feed.0.lock();
        let later = feed.emitted.split_off(&(txid + 1));
        feed.committed += feed.emitted.len() as u64;
        feed.emitted = later;
        self.feed.1.notify_all();
    }
}
