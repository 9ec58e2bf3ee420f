//! `SessionManager`: windows of items that follow one another closely, over one queue.
//!
//! The queue is ordered by timestamp, so a session is a range of it, and sessions that become one are one range: what is in memory of a session
//! besides the queue's own pages is where it begins and ends.
//!
//! Invariants:
//! - Items at most `gap` apart are in one session; sessions are ordered and more than `gap` apart.
//! - The sessions' ranges are the whole queue, without gaps.
//! - A session fires when the watermark, or the time, is greater than its last timestamp plus the gap: up to then an item
//!   could still be accepted that prolongs it.
//! - Sessions that the watermark has passed have fired; with allowed lateness they stay until no accepted item can reach them.

use std::collections::VecDeque;

use super::delivered::Delivered;
use super::{FiredWindow, SessionSnapshot, SessionSpec, SessionState, WindowQueue, WindowTime};
use crate::Result;

/// One session: at least one item.
struct Session {
    /// The position of its first item.
    start: u64,
    len: u64,
    first_ts: i64,
    last_ts: i64,
    delivered: Delivered,
}

/// Session windows over items of type `T`.
///
/// With allowed lateness an item older than the watermark joins its session, or begins one. If the watermark has passed that
/// session it fires at once with all its items, and those that no fired window held as `new`. If the item joins a session that
/// fired to one that is still open, they become one open session, which fires when it is complete.
///
/// A fired session's items leave with it, or, with allowed lateness, when no accepted item can reach it any more.
///
/// After an error, which only a queue's [`super::Pages`] can cause, the content is undefined: go back to a snapshot.
pub struct SessionManager<T> {
    gap_ms: i64,
    time: WindowTime,
    queue: WindowQueue<T>,
    sessions: VecDeque<Session>,
    watermark: i64,
    left: Vec<T>,
}

impl<T: Clone> SessionManager<T> {
    /// Without items, in memory.
    pub fn new(spec: SessionSpec, time: WindowTime) -> SessionManager<T> {
        SessionManager::with_queue(spec, time, WindowQueue::in_memory())
    }

    /// As [`SessionManager::new`] over an empty queue, which may be paged.
    pub fn with_queue(spec: SessionSpec, time: WindowTime, queue: WindowQueue<T>) -> SessionManager<T> {
        let gap_ms = spec.gap_ms();
        SessionManager { gap_ms, time, queue, sessions: VecDeque::new(), watermark: i64::MIN, left: Vec::new() }
    }

    /// Whether an item with this timestamp comes too late to be added. Never in processing time.
    pub fn is_late(&self, ts: i64) -> bool {
        match self.time {
            WindowTime::Processing => false,
            WindowTime::Event(_) => ts < self.horizon(),
        }
    }

