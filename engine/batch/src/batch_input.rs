//! `BatchInput`: what has come in for the next batch, and how it is shared out among the tasks.

use std::collections::HashMap;
use std::time::Instant;

use arrow::array::RecordBatch;
use monsoon_circuit::{RelationId, WeightedBatch};
use monsoon_connectors::Position;

use crate::Error;
use crate::api::{Change, Written};
use crate::request::Reply;

/// Below this many rows a piece isn't worth cutting.
const SHARED_ROWS_MIN: usize = 4096;

/// Rows and acknowledgements of the next batch.
#[derive(Default)]
pub(crate) struct BatchInput {
    rows: usize,
    pieces: Vec<(RelationId, WeightedBatch)>,
    sources: Vec<(RelationId, u64, Position)>,
    replies: Vec<Reply<Written>>,
    arrived: Option<Instant>,
}

impl BatchInput {
    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
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
    pub fn add_write(&mut self, changes: Vec<Change>, reply: Reply<Written>) {
        self.arrived.get_or_insert_with(Instant::now);
        for change in changes {
            for batch in change.batches {
                self.rows += batch.len();
                self.pieces.push((change.relation, batch));
            }
        }
        self.replies.push(reply);
    }

    /// Adds what a source has read.
    pub fn add_source(&mut self, relation: RelationId, rows: RecordBatch, next: Position, read_at: Instant) {
        let arrived = self.arrived.get_or_insert(read_at);
        *arrived = read_at.min(*arrived);
        self.rows += rows.num_rows();
        self.sources.push((relation, rows.num_rows() as u64, next));
        self.pieces.push((relation, WeightedBatch::inserted(rows)));
    }

    /// Source progress of this batch: relation, rows, next position.
    pub fn take_sources(&mut self) -> Vec<(RelationId, u64, Position)> {
        std::mem::take(&mut self.sources)
    }

    /// Answers every write with an error.
    pub fn refuse(self, error: &Error) {
        self.replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone()))));
    }

    /// Each task's share. Rows of relations that keep their order all go to task 0; others are cut evenly.
    pub fn share_out(
        self,
        tasks: usize,
        turn: &mut usize,
        keeps_order: impl Fn(RelationId) -> bool,
    ) -> (Vec<HashMap<RelationId, Vec<WeightedBatch>>>, Vec<Reply<Written>>) {
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
