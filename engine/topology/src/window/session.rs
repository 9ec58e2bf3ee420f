//! `SessionManager`: windows of items that follow one another closely.
//!
//! Invariants:
//! - Items at most `gap` apart are in one session; sessions are ordered and more than `gap` apart.
//! - A session fires when the watermark, or the time, is greater than its last timestamp plus the gap: up to then an item
//!   could still be accepted that prolongs it.
//! - Sessions that the watermark has passed have fired; with allowed lateness they stay until no accepted item can reach them.

use std::collections::VecDeque;

use super::{FiredWindow, SessionSnapshot, SessionSpec, SessionState, WindowTime};

/// An item, its timestamp, and whether a fired window has held it.
type Entry<T> = (i64, T, bool);

/// One session: at least one entry, ordered by timestamp and then by arrival.
struct Session<T> {
    entries: Vec<Entry<T>>,
    first: i64,
    last: i64,
}

/// Session windows over items of type `T`.
///
/// With allowed lateness an item older than the watermark joins its session, or begins one. If the watermark has passed that
/// session it fires at once with all its items, and those that no fired window held as `new`. If the item joins a session that
/// fired to one that is still open, they become one open session, which fires when it is complete.
///
/// A fired session's items leave with it, or, with allowed lateness, when no accepted item can reach it any more.
pub struct SessionManager<T> {
    gap_ms: i64,
    time: WindowTime,
    sessions: VecDeque<Session<T>>,
    watermark: i64,
    left: Vec<T>,
}

impl<T: Clone> SessionManager<T> {
    /// Without items.
    pub fn new(spec: SessionSpec, time: WindowTime) -> SessionManager<T> {
        let gap_ms = spec.gap_ms();
        SessionManager { gap_ms, time, sessions: VecDeque::new(), watermark: i64::MIN, left: Vec::new() }
    }

    /// Whether an item with this timestamp comes too late to be added. Never in processing time.
    pub fn is_late(&self, ts: i64) -> bool {
        match self.time {
            WindowTime::Processing => false,
            WindowTime::Event(_) => ts < self.horizon(),
        }
    }