    /// Adds an item; in processing time `ts` is now, and sessions that are due before it fire first. Gives a late item back.
    pub fn add(&mut self, item: T, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<Option<T>> {
        if self.is_late(ts) {
            return Ok(Some(item));
        }
        let ts = match self.time {
            WindowTime::Event(_) => ts,
            WindowTime::Processing => {
                self.advance(ts, fired)?;
                self.watermark
            }
        };
        let place = self.join(item, ts)?;
        if self.is_complete(&self.sessions[place]) {
            fired.push(self.fire(place)?);
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

    /// When [`SessionManager::on_time`] must be called next, if at all. Later items put it off.
    pub fn next_fire(&self) -> Option<i64> {
        let first = self.sessions.front().filter(|_| self.time == WindowTime::Processing)?;
        Some(first.end(self.gap_ms).saturating_add(1))
    }

    /// The items that left for good since the last call, each exactly once over all calls. A session's items leave in the call
    /// that fires it: handle what fired before these are acknowledged.
    pub fn take_expired(&mut self) -> Vec<T> {
        std::mem::take(&mut self.left)
    }

    /// The watermark, or in processing time the latest time heard of.
    pub fn watermark(&self) -> Option<i64> {
        (self.watermark > i64::MIN).then_some(self.watermark)
    }

    /// How many sessions are held.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is held.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The queue behind the sessions.
    pub fn queue(&self) -> &WindowQueue<T> {
        &self.queue
    }

    /// Sends all items to their pages; without pages it has no effect.
    pub fn release(&mut self) -> Result<()> {
        self.queue.release()
    }

    /// A copy of the state. Reads every page.
    pub fn snapshot(&self) -> Result<SessionSnapshot<T>> {
        let state = |session: &Session| {
            let (mut entries, mut is_delivered) = (Vec::new(), session.delivered.flags());
            self.queue.visit(session.start..session.start + session.len, |ts, item| {
                entries.push((ts, item.clone(), is_delivered()));
            })?;
            Ok(SessionState { entries })
        };
        let sessions = self.sessions.iter().map(state).collect::<Result<_>>()?;
        Ok(SessionSnapshot { sessions, watermark: self.watermark, left: self.left.clone() })
    }

    /// A manager that goes on where the snapshot was taken, over an empty queue.
    pub fn restore(
        spec: SessionSpec,
        time: WindowTime,
        queue: WindowQueue<T>,
        snapshot: SessionSnapshot<T>,
    ) -> Result<SessionManager<T>> {
        let mut manager = SessionManager::with_queue(spec, time, queue);
        for SessionState { entries } in snapshot.sessions {
            let (Some((first_ts, ..)), Some((last_ts, ..))) = (entries.first(), entries.last()) else { continue };
            let (first_ts, last_ts) = (*first_ts, *last_ts);
            let delivered = Delivered::of(entries.iter().map(|(.., delivered)| *delivered));
            let (start, len) = (manager.queue.end(), entries.len() as u64);
            manager.sessions.push_back(Session { start, len, first_ts, last_ts, delivered });
            entries.into_iter().try_for_each(|(ts, item, _)| manager.queue.insert(item, ts))?;
        }
        manager.watermark = snapshot.watermark;
        manager.left = snapshot.left;
        Ok(manager)
    }

    /// The least timestamp that is still accepted.
    fn horizon(&self) -> i64 {
        match self.time {
            WindowTime::Processing => self.watermark,
            WindowTime::Event(event) => self.watermark.saturating_sub(event.lateness_ms()),
        }
    }

    /// Whether the watermark has passed a session.
    fn is_complete(&self, session: &Session) -> bool {
        session.end(self.gap_ms) < self.watermark
    }

    /// The watermark or the time has come to `ts`.
    fn advance(&mut self, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        if ts <= self.watermark {
            return Ok(());
        }
        let from = self.sessions.partition_point(|session| self.is_complete(session));
        self.watermark = ts;
        let to = self.sessions.partition_point(|session| self.is_complete(session));
        for place in from..to {
            fired.push(self.fire(place)?);
        }
        let (horizon, gap_ms) = (self.horizon(), self.gap_ms);
        let unreachable = self.sessions.partition_point(|session| session.end(gap_ms) < horizon);
        let items = self.sessions.drain(..unreachable).map(|session| session.len).sum();
        let left = &mut self.left;
        self.queue.pop_front(items, |item| left.push(item))
    }

    /// Puts an item into the sessions it reaches, which become one, or into one of its own. Says which.
    fn join(&mut self, item: T, ts: i64) -> Result<usize> {
        let behind = self.sessions.partition_point(|session| session.first_ts <= ts);
        let reaches = |session: &Session| session.distance(ts) <= self.gap_ms as u64;
        let joins_before = behind > 0 && reaches(&self.sessions[behind - 1]);
        let joins_after = self.sessions.get(behind).is_some_and(reaches);
        let place = if joins_before { behind - 1 } else { behind };
        if joins_before || joins_after {
            let session = &mut self.sessions[place];
            if !session.delivered.is_empty() {
                // Where in the session; behind its last item no page need be read for it.
                let at =
                    if ts >= session.last_ts { session.len } else { self.queue.position_after(ts)? - session.start };
                session.delivered.insert(at);
            }
            session.len += 1;
            session.first_ts = session.first_ts.min(ts);
            session.last_ts = session.last_ts.max(ts);
        } else {
            let start = self.sessions.get(place).map_or(self.queue.end(), |session| session.start);
            let session = Session { start, len: 1, first_ts: ts, last_ts: ts, delivered: Delivered::default() };
            self.sessions.insert(place, session);
        }
        self.queue.insert(item, ts)?;
        self.sessions.range_mut(place + 1..).for_each(|session| session.start += 1);
        if joins_before
            && joins_after
            && let Some(later) = self.sessions.remove(behind)
        {
            self.sessions[place].append(later);
        }
        Ok(place)
    }

    /// Hands a session over.
    fn fire(&mut self, place: usize) -> Result<FiredWindow<T>> {
        let session = &mut self.sessions[place];
        let (mut items, mut new) = (Vec::with_capacity(session.len as usize), Vec::new());
        let mut is_delivered = session.delivered.flags();
        self.queue.visit(session.start..session.start + session.len, |_, item| {
            items.push(item.clone());
            if !is_delivered() {
                new.push(item.clone());
            }
        })?;
        drop(is_delivered);
        session.delivered.set_all(session.len);
        let (start, end) = (Some(session.first_ts), session.end(self.gap_ms));
        Ok(FiredWindow { items, new, expired: Vec::new(), start, end })
    }
}

impl Session {
    /// After which moment nothing can join it.
    fn end(&self, gap_ms: i64) -> i64 {
        self.last_ts.saturating_add(gap_ms)
    }

    /// How far a timestamp is outside.
    fn distance(&self, ts: i64) -> u64 {
        ts.abs_diff(ts.clamp(self.first_ts, self.last_ts))
    }

    /// The session behind it becomes part of it.
    fn append(&mut self, later: Session) {
        self.delivered.append(self.len, later.delivered);
        self.len += later.len;
        self.last_ts = later.last_ts;
    }
}
