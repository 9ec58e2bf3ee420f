//! Subscribers: who gets the changes of which relation, and who was too slow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use monsoon_circuit::RelationId;
use monsoon_state::TxId;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::api::{Committed, SubscribeOptions, Subscription};
use crate::request::Published;
use crate::{Error, Result};

/// All subscribers, by relation.
#[derive(Default)]
pub(crate) struct Subscribers {
    by_relation: Mutex<HashMap<RelationId, Vec<Subscriber>>>,
}

struct Subscriber {
    /// Only later commits are for it; earlier ones are in its snapshot.
    after: TxId,
    options: SubscribeOptions,
    queued_rows: Arc<AtomicUsize>,
    changes: UnboundedSender<Result<Committed>>,
}

impl Subscribers {
    /// Adds a subscriber to commits after `after`.
    pub fn add(
        &self,
        relation: RelationId,
        schema: arrow::datatypes::SchemaRef,
        after: TxId,
        options: SubscribeOptions,
    ) -> Subscription {
        let (sender, receiver) = unbounded_channel();
        let queued_rows = Arc::new(AtomicUsize::new(0));
        let subscriber = Subscriber { after, options, queued_rows: queued_rows.clone(), changes: sender };
        self.by_relation.lock().entry(relation).or_default().push(subscriber);
        Subscription { schema, changes: drained(receiver, queued_rows).boxed() }
    }

    /// Relations somebody subscribes to.
    pub fn wanted(&self) -> HashSet<RelationId> {
        let mut by_relation = self.by_relation.lock();
        by_relation.retain(|_, subscribers| {
            subscribers.retain(|subscriber| !subscriber.changes.is_closed());
            !subscribers.is_empty()
        });
        by_relation.keys().copied().collect()
    }

    /// Ends the subscriptions of relations that are gone.
    pub fn end(&self, relations: &[RelationId]) {
        let mut by_relation = self.by_relation.lock();
        relations.iter().for_each(|relation| drop(by_relation.remove(relation)));
    }

    /// Hands a commit to everybody it concerns. Never waits: a subscriber with too much waiting is cut off.
    pub fn publish(&self, txid: TxId, published: Vec<Published>) {
        let mut by_relation = self.by_relation.lock();
        if by_relation.is_empty() {
            return;
        }
        let mut changes: HashMap<RelationId, Committed> = HashMap::new();
        for (relation, delta) in published {
            let entry = changes.entry(relation).or_insert_with(|| Committed { txid, batches: Vec::new() });
            entry.batches.extend(delta.batches);
        }
        for (relation, subscribers) in by_relation.iter_mut() {
            let committed = changes.get(relation);
            subscribers.retain(|subscriber| subscriber.offer(txid, committed));
        }
    }
}

impl Subscriber {
    /// Whether it stays.
    fn offer(&self, txid: TxId, committed: Option<&Committed>) -> bool {
        if txid <= self.after {
            return true;
        }
        let committed = match committed {
            Some(committed) => committed.clone(),
            None if self.options.progress => Committed { txid, batches: Vec::new() },
            None => return !self.changes.is_closed(),
        };
        let rows: usize = committed.batches.iter().map(|batch| batch.len()).sum();
        let queued = self.queued_rows.fetch_add(rows, Ordering::Relaxed);
        // A change larger than the bound still goes to a reader with nothing waiting.
        if queued > 0 && queued + rows > self.options.buffer_rows_max {
            let slow = Error::SlowSubscriber { rows_max: self.options.buffer_rows_max };
            let _ = self.changes.send(Err(slow));
            return false;
        }
        self.changes.send(Ok(committed)).is_ok()
    }
}

fn drained(
    receiver: UnboundedReceiver<Result<Committed>>,
    queued_rows: Arc<AtomicUsize>,
) -> impl futures::Stream<Item = Result<Committed>> {
    futures::stream::unfold((receiver, queued_rows), |(mut receiver, queued_rows)| async move {
        let item = receiver.recv().await?;
        if let Ok(committed) = &item {
            let rows = committed.batches.iter().map(|batch| batch.len()).sum();
            queued_rows.fetch_sub(rows, Ordering::Relaxed);
        }
        Some((item, (receiver, queued_rows)))
    })
}
