//! Transactions: changes are gathered, and written as one txid at COMMIT.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use monsoon_batch::Change;
use monsoon_circuit::{RelationId, WeightedBatch};
use parking_lot::Mutex;

use super::change_buffer::ChangeBuffer;
use super::commit_budget::commit_bytes_max;
use super::lock::{AloneLock, share};
use super::setting::SettingChanges;
use super::text_rows::complete;
use super::{Facts, Session};
use crate::database::engine_error;
use crate::error::{Result, SqlError};
use crate::response::Response;

/// Changes that wait for COMMIT. Shared with a COPY that adds to them.
pub(super) type Buffer = Arc<Mutex<ChangeBuffer>>;

/// An open transaction block.
pub(super) struct Transaction {
    changes: Buffer,
    /// Names, and how many changes there were.
    savepoints: Vec<(String, usize)>,
    /// Locks of tables whose rows were read to be changed, until the end.
    pub(super) locks: HashMap<RelationId, AloneLock>,
    /// What goes without `SettingChanges::keep` is undone: a ROLLBACK's, and that of a COMMIT that fails or is cancelled.
    settings: SettingChanges,
    has_failed: bool,
}

impl Transaction {
    fn new(bytes_max: usize, facts: Arc<Facts>) -> Transaction {
        Transaction {
            changes: Arc::new(Mutex::new(ChangeBuffer::new(bytes_max))),
            savepoints: Vec::new(),
            locks: HashMap::new(),
            settings: SettingChanges::new(facts),
            has_failed: false,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Nothing of it can be committed any more, and nobody waits for it, unless it can go back to a savepoint.
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
        if self.savepoints.is_empty() {
            self.changes.lock().truncate(0);
            self.locks.clear();
        }
    }

    pub(super) fn buffer(&self) -> &Buffer {
        &self.changes
    }

    pub(super) fn note_setting(&mut self, name: &str, before: Option<String>, local: bool) {
        self.settings.note(name, before, local);
    }

    fn savepoint(&self, name: &str) -> Result<usize> {
        let place = self.savepoints.iter().rposition(|(known, _)| known == name);
        place.ok_or_else(|| SqlError::new("3B001", format!("savepoint \"{name}\" does not exist")))
    }
}

impl Session {
    pub(super) fn begin(&mut self, read_only: Option<bool>) -> Result<Response> {
        if self.transaction.is_some() {
            self.notice("WARNING", "25001", "there is already a transaction in progress");
            self.set_transaction(read_only)?;
        } else {
            let bytes_max = commit_bytes_max(&self.database.config);
            self.transaction = Some(Transaction::new(bytes_max, Arc::clone(&self.facts)));
            self.set_read_only(read_only)?;
        }
        complete("BEGIN")
    }

    pub(super) async fn commit(&mut self) -> Result<Response> {
        let Some(transaction) = self.transaction.take() else {
            self.notice("WARNING", "25P01", "there is no transaction in progress");
            return complete("COMMIT");
        };
        self.cursors.retain(|_, cursor| cursor.is_held());
        if transaction.has_failed {
            return complete("ROLLBACK");
        }
        let changes = transaction.changes.lock().take();
        self.write_transaction(changes, &transaction.locks).await?;
        transaction.settings.keep();
        complete("COMMIT")
    }

    async fn write_transaction(&mut self, changes: Vec<Change>, locks: &HashMap<RelationId, AloneLock>) -> Result<()> {
        let shared = self.share_at_commit(&changes, locks).await?;
        self.write_now(changes).await?;
        drop(shared);
        Ok(())
    }

    pub(super) fn rollback(&mut self) -> Result<Response> {
        match self.transaction.take() {
            Some(transaction) => {
                self.cursors.retain(|_, cursor| cursor.is_held());
                drop(transaction);
            }
            None => self.notice("WARNING", "25P01", "there is no transaction in progress"),
        }
        complete("ROLLBACK")
    }

    pub(super) fn savepoint(&mut self, name: &str) -> Result<Response> {
        let transaction = self.open_transaction("SAVEPOINT")?;
        let changes = transaction.changes.lock().changes().len();
        transaction.savepoints.push((name.to_owned(), changes));
        complete("SAVEPOINT")
    }

    pub(super) fn release(&mut self, name: &str) -> Result<Response> {
        let transaction = self.open_transaction("RELEASE SAVEPOINT")?;
        let place = transaction.savepoint(name)?;
        transaction.savepoints.truncate(place);
        complete("RELEASE")
    }

    pub(super) fn rollback_to(&mut self, name: &str) -> Result<Response> {
        let transaction = self.open_transaction("ROLLBACK TO SAVEPOINT")?;
        let place = transaction.savepoint(name)?;
        let changes = transaction.savepoints[place].1;
        transaction.savepoints.truncate(place + 1);
        transaction.changes.lock().truncate(changes);
        transaction.has_failed = false;
        complete("ROLLBACK")
    }

    fn open_transaction(&mut self, word: &str) -> Result<&mut Transaction> {
        self.transaction
            .as_mut()
            .ok_or_else(|| SqlError::new("25P01", format!("{word} can only be used in transaction blocks")))
    }

    /// Adds rows to a relation now, or keeps them for COMMIT.
    pub(super) async fn add_rows(&mut self, change: Change) -> Result<()> {
        let Some(changes) = self.not_kept(vec![change])? else { return Ok(()) };
        let tables: BTreeSet<RelationId> = changes.iter().map(|change| change.relation).collect();
        let shared = share(&self.database, tables).await;
        self.write_now(changes).await?;
        drop(shared);
        Ok(())
    }

    /// Writes to tables that the statement has alone, now or at COMMIT.
    pub(super) async fn write_back(&mut self, changes: Vec<Change>, held: Vec<AloneLock>) -> Result<()> {
        if let Some(changes) = self.not_kept(changes)? {
            self.write_now(changes).await?;
        }
        drop(held);
        Ok(())
    }

    /// The changes, unless a transaction has taken them.
    fn not_kept(&self, changes: Vec<Change>) -> Result<Option<Vec<Change>>> {
        let Some(transaction) = &self.transaction else { return Ok(Some(changes)) };
        let mut buffer = transaction.changes.lock();
        changes.into_iter().filter(has_rows).try_for_each(|change| buffer.push(change))?;
        Ok(None)
    }

    async fn write_now(&mut self, mut changes: Vec<Change>) -> Result<()> {
        changes.retain(has_rows);
        if !changes.is_empty() {
            let written = self.database.engine.write(changes).await.map_err(engine_error)?;
            self.notices.warn_of_late_rows(&written);
        }
        Ok(())
    }
}

fn has_rows(change: &Change) -> bool {
    !change.batches.iter().all(WeightedBatch::is_empty)
}
