//! `Skipping`: what one task of a bolt does about tuples that fail again and again, where the setting `on_error` is `skip`.
//!
//! A tuple that has failed often enough is acked without being worked on, and emitted on the stream [`SKIPPED_STREAM`] in its place.
//!
//! Where state is exactly once, each failed attempt takes the topology back to its checkpoint, the last one too: it may have changed something. Only
//! when the tuple comes again after that is it skipped. Until the skip is part of a durable checkpoint the tuple can come yet again, so it is known
//! until the next checkpoint begins after that. Otherwise the last failed attempt itself is the skip, and a tuple that is worked on without error is
//! forgotten at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use crate::Value;
use crate::attempts::{Attempts, Identity, Spent, Standing};
use crate::clock::Moment;
use crate::multilang::json;
use crate::stream::TaskId;
use crate::tuple::Tuple;

/// The stream of a bolt for tuples that it skips.
pub const SKIPPED_STREAM: &str = "skipped";
/// Its fields: who skips; the component and the stream that the tuple is from; what it failed for the last time; the tuple, as a JSON object of its
/// values by field name.
pub const SKIPPED_FIELDS: [&str; 6] = ["component", "task", "source", "stream", "error", "tuple"];

/// How often it is looked for tuples to be forgotten.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What is to become of a tuple.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is worked on.
    Try,
    /// It is worked on, and if that succeeds [`Skipping::note_passed`] is to be told.
    TryKnown(Identity),
    /// It is skipped.
    Skip(Spent),
}

/// What one task of a bolt does about tuples that fail again and again.
#[derive(Debug)]
pub(crate) struct Skipping {
    component: SmolStr,
    task: TaskId,
    attempts: Arc<Attempts>,
    /// Whether a failure has the whole topology go back to its last checkpoint.
    exactly_once: bool,
    /// Exactly once: known tuples that are done since the last checkpoint began, and those that were done before that.
    passed: BTreeSet<Identity>,
    covered: BTreeSet<Identity>,
    next_look: Moment,
    scratch: Vec<u8>,
}

impl Skipping {
    pub fn new(component: SmolStr, task: TaskId, attempts: Arc<Attempts>, exactly_once: bool) -> Skipping {
        Skipping {
            component,
            task,
            attempts,
            exactly_once,
            passed: BTreeSet::new(),
            covered: BTreeSet::new(),
            next_look: Moment(0),
            scratch: Vec::new(),
        }
    }

