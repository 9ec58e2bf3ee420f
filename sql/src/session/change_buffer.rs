//! `ChangeBuffer`: the changes of a transaction, which wait for COMMIT.

use monsoon_batch::Change;

use super::commit_budget::{change_bytes, too_large};
use crate::error::Result;

/// Changes in the order they were made, within what one commit may take.
pub(super) struct ChangeBuffer {
    changes: Vec<Change>,
    bytes: usize,
    bytes_max: usize,
}

impl ChangeBuffer {
    pub(super) fn new(bytes_max: usize) -> ChangeBuffer {
        ChangeBuffer { changes: Vec::new(), bytes: 0, bytes_max }
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a change; 53200 where there is no room for it.
    pub(super) fn push(&mut self, change: Change) -> Result<()> {
        let bytes = self.bytes + change_bytes(&change);
        if bytes > self.bytes_max {
            return Err(too_large("the transaction", self.bytes_max));
        }
        self.bytes = bytes;
        self.changes.push(change);
        Ok(())
    }

    /// Goes back to the first `length` changes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.changes.truncate(length);
        self.bytes = self.changes.iter().map(change_bytes).sum();
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> Vec<Change> {
        self.bytes = 0;
        std::mem::take(&mut self.changes)
    }
}
