//! `LogGuard`: keeps the folder away from chunks of stream logs that somebody reads.
//!
//! A folded chunk bears the txid of its newest part, so a reader up to some txid would lose what lies before it in a chunk
//! that was folded meanwhile. Invariant: while a [`LogHold`] lives, its table's chunks up to its txid stay as they are, but
//! for a fold that was under way when it was taken, which [`LogHold::settle`] waits for.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use monsoon_state::{TableId, TxId};
use parking_lot::{Condvar, Mutex};

/// Who reads what, and what is being folded.
#[derive(Default)]
pub(crate) struct LogGuard {
    state: Mutex<State>,
    folded: Condvar,
}

#[derive(Default)]
struct State {
    held: HashMap<TableId, Vec<TxId>>,
    folding: Option<TableId>,
}

/// The right to read a table's chunks up to a txid, one after the other.
pub(crate) struct LogHold {
    guard: Arc<LogGuard>,
    table: TableId,
    until: TxId,
}

/// The right to fold some of a table's chunks.
pub(crate) struct FoldTurn<'a> {
    guard: &'a LogGuard,
    /// Of these txids: later than what somebody reads, and not later than whatever is held from now on.
    pub txids: RangeInclusive<TxId>,
}

impl LogGuard {
    /// Holds a table's chunks up to `until`. Never waits.
    pub fn hold(self: &Arc<LogGuard>, table: TableId, until: TxId) -> LogHold {
        self.state.lock().held.entry(table).or_default().push(until);
        LogHold { guard: Arc::clone(self), table, until }
    }

    /// Begins to fold, when `last` is committed; there is one folder. A hold that is taken meanwhile is at least up to `last`, so a
    /// chunk that the fold makes lies before it as a whole.
    pub fn begin_fold(&self, table: TableId, last: TxId) -> FoldTurn<'_> {
        let mut state = self.state.lock();
        state.folding = Some(table);
        let held = state.held.get(&table).and_then(|held| held.iter().max().copied()).unwrap_or_default();
        FoldTurn { guard: self, txids: held.next()..=last }
    }
}

impl LogHold {
    /// The last txid that is held.
    pub fn until(&self) -> TxId {
        self.until
    }

    /// Returns when no fold that began before the hold is under way.
    pub fn settle(&self) {
        let mut state = self.guard.state.lock();
        while state.folding == Some(self.table) {
            self.guard.folded.wait(&mut state);
        }
    }
}

impl Drop for LogHold {
    fn drop(&mut self) {
        let mut state = self.guard.state.lock();
        if let Some(held) = state.held.get_mut(&self.table) {
            if let Some(place) = held.iter().position(|until| *until == self.until) {
                held.swap_remove(place);
            }
            if held.is_empty() {
                state.held.remove(&self.table);
            }
        }
    }
}

impl Drop for FoldTurn<'_> {
    fn drop(&mut self) {
        self.guard.state.lock().folding = None;
        self.guard.folded.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: TableId = TableId(7);

    #[test]
    fn the_newest_hold_counts_while_it_lives() {
        let guard = Arc::new(LogGuard::default());
        let older = guard.hold(TABLE, TxId(3));
        let newer = guard.hold(TABLE, TxId(5));
        let foldable = |table| guard.begin_fold(table, TxId(9)).txids.clone();
        assert_eq!(foldable(TABLE), TxId(6)..=TxId(9));
        assert_eq!(foldable(TableId(8)), TxId(1)..=TxId(9));
        drop(newer);
        assert_eq!(foldable(TABLE), TxId(4)..=TxId(9));
        drop(older);
        assert_eq!(foldable(TABLE), TxId(1)..=TxId(9));
    }

    #[test]
    fn a_reader_waits_for_the_fold_that_was_before_it() {
        let guard = Arc::new(LogGuard::default());
        let turn = guard.begin_fold(TABLE, TxId(1));
        let hold = guard.hold(TABLE, TxId(1));
        let (settled, wait) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            hold.settle();
            settled.send(()).expect("somebody waits");
        });
        assert!(wait.try_recv().is_err());
        drop(turn);
        wait.recv().expect("settled");
        reader.join().expect("no panic");
    }
}
