//! `Source`: a replayable, positioned input.
//!
//! Invariant that exactly-once rests on: after `seek(p)`, reading yields the same rows in the same order as it did the
//! first time from `p`, however the reads are cut. A position is committed together with what its rows did.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::Result;

/// How far a source has been read. Opaque to the engine; each source documents its own content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position(pub serde_json::Value);

/// A record that could not be decoded: it goes to the stream's dead letters, and the source goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Where: file and line, or offset.
    pub place: String,
    /// Why, in words for the user.
    pub reason: String,
    /// The record, cut to 1 KiB.
    pub raw: String,
}

/// What one call of [`Source::read`] found.
#[derive(Debug)]
pub enum Read {
    /// Some records; `next` is the position after them. `rows` may be empty when all of them were bad.
    Rows {
        /// The decoded rows, with the source's schema.
        rows: RecordBatch,
        /// Where to seek to go on after them.
        next: Position,
        /// Records that could not be decoded.
        bad: Vec<BadRecord>,
    },
    /// Nothing now; ask again after this long.
    Idle(Duration),
    /// Nothing ever again (a bounded source is done).
    End,
}

/// A replayable, positioned input with one partition.
pub trait Source: Send {
    /// The schema of every batch.
    fn schema(&self) -> SchemaRef;

    /// The position of the next record to be read.
    fn position(&self) -> Position;

    /// Continues from a position this source returned earlier, perhaps in another process.
    fn seek(&mut self, position: &Position) -> Result<()>;

    /// From now on the rows up to `until`, a position this source returned earlier, are read again, from the first one: a
    /// generator gives them at once, not at its rate, and with the times they had.
    fn replay(&mut self, until: &Position) -> Result<()> {
        let _ = until;
        Ok(())
    }

    /// Reads at most `rows_max` rows. Never sleeps: a source that has to wait returns [`Read::Idle`].
    fn read(&mut self, rows_max: usize) -> Result<Read>;
}
