//! Windows over tuples, the pure part: which items belong together, and when they are handed over.
//!
//! No threads, no clock and no files: a caller brings the items, the time and, for content larger than memory, the
//! [`Pages`]. [`WindowManager`] does Storm's eight forms, [`SessionManager`] sessions, [`WatermarkGenerator`] says how far
//! event time has come.
//!
//! Invariants:
//! - A window with a duration covers `(end - length, end]`; one with a count covers the last `length` items.
//! - Windows are made of items ordered by timestamp, and of equal ones by arrival. In processing time, forms that count
//!   keep arrival order.
//! - A window without items never fires.
//! - Every item that was accepted leaves exactly once through `take_expired`.

mod delivered;
mod expiry;
mod firing;
mod manager;
mod page;
mod queue;
mod session;
mod snapshot;
mod spec;
mod watermark;

#[cfg(test)]
mod tests;

pub use manager::{COMPACTION_ADDS, REPEATS_MAX, WindowManager};
pub use queue::{PAGE_ITEMS, Pages, WindowQueue};
pub use session::SessionManager;
pub use snapshot::{SessionSnapshot, SessionState, WindowSnapshot};
pub use spec::{EventTime, Length, SessionSpec, Slide, WindowSpec, WindowTime};
pub use watermark::WatermarkGenerator;

/// A window handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiredWindow<T> {
    /// All its items, in order.
    pub items: Vec<T>,
    /// Those of `items` that no earlier window held.
    pub new: Vec<T>,
    /// Items that left since the window end looked at before, fired or not. Empty in sessions and when a window fires again.
    pub expired: Vec<T>,
    /// Where it begins: `end - length`, exclusive, of a duration; the first item's timestamp of a session; `None` of a count.
    pub start: Option<i64>,
    /// Where it ends, in ms: of a duration slide the multiple of the slide, inclusive; of a count slide the timestamp of
    /// the item that completed it; of a session the last item's timestamp plus the gap.
    pub end: i64,
}