    /// Whether tuples are to be looked at before they are worked on: some have failed lately.
    pub fn is_watching(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// What is to become of a tuple that has come.
    pub fn verdict(&mut self, tuple: &Tuple<'_>, now: Moment) -> Verdict {
        let identity = self.attempts.identity(tuple, &mut self.scratch);
        match self.attempts.standing(identity) {
            Standing::Unknown => Verdict::Try,
            Standing::Tried => Verdict::TryKnown(identity),
            Standing::Spent(spent) => {
                // Otherwise it goes with time: its tree may fail elsewhere and bring it again.
                if self.exactly_once {
                    self.attempts.note_skipped(identity, now);
                    self.passed.insert(identity);
                }
                Verdict::Skip(spent)
            }
        }
    }

    /// A tuple has failed. Returns why it is to be skipped instead, if it is.
    pub fn note_failure(&mut self, tuple: &Tuple<'_>, error: &str, now: Moment) -> Option<Spent> {
        let identity = self.attempts.identity(tuple, &mut self.scratch);
        match self.attempts.note_failure(identity, error, now) {
            Standing::Spent(spent) if !self.exactly_once => Some(spent),
            _ => None,
        }
    }

    /// A known tuple was worked on without error.
    pub fn note_passed(&mut self, identity: Identity) {
        match self.exactly_once {
            true => drop(self.passed.insert(identity)),
            false => self.attempts.forget([identity]),
        }
    }

    /// A checkpoint begins here. That it does means that the one before it is durable: what was done before that one never comes again.
    pub fn note_checkpoint(&mut self) {
        if !self.covered.is_empty() {
            self.attempts.forget(std::mem::take(&mut self.covered));
        }
        std::mem::swap(&mut self.passed, &mut self.covered);
    }

    /// Forgets what hasn't failed for a while, when it is time.
    pub fn look(&mut self, now: Moment) {
        if now >= self.next_look && self.is_watching() {
            self.next_look = now.after(LOOK_INTERVAL);
            self.attempts.forget_old(now);
        }
    }

    /// What is emitted for a skipped tuple.
    pub fn row(&self, tuple: &Tuple<'_>, spent: &Spent) -> [Value; SKIPPED_FIELDS.len()] {
        let stream = tuple.stream();
        let named = stream.fields.iter().map(SmolStr::new).zip(tuple.values().iter().cloned());
        let content = json::to_text(&Value::Map(named.collect()));
        [
            Value::Text(self.component.clone()),
            Value::Int(self.task.0.into()),
            Value::Text(stream.component.clone()),
            Value::Text(stream.stream.clone()),
            Value::from(spent.error.as_str()),
            Value::from(content),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fields;
    use crate::stream::StreamInfo;

    fn skipping(attempts_max: u32, exactly_once: bool) -> Skipping {
        let attempts = Arc::new(Attempts::new(attempts_max, Duration::ZERO, 7));
        Skipping::new("bolt".into(), TaskId(3), attempts, exactly_once)
    }

    /// The same task's after the topology has gone back to its checkpoint.
    fn again(skipping: &Skipping) -> Skipping {
        Skipping::new("bolt".into(), TaskId(3), skipping.attempts.clone(), true)
    }

    fn with_tuple(work: impl FnOnce(&Tuple<'_>)) {
        let fields = Fields::new(["a", "b"]).unwrap();
        let stream = StreamInfo { component: "from".into(), stream: "default".into(), fields, direct: false };
        let values = [Value::from("x\"y"), Value::Timestamp(5)];
        work(&Tuple::new(&values, None, &Arc::new(stream), TaskId(1)));
    }

    #[test]
    fn at_least_once_the_last_failure_is_the_skip_and_a_success_begins_anew() {
        with_tuple(|tuple| {
            let mut skipping = skipping(2, false);
            assert!(!skipping.is_watching());
            assert_eq!(skipping.note_failure(tuple, "a", Moment(0)), None);
            let Verdict::TryKnown(identity) = skipping.verdict(tuple, Moment(0)) else {
                panic!("known and to be tried")
            };
            skipping.note_passed(identity);
            assert!(!skipping.is_watching());
            assert_eq!(skipping.note_failure(tuple, "a", Moment(0)), None);
            let spent = Spent { failures: 2, error: "b".into() };
            assert_eq!(skipping.note_failure(tuple, "b", Moment(0)), Some(spent.clone()));
            // Its tree has failed elsewhere.
            assert_eq!(skipping.verdict(tuple, Moment(0)), Verdict::Skip(spent));
        });
    }

    #[test]
    fn exactly_once_it_is_known_until_the_skip_is_durable() {
        with_tuple(|tuple| {
            let mut first = skipping(1, true);
            assert_eq!(first.note_failure(tuple, "a", Moment(0)), None, "the failed attempt goes back");
            let mut second = again(&first);
            assert!(matches!(second.verdict(tuple, Moment(0)), Verdict::Skip(_)));
            second.note_checkpoint();
            // That checkpoint has failed, and the topology goes back once more.
            let mut third = again(&second);
            third.note_checkpoint();
            assert!(matches!(third.verdict(tuple, Moment(0)), Verdict::Skip(_)));
            third.note_checkpoint();
            assert!(
                matches!(third.verdict(tuple, Moment(0)), Verdict::Skip(_)),
                "that checkpoint may not be durable yet"
            );
            third.note_checkpoint();
            assert!(!third.is_watching(), "and now it is");
        });
    }

    #[test]
    fn the_row_tells_what_was_skipped_and_why() {
        with_tuple(|tuple| {
            let row = skipping(1, true).row(tuple, &Spent { failures: 1, error: "no".into() });
            let texts = row.map(|value| value.to_string());
            assert_eq!(texts, ["bolt", "3", "from", "default", "no", r#"{"a":"x\"y","b":5}"#]);
        });
    }
}
