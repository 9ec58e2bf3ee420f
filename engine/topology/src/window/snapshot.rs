//! What is kept of windows, as plain data.

use serde::{Deserialize, Serialize};

use super::{WindowManager, WindowQueue, WindowSpec, WindowTime};
use crate::Result;

/// Everything a [`WindowManager`] knows besides its specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSnapshot<T> {
    /// The items held, in order, each after its timestamp.
    pub entries: Vec<(i64, T)>,
    /// The position of the first of them.
    pub first: u64,
    /// The position of the first that the next window may hold.
    pub start: u64,
    /// The position of the first that no window has held.
    pub fresh: u64,
    /// The watermark, or the latest time; the least number when there is none.
    pub watermark: i64,
    /// The last window end looked at; the least number when there is none.
    pub last_end: i64,
    /// The next window end to look at.
    pub next_end: Option<i64>,
    /// The position behind the item that completes the next window of a count slide.
    pub next_trigger: u64,
    /// Items for the next window's `expired`.
    pub pending_expired: Vec<T>,
    /// Items for `take_expired`.
    pub left: Vec<T>,
}

/// Everything a [`SessionManager`](super::SessionManager) knows besides its specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSnapshot<T> {
    /// The sessions held, in order.
    pub sessions: Vec<SessionState<T>>,
    /// The watermark, or the latest time; the least number when there is none.
    pub watermark: i64,
    /// Items for `take_expired`.
    pub left: Vec<T>,
}

/// One session: its items by timestamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState<T> {
    /// The items, each after its timestamp; the flag says whether a fired window has held it.
    pub entries: Vec<(i64, T, bool)>,
}

impl<T: Clone> WindowManager<T> {
    /// A copy of the state. Reads every page.
    pub fn snapshot(&self) -> Result<WindowSnapshot<T>> {
        let mut entries = Vec::with_capacity(self.queue.len());
        self.queue.visit(self.queue.first()..self.queue.end(), |ts, item| entries.push((ts, item.clone())))?;
        Ok(WindowSnapshot { entries, ..self.outline() })
    }

    /// The snapshot without its entries, for a caller that keeps the items itself. Reads no page.
    pub fn outline(&self) -> WindowSnapshot<T> {
        WindowSnapshot {
            entries: Vec::new(),
            first: self.queue.first(),
            start: self.start,
            fresh: self.fresh,
            watermark: self.watermark,
            last_end: self.last_end,
            next_end: self.next_end,
            next_trigger: self.next_trigger,
            pending_expired: self.pending_expired.clone(),
            left: self.left.clone(),
        }
    }

    /// A manager that goes on where the snapshot was taken, over an empty queue. The specification must be the one the snapshot
    /// was taken with. Errors as [`WindowManager::with_queue`].
    pub fn restore(
        spec: WindowSpec,
        time: WindowTime,
        queue: WindowQueue<T>,
        snapshot: WindowSnapshot<T>,
    ) -> Result<WindowManager<T>> {
        let mut manager = WindowManager::with_queue(spec, time, queue)?;
        manager.queue.refill(snapshot.first, snapshot.entries)?;
        manager.start = snapshot.start.clamp(manager.queue.first(), manager.queue.end());
        manager.fresh = snapshot.fresh.clamp(manager.start, manager.queue.end());
        manager.watermark = snapshot.watermark;
        manager.last_end = snapshot.last_end;
        manager.next_end = snapshot.next_end;
        manager.next_trigger = snapshot.next_trigger.max(1);
        manager.pending_expired = snapshot.pending_expired;
        manager.left = snapshot.left;
        Ok(manager)
    }
}
