//! Folding in the background: small chunks of a table become larger ones, so that restarts stay fast.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use monsoon_circuit::RelationId;
use monsoon_state::{Commit, StateStore, TableId, Write, fold_table};
use parking_lot::Mutex;

use crate::command::relation_of;
use crate::log_guard::LogGuard;
use crate::merge::{Merge, merge};

/// A table is looked at after so many new chunks.
const CHUNKS_BETWEEN_FOLDS: u32 = 16;

/// How the chunks of each table add up; tables that aren't listed are left alone.
pub(crate) type MergeKinds = Arc<Mutex<HashMap<TableId, Merge>>>;

/// The committer's side: notes what commits append.
pub(crate) struct Folder {
    appended: HashMap<TableId, u32>,
    due: Sender<TableId>,
}

impl Folder {
    /// Starts the thread that folds; it ends when the folder is dropped.
    pub fn start(
        store: Arc<dyn StateStore>,
        kinds: MergeKinds,
        guard: Arc<LogGuard>,
    ) -> std::io::Result<(Folder, JoinHandle<()>)> {
        let (due, tables) = unbounded();
        let fold = move || fold_all(&tables, store.as_ref(), &kinds, &guard);
        let thread = std::thread::Builder::new().name("monsoon-fold".into()).spawn(fold)?;
        Ok((Folder { appended: HashMap::new(), due }, thread))
    }

    /// Counts the chunks of a commit.
    pub fn note(&mut self, commit: &Commit) {
        for write in &commit.writes {
            if let Write::Append { table, .. } = write {
                let appended = self.appended.entry(*table).or_default();
                *appended += 1;
                if *appended >= CHUNKS_BETWEEN_FOLDS {
                    *appended = 0;
                    // Without the thread chunks stay as they are, which is only slower.
                    let _ = self.due.send(*table);
                }
            }
        }
    }
}

fn fold_all(tables: &Receiver<TableId>, store: &dyn StateStore, kinds: &MergeKinds, guard: &LogGuard) {
    while let Ok(table) = tables.recv() {
        let kind = kinds.lock().get(&table).copied();
        let Some(kind) = kind else { continue };
        loop {
            let turn = guard.begin_fold(table, store.last_txid());
            let first = store.chunk_sizes(table).ok().and_then(|sizes| sizes.first().map(|(id, ..)| *id));
            let outcome = fold_table(store, table, turn.txids.clone(), &|chunks| {
                let oldest = chunks.first().map(|chunk| chunk.id) == first;
                merge(kind, chunks, oldest).map_err(|error| monsoon_state::Error::Corrupt(error.to_string()))
            });
            match outcome {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!("folding state of relation {} failed: {error}", relation_of(table));
                    break;
                }
            }
        }
    }
}

/// Forgets the tables of relations that are gone.
pub(crate) fn forget(kinds: &MergeKinds, relations: &[RelationId]) {
    kinds.lock().retain(|table, _| !relations.contains(&relation_of(*table)));
}