    /// Adds an item; in processing time `ts` is now, and sessions that are due before it fire first. Gives a late item back.
    pub fn add(&mut self, item: T, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Option<T> {
        if self.is_late(ts) {
            return Some(item);
        }
        let ts = match self.time {
            WindowTime::Event(_) => ts,
            WindowTime::Processing => {
                self.advance(ts, fired);
                self.watermark
            }
        };
        let place = self.join((ts, item, false));
        if self.is_complete(&self.sessions[place]) {
            fired.push(self.sessions[place].fire(self.gap_ms));
        }
        None
    }

    /// Event time has come to `ts`: fires what is complete. Without effect in processing time or when `ts` is behind.
    pub fn on_watermark(&mut self, ts: i64, fired: &mut Vec<FiredWindow<T>>) {
        if self.time != WindowTime::Processing {
            self.advance(ts, fired);
        }
    }

    /// It is `now_ms`: fires what is due. Without effect in event time.
    pub fn on_time(&mut self, now_ms: i64, fired: &mut Vec<FiredWindow<T>>) {
        if self.time == WindowTime::Processing {
            self.advance(now_ms, fired);
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

    /// A copy of the state.
    pub fn snapshot(&self) -> SessionSnapshot<T> {
        let sessions = self.sessions.iter().map(|session| SessionState { entries: session.entries.clone() }).collect();
        SessionSnapshot { sessions, watermark: self.watermark, left: self.left.clone() }
    }

    /// A manager that goes on where the snapshot was taken.
    pub fn restore(spec: SessionSpec, time: WindowTime, snapshot: SessionSnapshot<T>) -> SessionManager<T> {
        let mut manager = SessionManager::new(spec, time);
        manager.sessions = snapshot.sessions.into_iter().filter_map(|state| Session::of(state.entries)).collect();
        manager.watermark = snapshot.watermark;
        manager.left = snapshot.left;
        manager
    }

    /// The least timestamp that is still accepted.
    fn horizon(&self) -> i64 {
        match self.time {
            WindowTime::Processing => self.watermark,
            WindowTime::Event(event) => self.watermark.saturating_sub(event.lateness_ms()),
        }
    }

    /// Whether the watermark has passed a session.
    fn is_complete(&self, session: &Session<T>) -> bool {
        session.end(self.gap_ms) < self.watermark
    }

    /// The watermark or the time has come to `ts`.
    fn advance(&mut self, ts: i64, fired: &mut Vec<FiredWindow<T>>) {
        if ts <= self.watermark {
            return;
        }
        let gap_ms = self.gap_ms;
        let from = self.sessions.partition_point(|session| self.is_complete(session));
        self.watermark = ts;
        let to = self.sessions.partition_point(|session| self.is_complete(session));
        fired.extend(self.sessions.range_mut(from..to).map(|session| session.fire(gap_ms)));
        let horizon = self.horizon();
        let unreachable = self.sessions.partition_point(|session| session.end(gap_ms) < horizon);
        let left = self.sessions.drain(..unreachable).flat_map(|session| session.entries);
        self.left.extend(left.map(|(_, item, _)| item));
    }

    /// Puts an entry into the sessions it reaches, which become one, or into one of its own. Says which.
    fn join(&mut self, entry: Entry<T>) -> usize {
        let ts = entry.0;
        let behind = self.sessions.partition_point(|session| session.first <= ts);
        let reaches = |session: &Session<T>| session.distance(ts) <= self.gap_ms as u64;
        let joins_before = behind > 0 && reaches(&self.sessions[behind - 1]);
        let joins_after = self.sessions.get(behind).is_some_and(reaches);
        match (joins_before, joins_after) {
            (false, false) => {
                self.sessions.insert(behind, Session { entries: vec![entry], first: ts, last: ts });
                return behind;
            }
            (false, true) => {
                self.sessions[behind].insert(entry);
                return behind;
            }
            (true, false) => self.sessions[behind - 1].insert(entry),
            (true, true) => {
                let later = self.sessions.remove(behind);
                let session = &mut self.sessions[behind - 1];
                session.insert(entry);
                session.append(later.into_iter().flat_map(|later| later.entries));
            }
        }
        behind - 1
    }
}

impl<T: Clone> Session<T> {
    /// From entries in order; `None` without any.
    fn of(entries: Vec<Entry<T>>) -> Option<Session<T>> {
        let (first, last) = (entries.first()?.0, entries.last()?.0);
        Some(Session { entries, first, last })
    }

    /// After which moment nothing can join it.
    fn end(&self, gap_ms: i64) -> i64 {
        self.last.saturating_add(gap_ms)
    }

    /// How far a timestamp is outside.
    fn distance(&self, ts: i64) -> u64 {
        ts.abs_diff(ts.clamp(self.first, self.last))
    }

    /// Adds an entry behind those with timestamps up to its own.
    fn insert(&mut self, entry: Entry<T>) {
        let ts = entry.0;
        if ts >= self.last {
            self.entries.push(entry);
        } else {
            let place = self.entries.partition_point(|(at, _, _)| *at <= ts);
            self.entries.insert(place, entry);
        }
        self.first = self.first.min(ts);
        self.last = self.last.max(ts);
    }

    /// Adds entries that come after all.
    fn append(&mut self, later: impl Iterator<Item = Entry<T>>) {
        self.entries.extend(later);
        self.last = self.entries.last().map_or(self.last, |(ts, _, _)| *ts);
    }

    /// Hands it over.
    fn fire(&mut self, gap_ms: i64) -> FiredWindow<T> {
        let mut new = Vec::new();
        for (_, item, delivered) in &mut self.entries {
            if !std::mem::replace(delivered, true) {
                new.push(item.clone());
            }
        }
        FiredWindow {
            items: self.entries.iter().map(|(_, item, _)| item.clone()).collect(),
            new,
            expired: Vec::new(),
            start: Some(self.first),
            end: self.end(gap_ms),
        }
    }
}
