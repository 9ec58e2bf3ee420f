//! `KeyValueState`: the state of one task of a stateful bolt, in memory, with what has changed since its last checkpoint.
//!
//! Invariants: what is read is what was written last; the changes that checkpoints hand out, applied one after the other, give the state; a key is
//! handed out once per checkpoint, however often it was written.

use std::collections::{HashMap, HashSet};

use crate::state::StateChanges;
use crate::value_bytes::{DEPTH_MAX, depth, from_bytes, to_bytes};
use crate::{Failure, Outcome, Value};

/// Values by key, kept by checkpoints. Any value can be a key: text, a number, bytes, a list of several.
///
/// ```
/// use monsoon_topology::{KeyValueState, Value};
///
/// let mut state = KeyValueState::default();
/// state.put("to", 2).unwrap();
/// assert_eq!(state.get(&Value::from("to")), Some(&Value::Int(2)));
/// let kept = state.checkpoint();
/// assert_eq!(kept.changes.len(), 1);
/// assert!(state.checkpoint().changes.is_empty());
/// ```
#[derive(Debug, Default, Clone)]
pub struct KeyValueState {
    entries: HashMap<Value, Value>,
    /// Keys that were put or deleted since the last checkpoint.
    changed: HashSet<Value>,
}

impl KeyValueState {
    /// The value of a key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Gives a key a value. An error when either has lists and maps more than 128 deep: that could not be read back.
    pub fn put(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Outcome {
        let (key, value) = (key.into(), value.into());
        if depth(&key) > DEPTH_MAX || depth(&value) > DEPTH_MAX {
            return Err(Failure::new(format!("state can't hold lists and maps more than {DEPTH_MAX} deep")));
        }
        self.changed.insert(key.clone());
        self.entries.insert(key, value);
        Ok(())
    }

    /// Takes a key out; the value it had.
    pub fn delete(&mut self, key: &Value) -> Option<Value> {
        let had = self.entries.remove(key)?;
        self.changed.insert(key.clone());
        Some(had)
    }

    /// Every key and its value, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> {
        self.entries.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Hands out what has changed since the last call, ascending by key.
    pub fn checkpoint(&mut self) -> StateChanges {
        let entries = &self.entries;
        let change = |key: Value| (to_bytes(&key), entries.get(&key).map(to_bytes));
        let mut changes: Vec<_> = self.changed.drain().map(change).collect();
        changes.sort_unstable();
        StateChanges::of(changes)
    }

    /// Takes the place of everything there is: what checkpoints have kept. An error when it is damaged; then nothing has changed.
    pub fn restore(&mut self, entries: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        let entry = |(key, value): (Vec<u8>, Vec<u8>)| Ok((from_bytes(&key)?, from_bytes(&value)?));
        self.entries = entries.into_iter().map(entry).collect::<Outcome<_>>()?;
        self.changed.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::anchor::EdgeIds;
    use crate::value_bytes::tests::any_value;

    type Kept = BTreeMap<Vec<u8>, Vec<u8>>;

    fn apply(kept: &mut Kept, changes: StateChanges) {
        for (key, value) in changes.changes {
            match value {
                Some(value) => drop(kept.insert(key, value)),
                None => drop(kept.remove(&key)),
            }
        }
    }

    fn restored(kept: &Kept) -> KeyValueState {
        let mut state = KeyValueState::default();
        state.restore(kept.clone().into_iter().collect()).unwrap();
        state
    }

    fn contents(state: &KeyValueState) -> Vec<(String, String)> {
        let mut contents: Vec<_> =
            state.iter().map(|(key, value)| (format!("{key:?}"), format!("{value:?}"))).collect();
        contents.sort();
        contents
    }

    fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| (format!("{key:?}"), value.to_string())).collect()
    }

    /// Storm's InMemoryKeyValueStateTest: without a checkpoint between them a, b and c are all gone after a failure.
    #[test]
    fn k07_what_no_checkpoint_has_kept_is_gone() {
        let mut state = KeyValueState::default();
        state.put("a", 1).unwrap();
        state.put("b", 2).unwrap();
        state.put("c", 3).unwrap();
        assert_eq!(contents(&state), named(&[("a", "1"), ("b", "2"), ("c", "3")]));
        state.restore(Vec::new()).unwrap();
        assert!(state.is_empty() && state.checkpoint().changes.is_empty());
    }

    #[test]
    fn k07_what_a_checkpoint_has_kept_stays() {
        let (mut state, mut kept) = (KeyValueState::default(), Kept::new());
        state.put("a", 1).unwrap();
        state.put("b", 2).unwrap();
        apply(&mut kept, state.checkpoint());
        state.put("c", 3).unwrap();
        assert_eq!(state.get(&"c".into()), Some(&Value::Int(3)), "own writes are read");
        assert_eq!(contents(&restored(&kept)), named(&[("a", "1"), ("b", "2")]));
        assert_eq!(state.delete(&"a".into()), Some(Value::Int(1)));
        assert_eq!(state.get(&"a".into()), None);
        assert_eq!(contents(&restored(&kept)), named(&[("a", "1"), ("b", "2")]), "a delete is part of the next one");
        apply(&mut kept, state.checkpoint());
        assert_eq!(contents(&restored(&kept)), named(&[("b", "2"), ("c", "3")]));
    }

    #[test]
    fn a_key_is_handed_out_once_however_often_it_was_written() {
        let mut state = KeyValueState::default();
        (0..10).for_each(|value| state.put("a", value).unwrap());
        assert_eq!(state.checkpoint().changes, [(to_bytes(&"a".into()), Some(to_bytes(&Value::Int(9))))]);
        assert_eq!(state.delete(&"unknown".into()), None);
        assert!(state.checkpoint().changes.is_empty());
    }

    #[test]
    fn checkpoints_one_after_the_other_give_the_state() {
        for seed in 0..50 {
            let mut random = EdgeIds::new(seed);
            let (mut state, mut kept) = (KeyValueState::default(), Kept::new());
            let keys: Vec<Value> = (0..20).map(|_| any_value(&mut random, 2)).collect();
            for _ in 0..500 {
                let key = &keys[(random.next() % 20) as usize];
                match random.next() % 20 {
                    0 => apply(&mut kept, state.checkpoint()),
                    1..7 => drop(state.delete(key)),
                    _ => state.put(key, any_value(&mut random, 3)).unwrap(),
                }
            }
            apply(&mut kept, state.checkpoint());
            assert_eq!(contents(&restored(&kept)), contents(&state), "seed {seed}");
        }
    }

    #[test]
    fn damage_is_told_and_changes_nothing() {
        let mut state = KeyValueState::default();
        state.put("a", 1).unwrap();
        let failure = state.restore(vec![(to_bytes(&"b".into()), vec![1, 2, 3])]).unwrap_err();
        assert_eq!(failure.0, "stored value of 3 bytes is damaged at byte 2: it ends too early");
        assert_eq!(contents(&state), named(&[("a", "1")]));
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let deep = (0..=DEPTH_MAX).fold(Value::Null, |value, _| Value::from(vec![value]));
        assert!(KeyValueState::default().put("a", deep).is_err());
    }
}
