//! Locks of a table's content: INSERT shares it; what reads the rows it changes has it alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use super::Session;
use crate::catalog::Relation;
use crate::error::{Result, SqlError};

/// Two transactions may wait for each other; one of them gives up.
const WAIT_IN_TRANSACTION: Duration = Duration::from_secs(10);

/// How a table is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockMode {
    /// With others who add rows.
    Shared,
    /// Alone.
    Alone,
}

/// A held lock.
pub(super) enum ContentLock {
    /// With others.
    Shared { _guard: OwnedRwLockReadGuard<()> },
    /// Alone.
    Alone { _guard: OwnedRwLockWriteGuard<()> },
}

impl Session {
    /// Locks a table: for a statement (the caller keeps what is returned), or until the end of the transaction.
    pub(super) async fn lock(&mut self, relation: &Relation, mode: LockMode) -> Result<Option<ContentLock>> {
        let lock = self.database.table_lock(relation.id);
        let acquire = async move {
            match mode {
                LockMode::Shared => ContentLock::Shared { _guard: Arc::clone(&lock).read_owned().await },
                LockMode::Alone => ContentLock::Alone { _guard: lock.write_owned().await },
            }
        };
        let Some(transaction) = &mut self.transaction else { return Ok(Some(acquire.await)) };
        match transaction.locks.get(&relation.id.0) {
            Some(ContentLock::Alone { .. }) => return Ok(None),
            Some(ContentLock::Shared { .. }) if mode == LockMode::Shared => return Ok(None),
            // What was inserted is in the buffer, not in the table: nothing is lost by letting go.
            _ => drop(transaction.locks.remove(&relation.id.0)),
        }
        let Ok(held) = tokio::time::timeout(WAIT_IN_TRANSACTION, acquire).await else {
            let message = format!("deadlock or long wait: another transaction holds table \"{}\"", relation.name);
            return Err(SqlError::new("40P01", message).with_hint("roll back and try again"));
        };
        transaction.locks.insert(relation.id.0, held);
        Ok(None)
    }
}
