//! `WindowManager`: the eight forms of windows over one queue.
//!
//! The queue is ordered by timestamp, so a window is a range of it. Three positions divide it:
//!
//! ```text
//! queue.first()      start             fresh                queue.end()
//!   | kept for late    | may be in the    | in no window yet    |
//!   | items only       | next window      |                     |
//! ```
//!
//! Invariants:
//! - `queue.first() <= start <= fresh <= queue.end()`; without allowed lateness `start` is `queue.first()`.
//! - With a duration slide every multiple of it up to `last_end` has been looked at, and items up to it are before `fresh`.
//! - An item enters behind `fresh`, or is within the allowed lateness.

use super::{FiredWindow, Length, Slide, WindowQueue, WindowSpec, WindowTime};
use crate::{Error, Result};

/// In processing time, items that no later window can hold leave at latest after so many additions.
pub const COMPACTION_ADDS: u32 = 100;

/// How often a count-length window with a duration slide is repeated within one call while nothing new comes; the ends
/// after that are jumped up to the next item. Without this a gap of years in event time would fire for years.
pub const REPEATS_MAX: u32 = 100;

/// Windows over items of type `T`.
///
/// Event time: an item is late when it is older than the watermark minus the allowed lateness. A window with a duration
/// slide fires when the watermark is greater than its end, because an item at the watermark itself is still accepted; a
/// window with a count slide fires when its last item is at most the watermark.
///
/// Allowed lateness (only for a duration length with a duration slide): an item older than the watermark is put in its
/// place, and each window that holds it and whose end the watermark has passed fires at once, again or for the first time,
/// with that item alone as `new` and nothing `expired`. Items stay until no accepted item can share a window with them.
///
/// Processing time: [`WindowManager::add`] and [`WindowManager::on_time`] bring the time. Windows with a duration slide end at
/// multiples of the slide, and fire when the time is greater than the end. When the clock steps back, an item counts as
/// arriving just after the last end, so that none is lost.
pub struct WindowManager<T> {
    pub(super) spec: WindowSpec,
    pub(super) time: WindowTime,
    pub(super) queue: WindowQueue<T>,
    pub(super) start: u64,
    pub(super) fresh: u64,
    /// The watermark, or in processing time the latest time heard of.
    pub(super) watermark: i64,
    pub(super) last_end: i64,
    /// The multiple of the slide to look at next; `None` when nothing can be in a window.
    pub(super) next_end: Option<i64>,
    /// With a count slide: the position behind the item that completes the next window.
    pub(super) next_trigger: u64,
    pub(super) adds: u32,
    pub(super) keeps_expired: bool,
    /// For the next window's `expired`.
    pub(super) pending_expired: Vec<T>,
    /// For `take_expired`.
    pub(super) left: Vec<T>,
}

impl<T: Clone> WindowManager<T> {
    /// Without items, in memory. [`Error::InvalidTopology`] when lateness is allowed for a form that counts items: a late
    /// item would change every window after it.
    pub fn new(spec: WindowSpec, time: WindowTime) -> Result<WindowManager<T>> {
        WindowManager::with_queue(spec, time, WindowQueue::in_memory())
    }

    /// As [`WindowManager::new`] over an empty queue, which may be paged.
    pub fn with_queue(spec: WindowSpec, time: WindowTime, queue: WindowQueue<T>) -> Result<WindowManager<T>> {
        if !spec.is_by_duration() && matches!(time, WindowTime::Event(event) if event.lateness_ms() > 0) {
            return Err(Error::invalid("allowed lateness needs a window whose length and slide are durations"));
        }
        let next_trigger = match spec.slide() {
            Slide::Count(count) => count,
            Slide::Duration(_) => u64::MAX,
        };
        Ok(WindowManager {
            spec,
            time,
            queue,
            start: 0,
            fresh: 0,
            watermark: i64::MIN,
            last_end: i64::MIN,
            next_end: None,
            next_trigger,
            adds: 0,
            keeps_expired: true,
            pending_expired: Vec::new(),
            left: Vec::new(),
        })
    }

    /// Leaves `expired` of fired windows empty, for callers that don't read it: nothing that left is then held for it.
    pub fn without_expired(mut self) -> WindowManager<T> {
        self.keeps_expired = false;
        self
    }

    /// Whether an item with this timestamp comes too late to be added. Never in processing time.
    pub fn is_late(&self, ts: i64) -> bool {
        match self.time {
            WindowTime::Processing => false,
            WindowTime::Event(event) => ts < self.watermark.saturating_sub(event.lateness_ms()),
        }
    }

