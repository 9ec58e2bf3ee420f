//! `StreamSpout`: the rows of an append-only relation as tuples, from the first one or a later one on.
//!
//! A row's position is its number in the relation, which no restart changes. With several tasks row n goes to task n modulo their number. Where state
//! is exactly once the spout's position is what it has emitted; otherwise it keeps what is not acked, emits it again when it fails, and its position is
//! the first row that is not acked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use arrow::array::RecordBatch;
use futures::StreamExt;
use monsoon_batch::{Engine, Error};
use monsoon_circuit::RelationId;
use monsoon_topology::{
    Failure, Guarantee, Moment, Outcome, Spout, SpoutCollector, Streams, TaskContext, Value, Waker,
};
use tokio::runtime::Handle;

use super::rows::values;

/// Batches read ahead of the spout.
const READ_AHEAD: usize = 4;
/// Changed rows that may wait for a spout; past it the relation is read again from its log, up to where the spout stands.
const WAITING_ROWS_MAX: usize = 1 << 20;

/// What a stream spout reads.
#[derive(Clone)]
pub(crate) struct StreamSource {
    pub engine: Engine,
    pub runtime: Handle,
    pub relation: RelationId,
    pub name: String,
    pub fields: Vec<String>,
    /// The number of the first row that is emitted.
    pub first_row: u64,
}

/// Rows of an append-only relation as tuples.
pub(crate) struct StreamSpout {
    source: StreamSource,
    /// Until it begins to read.
    waker: Option<Waker>,
    batches: Option<Receiver<Result<Rows, String>>>,
    current: Option<Current>,
    /// The task's place, and how many there are.
    task: u64,
    tasks: u64,
    keeps_unacked: bool,
    tracked: bool,
    /// The number of the next row to come.
    next: u64,
    unacked: BTreeMap<u64, Arc<[Value]>>,
    again: VecDeque<u64>,
}

/// Rows, and the number of the first.
struct Rows {
    first: u64,
    batch: RecordBatch,
}

/// Rows being emitted.
struct Current {
    values: Vec<Value>,
    width: usize,
    row: usize,
    rows: usize,
}

impl StreamSpout {
    pub fn new(source: StreamSource) -> StreamSpout {
        StreamSpout {
            next: source.first_row,
            source,
            waker: None,
            batches: None,
            current: None,
            task: 0,
            tasks: 1,
            keeps_unacked: true,
            tracked: true,
            unacked: BTreeMap::new(),
            again: VecDeque::new(),
        }
    }

    /// Reads the relation from row `self.next` on, in the background.
    fn start(&mut self, waker: Waker) {
        let (sender, receiver) = sync_channel(READ_AHEAD);
        let reading = Reading { source: self.source.clone(), next: self.next, sender, waker };
        self.source.runtime.spawn(reading.run());
        self.batches = Some(receiver);
    }

    /// The next rows to emit. `false`: there are none now.
    fn advance(&mut self) -> Outcome<bool> {
        if self.current.as_ref().is_some_and(|current| current.row < current.rows) {
            return Ok(true);
        }
        self.current = None;
        let Some(batches) = &self.batches else { return Ok(false) };
        match batches.try_recv() {
            Ok(Ok(Rows { first, batch })) => {
                let values = values(&batch).map_err(|error| Failure::new(error.message))?;
                self.next = first;
                self.current = Some(Current { values, width: batch.num_columns(), row: 0, rows: batch.num_rows() });
                Ok(batch.num_rows() > 0)
            }
            Ok(Err(reason)) => Err(Failure::new(reason)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(false),
        }
    }

    fn emit(&mut self, number: u64, row: &[Value], collector: &mut SpoutCollector) -> Outcome {
        match self.tracked {
            true => collector.emit_tracked(row, number as i64).map(drop),
            false => collector.emit(row).map(drop),
        }
    }

    fn emit_again(&mut self, collector: &mut SpoutCollector) -> Outcome<bool> {
        let Some(number) = self.again.pop_front() else { return Ok(false) };
        if let Some(row) = self.unacked.get(&number).cloned() {
            self.emit(number, &row, collector)?;
        }
        Ok(true)
    }
}

impl Spout for StreamSpout {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(&self.source.fields);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.task = context.task_index() as u64;
        self.tasks = context.component().tasks.len() as u64;
        self.keeps_unacked = context.guarantee() == Guarantee::AtLeastOnce;
        self.tracked = self.keeps_unacked;
        self.waker = Some(context.waker());
        Ok(())
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        // Not before it is known where to begin.
        if let Some(waker) = self.waker.take() {
            self.start(waker);
        }
        if self.emit_again(collector)? {
            return Ok(());
        }
        while self.advance()? {
            let Some(current) = &mut self.current else { return Ok(()) };
            let number = self.next;
            let start = current.row * current.width;
            let row: Vec<Value> = match number % self.tasks == self.task {
                true => current.values[start..start + current.width].iter_mut().map(std::mem::take).collect(),
                false => Vec::new(),
            };
            current.row += 1;
            self.next += 1;
            if number % self.tasks == self.task {
                if self.keeps_unacked {
                    self.unacked.insert(number, row.as_slice().into());
                }
                return self.emit(number, &row, collector);
            }
        }
        Ok(())
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        if let Some(number) = id.as_int() {
            self.unacked.remove(&(number as u64));
        }
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        if let Some(number) = id.as_int().filter(|_| self.keeps_unacked) {
            self.again.push_back(number as u64);
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn position(&mut self) -> Option<Vec<u8>> {
        let first = self.unacked.keys().next().copied().unwrap_or(self.next);
        Some(first.to_be_bytes().to_vec())
    }

    fn seek(&mut self, position: &[u8]) -> Outcome {
        let position: [u8; 8] =
            position.try_into().map_err(|_| Failure::new("the position of a stream has 8 bytes"))?;
        self.next = u64::from_be_bytes(position);
        Ok(())
    }

    /// Woken when rows come in.
    fn next_poll(&self) -> Option<Moment> {
        Some(Moment(u64::MAX))
    }
}

/// The background part: reads the relation and hands rows over.
struct Reading {
    source: StreamSource,
    /// The number of the first row that is wanted.
    next: u64,
    sender: SyncSender<Result<Rows, String>>,
    waker: Waker,
}

impl Reading {
    async fn run(mut self) {
        loop {
            match self.read().await {
                // It was too slow for the changes as they came: what it missed is in the log.
                Err(Error::SlowSubscriber { .. }) => {}
                Err(error) => {
                    let _ = self.hand_over(Err(format!("stream {:?} can't be read: {error}", self.source.name))).await;
                    return;
                }
                Ok(()) => return,
            }
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let engine = &self.source.engine;
        let mut subscription = engine.follow(self.source.relation, self.next, WAITING_ROWS_MAX).await?;
        while let Some(committed) = subscription.changes.next().await {
            for batch in committed?.batches {
                let batch = batch.expanded()?;
                let first = self.next;
                self.next += batch.num_rows() as u64;
                if batch.num_rows() > 0 && !self.hand_over(Ok(Rows { first, batch })).await {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Waits for room. `false`: the spout has gone.
    async fn hand_over(&self, rows: Result<Rows, String>) -> bool {
        let mut rows = rows;
        loop {
            match self.sender.try_send(rows) {
                Ok(()) => {
                    self.waker.wake();
                    return true;
                }
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return false,
                Err(std::sync::mpsc::TrySendError::Full(back)) => {
                    rows = back;
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            }
        }
    }
}
