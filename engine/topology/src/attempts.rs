//! `Attempts`: how often tuples have failed at a bolt that isn't to be given them for ever.
//!
//! A replay makes a new tuple, so a tuple is known again by a hash of what it is: the component and the stream it comes from, and its values. Equal
//! tuples are one. The hash is seeded per start, so which tuples would be taken for another can't be worked out beforehand; it isn't cryptographic.
//!
//! Invariants:
//! - it outlives the tasks: a bolt that is begun anew and a topology that goes back to a checkpoint find what they have learned. The process doesn't;
//! - it holds [`KNOWN_MAX`] tuples at most; for a new one the one that was heard of least lately goes, spent or not: one that is still tried would
//!   otherwise never be spent among many that are;
//! - what wasn't heard of for a while is forgotten, so that a tuple that failed for want of something else is tried again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use twox_hash::XxHash3_64;

use crate::clock::Moment;
use crate::tuple::Tuple;
use crate::value_bytes::encode;

/// Tuples that are known, at most.
pub(crate) const KNOWN_MAX: usize = 1024;
/// How long after its last failure a tuple is forgotten.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// What is kept of what an attempt failed for.
const ERROR_BYTES_MAX: usize = 1024;

/// A tuple, as it is known again.
pub(crate) type Identity = u64;

/// What is known of a tuple.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It hasn't failed, or not lately.
    Unknown,
    /// It has failed, and is to be tried again.
    Tried,
    /// It has failed as often as it may.
    Spent(Spent),
}

/// Why a tuple isn't tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spent {
    /// How often it has failed.
    pub failures: u32,
    /// What it failed for the last time.
    pub error: String,
}

#[derive(Debug)]
struct Attempt {
    failures: u32,
    last: Moment,
    error: String,
}

/// How often tuples have failed at the tasks of a bolt.
#[derive(Debug)]
pub(crate) struct Attempts {
    attempts_max: u32,
    known_for: Duration,
    seed: u64,
    /// Entries of the table, for those who only want to know whether there is one.
    known: AtomicUsize,
    table: Mutex<HashMap<Identity, Attempt>>,
}

impl Attempts {
    /// Of a bolt that fails a tuple this often at most. `replayed_after`: how long it may take, besides, until a tuple comes again.
    pub fn new(attempts_max: u32, replayed_after: Duration, seed: u64) -> Attempts {
        let known_for = KNOWN_FOR.saturating_add(replayed_after);
        Attempts { attempts_max, known_for, seed, known: AtomicUsize::new(0), table: Mutex::default() }
    }

    /// Whether no tuple is known.
    pub fn is_empty(&self) -> bool {
        self.known.load(Ordering::Relaxed) == 0
    }

    /// What a tuple is known by. `scratch` is overwritten.
    pub fn identity(&self, tuple: &Tuple<'_>, scratch: &mut Vec<u8>) -> Identity {
        scratch.clear();
        for name in [&tuple.stream().component, &tuple.stream().stream] {
            scratch.extend_from_slice(&(name.len() as u64).to_le_bytes());
            scratch.extend_from_slice(name.as_bytes());
        }
        tuple.values().iter().for_each(|value| encode(value, scratch));
        XxHash3_64::oneshot_with_seed(self.seed, scratch)
    }

    /// What is known of a tuple.
    pub fn standing(&self, identity: Identity) -> Standing {
        match self.table.lock().get(&identity) {
            None => Standing::Unknown,
            Some(attempt) if attempt.failures < self.attempts_max => Standing::Tried,
            Some(Attempt { failures, error, .. }) => {
                Standing::Spent(Spent { failures: *failures, error: error.clone() })
            }
        }
    }

    /// A tuple has failed. Returns what is known of it now.
    pub fn note_failure(&self, identity: Identity, error: &str, now: Moment) -> Standing {
        let error = error[..error.floor_char_boundary(ERROR_BYTES_MAX)].to_string();
        let mut table = self.table.lock();
        if table.len() >= KNOWN_MAX && !table.contains_key(&identity) {
            let least = table.iter().min_by_key(|(_, attempt)| attempt.last).map(|(identity, _)| *identity);
            least.map(|least| table.remove(&least));
        }
        let attempt = table.entry(identity).or_insert(Attempt { failures: 0, last: now, error: String::new() });
        attempt.failures = attempt.failures.saturating_add(1);
        (attempt.last, attempt.error) = (now, error);
        let standing = match attempt.failures < self.attempts_max {
            true => Standing::Tried,
            false => Standing::Spent(Spent { failures: attempt.failures, error: attempt.error.clone() }),
        };
        self.known.store(table.len(), Ordering::Relaxed);
        standing
    }