    /// Adds an item; in processing time `ts` is now, and windows that are due before it fire first. Gives a late item back.
    pub fn add(&mut self, item: T, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<Option<T>> {
        if self.is_late(ts) {
            return Ok(Some(item));
        }
        match self.time {
            WindowTime::Processing => self.add_now(item, ts, fired)?,
            WindowTime::Event(_) if ts <= self.last_end => self.add_behind(item, ts, fired)?,
            WindowTime::Event(_) => self.enqueue(item, ts)?,
        }
        Ok(None)
    }

    /// Event time has come to `ts`: fires what is complete. Without effect in processing time or when `ts` is behind.
    pub fn on_watermark(&mut self, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        match self.time {
            WindowTime::Event(_) => self.advance(ts, fired),
            WindowTime::Processing => Ok(()),
        }
    }

    /// It is `now_ms`: fires what is due. Without effect in event time.
    pub fn on_time(&mut self, now_ms: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        match self.time {
            WindowTime::Processing => self.advance(now_ms, fired),
            WindowTime::Event(_) => Ok(()),
        }
    }

    /// When [`WindowManager::on_time`] must be called next, if at all.
    pub fn next_fire(&self) -> Option<i64> {
        match self.time {
            WindowTime::Processing => self.next_end.map(|end| end.saturating_add(1)),
            WindowTime::Event(_) => None,
        }
    }

    /// The items that left for good since the last call, each exactly once over all calls. One call can fire a window and the
    /// window after it that expires its items: handle what fired before these are acknowledged.
    pub fn take_expired(&mut self) -> Vec<T> {
        std::mem::take(&mut self.left)
    }

    /// The watermark, or in processing time the latest time heard of.
    pub fn watermark(&self) -> Option<i64> {
        (self.watermark > i64::MIN).then_some(self.watermark)
    }

    /// How many items are held.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no item is held.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The queue behind the windows.
    pub fn queue(&self) -> &WindowQueue<T> {
        &self.queue
    }

    /// Sends all items to their pages; without pages it has no effect.
    pub fn release(&mut self) -> Result<()> {
        self.queue.release()
    }

    /// [`WindowManager::add`] in processing time.
    fn add_now(&mut self, item: T, now_ms: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        self.advance(now_ms, fired)?;
        let ts = if self.spec.is_by_duration() { now_ms.max(self.last_end.saturating_add(1)) } else { self.watermark };
        self.enqueue(item, ts)?;
        self.run_triggers(self.queue.end(), fired)?;
        self.adds += 1;
        if self.adds >= COMPACTION_ADDS { self.compact() } else { Ok(()) }
    }

    /// Adds an item that no window end looked at so far covers.
    fn enqueue(&mut self, item: T, ts: i64) -> Result<()> {
        if let Slide::Duration(slide_ms) = self.spec.slide()
            && self.next_end.is_none_or(|end| ts <= end.saturating_sub(slide_ms))
        {
            let end = align_up(ts, slide_ms).max(self.last_end.saturating_add(slide_ms));
            self.next_end = Some(self.next_end.map_or(end, |next| next.min(end)));
        }
        self.queue.insert(item, ts)
    }

    /// How far behind the watermark an item may be.
    pub(super) fn lateness_ms(&self) -> i64 {
        match self.time {
            WindowTime::Processing => 0,
            WindowTime::Event(event) => event.lateness_ms(),
        }
    }

    /// The position of the first item of a window that ends at `end` behind the item before position `behind`.
    pub(super) fn window_start(&self, end: i64, behind: u64) -> Result<u64> {
        let start = match self.spec.length() {
            Length::Count(count) => behind.saturating_sub(count),
            Length::Duration(length_ms) => self.queue.position_after(end.saturating_sub(length_ms))?,
        };
        Ok(start.max(self.start))
    }
}

/// The least multiple of `step` that is at least `ts`; at the end of time the greatest number there is.
pub(super) fn align_up(ts: i64, step: i64) -> i64 {
    match ts.rem_euclid(step) {
        0 => ts,
        rest => ts.saturating_add(step - rest),
    }
}

/// The greatest multiple of `step` that is at most `ts`; at the beginning of time the least number there is.
pub(super) fn align_down(ts: i64, step: i64) -> i64 {
    ts.saturating_sub(ts.rem_euclid(step))
}
