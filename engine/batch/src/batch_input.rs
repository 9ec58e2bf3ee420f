//! `BatchInput`: what has come in for the next batch, and how it is shared out among the tasks.

use std::collections::HashMap;
use std::time::Instant;

use arrow::array::RecordBatch;
use monsoon_circuit::{RelationId, WeightedBatch};
use monsoon_connectors::Position;
use monsoon_state::Write;

use crate::Error;
use crate::api::{Change, Written};
use crate::request::Reply;

/// Below this many rows a piece isn't worth cutting.
const SHARED_ROWS_MIN: usize = 4096;

/// A batch takes nothing more once it has so many bytes: operators put the rows of a batch together, and 32-bit string offsets
/// end at 2 GiB.
const BATCH_BYTES: usize = 64 << 20;

/// Rows and acknowledgements of the next batch.
#[derive(Default)]
pub(crate) struct BatchInput {
    rows: usize,
    bytes: usize,
    pieces: Vec<(RelationId, WeightedBatch)>,
    sources: Vec<SourceRows>,
    replies: Vec<WriteReply>,
    /// Writes of callers that are to be in the commit.
    beside: Vec<Write>,
    arrived: Option<Instant>,
}

/// What a source contributes to a batch.
pub(crate) struct SourceRows {
    /// The stream.
    pub relation: RelationId,
    /// How many rows.
    pub rows: u64,
    /// Where the source goes on after them.
    pub next: Position,
}

/// Whom to tell that a write is durable.
pub(crate) struct WriteReply {
    pub reply: Reply<Written>,
    /// How many of its rows are late.
    pub late: u64,
}

impl BatchInput {
    /// Whether it has enough for a batch of so many rows.
    pub fn is_full(&self, rows_max: usize) -> bool {
        self.rows >= rows_max || self.bytes >= BATCH_BYTES
    }

    /// Whether there is nothing to do and nobody to answer.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.replies.is_empty() && self.sources.is_empty()
    }

    /// When the first of it arrived.
    pub fn arrived(&self) -> Option<Instant> {
        self.arrived
    }

    /// Adds a write.
    pub fn add_write(&mut self, changes: Vec<Change>, beside: Vec<Write>, reply: WriteReply) {
        self.arrived.get_or_insert_with(Instant::now);
        self.beside.extend(beside);
        for change in changes {
            for batch in change.batches {
                self.add_piece(change.relation, batch);
            }
        }
        self.replies.push(reply);
    }

    fn add_piece(&mut self, relation: RelationId, batch: WeightedBatch) {
        self.rows += batch.len();
        self.bytes += batch.rows.get_array_memory_size();
        self.pieces.push((relation, batch));
    }

    /// Adds what a source has read.
    pub fn add_source(&mut self, relation: RelationId, rows: RecordBatch, next: Position, read_at: Instant) {
        let arrived = self.arrived.get_or_insert(read_at);
        *arrived = read_at.min(*arrived);
        self.sources.push(SourceRows { relation, rows: rows.num_rows() as u64, next });
        self.add_piece(relation, WeightedBatch::inserted(rows));
    }

    /// What sources contribute, in order.
    pub fn take_sources(&mut self) -> Vec<SourceRows> {
        std::mem::take(&mut self.sources)
    }

    /// What callers want in the commit.
    pub fn take_beside(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.beside)
    }

    /// Answers every write with an error.
    pub fn refuse(self, error: &Error) {
        self.replies.into_iter().for_each(|write| drop(write.reply.send(Err(error.clone()))));
    }

    /// Each task's share. Rows of relations that keep their order all go to task 0; others are cut evenly.
    pub fn share_out(
        self,
        tasks: usize,
        turn: &mut usize,
        keeps_order: impl Fn(RelationId) -> bool,
    ) -> (Vec<HashMap<RelationId, Vec<WeightedBatch>>>, Vec<WriteReply>) {
        let mut shared: Vec<HashMap<RelationId, Vec<WeightedBatch>>> = vec![HashMap::new(); tasks];
        for (relation, piece) in self.pieces.into_iter().filter(|(_, piece)| !piece.is_empty()) {
            if keeps_order(relation) || piece.weights.is_some() {
                shared[0].entry(relation).or_default().push(piece);
                continue;
            }
            for (task, share) in shares(piece.rows, tasks, turn).into_iter().enumerate() {
                if let Some(rows) = share {
                    shared[task].entry(relation).or_default().push(WeightedBatch::inserted(rows));
                }
            }
        }
        (shared, self.replies)
    }
}

/// Cuts rows into one share per task; a small piece goes to the task whose turn it is.
pub(crate) fn shares(rows: RecordBatch, tasks: usize, turn: &mut usize) -> Vec<Option<RecordBatch>> {
    let mut shares = vec![None; tasks];
    if tasks == 1 || rows.num_rows() < SHARED_ROWS_MIN {
        *turn = (*turn + 1) % tasks;
        shares[*turn] = Some(rows);
        return shares;
    }
    let size = rows.num_rows().div_ceil(tasks);
    for (task, share) in shares.iter_mut().enumerate() {
        let start = (task * size).min(rows.num_rows());
        let length = size.min(rows.num_rows() - start);
        *share = Some(rows.slice(start, length));
    }
    shares
}
