//! `Content`: the windows of one key, of either form.

use super::item::Item;
use super::window::Shape;
use crate::Result;
use crate::window::{FiredWindow, SessionManager, WindowManager, WindowQueue, WindowTime};

/// The windows of one key.
pub(super) enum Content {
    Windows(Box<WindowManager<Item>>),
    Sessions(Box<SessionManager<Item>>),
}

/// What has become of an item.
pub(super) enum Added {
    /// It is held, under this timestamp.
    At(i64),
    /// It came too late.
    Late,
}

impl Content {
    /// Without items, over an empty queue.
    pub fn new(shape: Shape, time: WindowTime, queue: WindowQueue<Item>) -> Result<Content> {
        Ok(match shape {
            Shape::Windows(spec) => Content::Windows(Box::new(WindowManager::with_queue(spec, time, queue)?)),
            Shape::Sessions(spec) => Content::Sessions(Box::new(SessionManager::with_queue(spec, time, queue))),
        })
    }

    /// Adds an item; `ts` is its own timestamp in event time, and otherwise now.
    pub fn add(&mut self, item: Item, ts: i64, time: WindowTime, fired: &mut Vec<FiredWindow<Item>>) -> Result<Added> {
        let late = match self {
            Content::Windows(windows) => windows.add(item, ts, fired)?,
            Content::Sessions(sessions) => sessions.add(item, ts, fired)?,
        };
        if late.is_some() {
            return Ok(Added::Late);
        }
        // In processing time an item gets the last timestamp there is, which needn't be the one given: clocks step back.
        let held_at = match (self, time) {
            (_, WindowTime::Event(_)) => None,
            (Content::Windows(windows), _) => windows.queue().ts_at(windows.queue().end().saturating_sub(1))?,
            (Content::Sessions(sessions), _) => sessions.watermark(),
        };
        Ok(Added::At(held_at.unwrap_or(ts)))
    }

    /// Event time has come to `ts`.
    pub fn on_watermark(&mut self, ts: i64, fired: &mut Vec<FiredWindow<Item>>) -> Result<()> {
        match self {
            Content::Windows(windows) => windows.on_watermark(ts, fired),
            Content::Sessions(sessions) => sessions.on_watermark(ts, fired),
        }
    }

    /// It is `now_ms`.
    pub fn on_time(&mut self, now_ms: i64, fired: &mut Vec<FiredWindow<Item>>) -> Result<()> {
        match self {
            Content::Windows(windows) => windows.on_time(now_ms, fired),
            Content::Sessions(sessions) => sessions.on_time(now_ms, fired),
        }
    }

    /// When [`Content::on_time`] must be called, if at all.
    pub fn next_fire(&self) -> Option<i64> {
        match self {
            Content::Windows(windows) => windows.next_fire(),
            Content::Sessions(sessions) => sessions.next_fire(),
        }
    }

    /// The items that left since the last call.
    pub fn take_expired(&mut self) -> Vec<Item> {
        match self {
            Content::Windows(windows) => windows.take_expired(),
            Content::Sessions(sessions) => sessions.take_expired(),
        }
    }

    /// How many items are in memory, of those that windows may still hold.
    pub fn items_in_memory(&self) -> usize {
        match self {
            Content::Windows(windows) => windows.queue().items_in_memory(),
            Content::Sessions(sessions) => sessions.queue().items_in_memory(),
        }
    }

    /// Sends all items to their pages.
    pub fn release(&mut self) -> Result<()> {
        match self {
            Content::Windows(windows) => windows.release(),
            Content::Sessions(sessions) => sessions.release(),
        }
    }

    /// Whether a new one that is told the time would fire the same windows. Where tuples are counted none is.
    pub fn is_replaceable(&self, shape: Shape) -> bool {
        match (self, shape) {
            (Content::Windows(windows), Shape::Windows(spec)) => windows.is_empty() && spec.is_by_duration(),
            (Content::Sessions(sessions), _) => sessions.is_empty(),
            _ => false,
        }
    }
}
