//! Locks of a table's content.
//!
//! What only adds rows shares a table, and only while it writes: an INSERT, a COMMIT, the end of a COPY. What writes back rows
//! that it has read (UPDATE, DELETE, TRUNCATE, ON CONFLICT DO NOTHING, an INSERT into a table with a key whose query reads
//! that table) has the table alone, from before it reads until it has written: for a statement or, since a transaction writes
//! at COMMIT, until the transaction's end. So rows that wait in an open transaction or COPY keep nobody from writing; changed
//! rows that wait keep others from writing to their table, as in Postgres they keep them from writing those rows.
//! `idle-in-transaction-timeout` bounds that.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use monsoon_batch::Change;
use monsoon_circuit::RelationId;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::Session;
use crate::catalog::Relation;
use crate::database::Database;
use crate::error::{Result, SqlError};

/// Two transactions may wait for each other; one of them gives up.
const WAIT_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// A table shared with others who add rows.
pub(super) type SharedLock = OwnedRwLockReadGuard<()>;
/// A table held alone.
pub(super) type AloneLock = OwnedRwLockWriteGuard<()>;

/// Shares tables. The order is that of their numbers, so that two who share several don't wait for each other.
pub(super) async fn share(database: &Database, tables: BTreeSet<RelationId>) -> Vec<SharedLock> {
    let mut held = Vec::with_capacity(tables.len());
    for table in tables {
        held.push(database.table_lock(table).read_owned().await);
    }
    held
}

impl Session {
    /// Has tables alone: for a statement, which keeps what is returned until it has written, or until the end of the
    /// transaction.
    pub(super) async fn lock_alone(&mut self, relations: &[&Relation]) -> Result<Vec<AloneLock>> {
        let tables: BTreeSet<RelationId> = relations.iter().map(|relation| relation.id).collect();
        let mut held = Vec::with_capacity(tables.len());
        for table in tables {
            let lock = self.database.table_lock(table).write_owned();
            match &mut self.transaction {
                None => held.push(lock.await),
                Some(transaction) if transaction.locks.contains_key(&table) => {}
                Some(transaction) => {
                    let lock = tokio::time::timeout(WAIT_IN_TRANSACTION, lock).await.map_err(|_| waited_in_vain())?;
                    transaction.locks.insert(table, lock);
                }
            }
        }
        Ok(held)
    }

    /// Shares the tables that a transaction's changes are for, but not those that it has alone. A transaction that only adds
    /// rows waits as an INSERT does: every circle of waits has one in it that holds a table alone, and that one gives up.
    pub(super) async fn share_at_commit(
        &mut self,
        changes: &[Change],
        alone: &HashMap<RelationId, AloneLock>,
    ) -> Result<Vec<SharedLock>> {
        let tables = changes.iter().map(|change| change.relation).filter(|table| !alone.contains_key(table)).collect();
        let shared = share(&self.database, tables);
        if alone.is_empty() {
            return Ok(shared.await);
        }
        tokio::time::timeout(WAIT_IN_TRANSACTION, shared).await.map_err(|_| waited_in_vain())
    }
}

fn waited_in_vain() -> SqlError {
    SqlError::new("40P01", "deadlock or long wait: another transaction has changed rows of the same table")
        .with_hint("roll back and try again")
}