    /// A tuple has come that isn't tried again. It is known for as long from now on: those that come with it may have the topology go back, and it
    /// come again.
    pub fn note_skipped(&self, identity: Identity, now: Moment) {
        if let Some(attempt) = self.table.lock().get_mut(&identity) {
            attempt.last = now;
        }
    }

    /// These tuples are over and done with.
    pub fn forget(&self, identities: impl IntoIterator<Item = Identity>) {
        let mut table = self.table.lock();
        for identity in identities {
            table.remove(&identity);
        }
        self.known.store(table.len(), Ordering::Relaxed);
    }

    /// Forgets what hasn't failed for a while.
    pub fn forget_old(&self, now: Moment) {
        let mut table = self.table.lock();
        table.retain(|_, attempt| now.since(attempt.last) < self.known_for);
        self.known.store(table.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::stream::{StreamInfo, TaskId};
    use crate::{Fields, Value};

    fn attempts(attempts_max: u32) -> Attempts {
        Attempts::new(attempts_max, Duration::ZERO, 7)
    }

    fn spent(failures: u32, error: &str) -> Standing {
        Standing::Spent(Spent { failures, error: error.into() })
    }

    #[test]
    fn a_tuple_is_spent_after_so_many_failures() {
        let attempts = attempts(3);
        assert!(attempts.is_empty());
        assert_eq!(attempts.standing(1), Standing::Unknown);
        assert_eq!(attempts.note_failure(1, "a", Moment(0)), Standing::Tried);
        assert_eq!(attempts.note_failure(1, "b", Moment(1)), Standing::Tried);
        assert_eq!(attempts.note_failure(2, "other", Moment(1)), Standing::Tried);
        assert_eq!(attempts.standing(1), Standing::Tried);
        assert_eq!(attempts.note_failure(1, "c", Moment(2)), spent(3, "c"));
        assert_eq!(attempts.standing(1), spent(3, "c"));
        assert_eq!(attempts.note_failure(1, "d", Moment(3)), spent(4, "d"));
        attempts.forget([1, 2]);
        assert!(attempts.is_empty());
    }

    #[test]
    fn what_has_not_failed_for_a_while_is_forgotten() {
        let attempts = Attempts::new(1, Duration::from_secs(5), 7);
        attempts.note_failure(1, "a", Moment(0));
        attempts.note_failure(2, "a", Moment(0).after(Duration::from_secs(100)));
        attempts.forget_old(Moment(0).after(KNOWN_FOR + Duration::from_secs(5)));
        assert_eq!(attempts.standing(1), Standing::Unknown);
        assert_eq!(attempts.standing(2), spent(1, "a"));
    }

    /// However many tuples fail, and however much there is to say of each, memory is bounded, and those of late are known.
    #[test]
    fn memory_is_bounded() {
        let attempts = attempts(2);
        let error = "ä".repeat(100_000);
        (0..2).for_each(|at| drop(attempts.note_failure(0, &error, Moment(at))));
        (0..2).for_each(|at| drop(attempts.note_failure(u64::MAX, &error, Moment(at))));
        attempts.note_skipped(u64::MAX, Moment(u64::MAX));
        for identity in 1..10 * KNOWN_MAX as u64 {
            attempts.note_failure(identity, &error, Moment(2 + identity));
        }
        let table = attempts.table.lock();
        assert_eq!(table.len(), KNOWN_MAX);
        assert!(table.values().all(|attempt| attempt.error.len() <= ERROR_BYTES_MAX));
        assert_eq!(table[&u64::MAX].failures, 2, "heard of last");
        assert!(!table.contains_key(&0), "spent, and not heard of for longest");
        assert!(table.contains_key(&(10 * KNOWN_MAX as u64 - 1)) && !table.contains_key(&1));
    }

    #[test]
    fn a_tuple_is_what_it_holds_and_where_it_comes_from() {
        let attempts = attempts(1);
        let stream = |component: &str, stream: &str| {
            let fields = Fields::new(["a", "b"]).unwrap();
            Arc::new(StreamInfo { component: component.into(), stream: stream.into(), fields, direct: false })
        };
        let identity = |from: &Arc<StreamInfo>, values: &[Value], task: i32| {
            attempts.identity(&Tuple::new(values, None, from, TaskId(task)), &mut vec![1, 2, 3])
        };
        let (from, values) = (stream("words", "default"), ["x".into(), Value::Int(1)]);
        let known = identity(&from, &values, 1);
        assert_eq!(identity(&stream("words", "default"), &values.clone(), 2), known, "of another task, after a replay");
        assert_ne!(identity(&stream("words", "other"), &values, 1), known);
        assert_ne!(identity(&stream("wordsd", "efault"), &values, 1), known);
        assert_ne!(identity(&from, &["x".into(), Value::Float(1.0)], 1), known);
    }
}
