//! What callers and source readers ask of the driver.

use monsoon_circuit::{Delta, RelationId, WeightedBatch};
use monsoon_connectors::{BadRecord, Position};
use monsoon_state::{TxId, Write};
use tokio::sync::{mpsc, oneshot};

use crate::api::{Change, ReadRequest, SubscribeOptions, Written};
use crate::log::LogReader;
use crate::relation::RelationSpec;
use crate::{Result, Subscription};

/// Answers a request.
pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// A request to the driver, in the order the driver sees it.
pub(crate) enum Request {
    Write {
        changes: Vec<Change>,
        /// What else is to be in the commit.
        beside: Vec<Write>,
        reply: Reply<Written>,
    },
    SourceRows {
        relation: RelationId,
        rows: arrow::array::RecordBatch,
        next: Position,
        bad: Vec<BadRecord>,
        read_at: std::time::Instant,
    },
    Create {
        relation: Box<RelationSpec>,
        catalog: Vec<Write>,
        reply: Reply<TxId>,
    },
    Restore {
        relation: Box<RelationSpec>,
        reply: Reply<()>,
    },
    Start {
        reply: Reply<()>,
    },
    Drop {
        relations: Vec<RelationId>,
        catalog: Vec<Write>,
        reply: Reply<TxId>,
    },
    Catalog {
        writes: Vec<Write>,
        reply: Reply<TxId>,
    },
    Read {
        requests: Vec<ReadRequest>,
        reply: Reply<ReadStarted>,
    },
    Subscribe {
        relation: RelationId,
        options: SubscribeOptions,
        reply: Reply<SubscribeStarted>,
    },
    /// To read an append-only relation in order, and with options to subscribe to what comes after.
    OpenLog {
        relation: RelationId,
        options: Option<SubscribeOptions>,
        reply: Reply<LogStarted>,
    },
    Flush {
        reply: Reply<TxId>,
    },
    Stop {
        reply: Reply<()>,
    },
}

/// A read that tasks are answering.
pub(crate) struct ReadStarted {
    /// The last txid dispatched before it: what is read may be shown once it has committed.
    pub txid: TxId,
    pub relations: Vec<(RelationId, Reading)>,
}

/// Where the rows of a relation come from.
pub(crate) enum Reading {
    /// One answer per task.
    Tasks { answers: mpsc::UnboundedReceiver<Result<Vec<WeightedBatch>>>, tasks: usize },
    /// A stream's log, or a source replayed.
    Log(LogReader),
}

/// A subscription whose snapshot tasks are answering.
pub(crate) struct SubscribeStarted {
    pub snapshot: Option<ReadStarted>,
    pub txid: TxId,
    pub subscription: Subscription,
}

/// An append-only relation that can be read up to a txid, when that is committed, and what comes after it.
pub(crate) struct LogStarted {
    pub reader: LogReader,
    pub txid: TxId,
    pub subscription: Option<Subscription>,
}

/// The changes of a relation in a commit.
pub(crate) type Published = (RelationId, Delta);
