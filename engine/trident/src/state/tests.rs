//! The maps by hand: the cases T-11 to T-13, and replays whose keys differ.

use super::*;

fn key(name: &str) -> Key {
    vec![Value::from(name)]
}

fn get(map: &mut impl ReadOnlyMapState, name: &str) -> Option<i64> {
    map.multi_get(&[key(name)]).unwrap().pop().flatten().map(|value| value.as_int().unwrap())
}

fn add(map: &mut impl MapState, name: &str, number: i64) -> i64 {
    let mut add =
        |_: usize, value: Option<&Value>| Ok(Value::Int(value.map_or(0, |value| value.as_int().unwrap()) + number));
    map.multi_update(&[key(name)], &mut add).unwrap().pop().unwrap().as_int().unwrap()
}

fn context() -> StateContext {
    StateContext { partition: 0, partitions: 1 }
}

#[test]
fn t11_an_opaque_map_starts_a_replay_from_the_previous_value() {
    for journal in [false, true] {
        let table = MemoryBackingMap::new();
        let mut map = if journal { OpaqueMap::new(table, &context()) } else { OpaqueMap::without_journal(table) };
        map.begin_commit(1).unwrap();
        assert_eq!(get(&mut map, "a"), None);
        assert_eq!(add(&mut map, "a", 1), 1);
        assert_eq!(get(&mut map, "a"), Some(1));
        assert_eq!(add(&mut map, "a", 2), 3);
        map.commit(1).unwrap();

        map.begin_commit(1).unwrap();
        assert_eq!(get(&mut map, "a"), None);
        assert_eq!(add(&mut map, "a", 2), 2);
        map.commit(1).unwrap();

        map.begin_commit(2).unwrap();
        assert_eq!(get(&mut map, "a"), Some(2));
        assert_eq!(add(&mut map, "a", 3), 5);
        assert_eq!(add(&mut map, "a", 1), 6);
        map.commit(2).unwrap();
        assert_eq!(get(&mut map, "a"), Some(6));
    }
}

#[test]
fn t12_a_transactional_map_skips_a_replay() {
    let mut map = TransactionalMap::new(MemoryBackingMap::new());
    map.begin_commit(1).unwrap();
    assert_eq!(get(&mut map, "a"), None);
    assert_eq!(add(&mut map, "a", 1), 1);
    assert_eq!(add(&mut map, "a", 2), 3);
    map.commit(1).unwrap();

    map.begin_commit(1).unwrap();
    assert_eq!(get(&mut map, "a"), Some(3));
    assert_eq!(add(&mut map, "a", 1), 3);
    assert_eq!(add(&mut map, "a", 2), 3);
    map.commit(1).unwrap();

    map.begin_commit(2).unwrap();
    assert_eq!(get(&mut map, "a"), Some(3));
    assert_eq!(add(&mut map, "a", 3), 6);
    assert_eq!(add(&mut map, "a", 1), 7);
    map.commit(2).unwrap();

    map.begin_commit(1).unwrap();
    let late = map.multi_update(&[key("a")], &mut |_, _| Ok(Value::Null));
    assert!(late.is_err(), "the state is ahead of the topology");
}

#[test]
fn t13_a_removal_is_undone_by_a_replay() {
    let mut state = MemoryMapState::new();
    state.begin_commit(1).unwrap();
    add(&mut state, "a", 1);
    add(&mut state, "b", 2);
    state.commit(1).unwrap();

    state.begin_commit(2).unwrap();
    assert_eq!(get(&mut state, "a"), Some(1));
    state.multi_remove(&[key("a")]).unwrap();
    assert_eq!(get(&mut state, "a"), None);
    state.commit(2).unwrap();

    state.begin_commit(2).unwrap();
    assert_eq!((get(&mut state, "a"), get(&mut state, "b")), (Some(1), Some(2)));
    state.multi_remove(&[key("a")]).unwrap();
    state.commit(2).unwrap();

    state.begin_commit(3).unwrap();
    assert_eq!((get(&mut state, "a"), get(&mut state, "b")), (None, Some(2)));
    state.commit(3).unwrap();
    assert_eq!((get(&mut state, "a"), get(&mut state, "b")), (None, Some(2)));
    assert_eq!(state.tuples().unwrap(), [crate::values!["b", 2]]);
}

/// Ours: Storm keeps what the first try wrote to keys that the second lacks.
#[test]
fn a_replay_without_a_key_takes_its_update_back() {
    for restarted in [false, true] {
        let table = MemoryBackingMap::new();
        let mut map = OpaqueMap::new(table.clone(), &context());
        map.begin_commit(1).unwrap();
        add(&mut map, "a", 1);
        map.commit(1).unwrap();
        map.begin_commit(2).unwrap();
        add(&mut map, "a", 10);
        add(&mut map, "b", 20);
        if restarted {
            map = OpaqueMap::new(table, &context());
        }
        map.begin_commit(2).unwrap();
        assert_eq!(add(&mut map, "c", 5), 5);
        map.commit(2).unwrap();
        map.begin_commit(3).unwrap();
        assert_eq!((get(&mut map, "a"), get(&mut map, "b"), get(&mut map, "c")), (Some(1), None, Some(5)));
        assert_eq!(add(&mut map, "a", 10), 11);
    }
}

/// A table that counts how many keys are read from it.
struct Counted(MemoryBackingMap<Value>, std::sync::Arc<parking_lot::Mutex<usize>>);

impl BackingMap<Value> for Counted {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>> {
        *self.1.lock() += keys.len();
        self.0.multi_get(keys)
    }

    fn multi_put(&mut self, keys: &[Key], values: Vec<Value>) -> Outcome {
        self.0.multi_put(keys, values)
    }
}

#[test]
fn a_cache_reads_what_was_used_long_ago_only() {
    let read = std::sync::Arc::default();
    let mut map = CachedMap::new(Counted(MemoryBackingMap::new(), std::sync::Arc::clone(&read)), 2);
    for name in ["a", "b", "c"] {
        map.multi_put(&[key(name)], vec![Value::from(name)]).unwrap();
    }
    assert_eq!(map.multi_get(&[key("c"), key("b")]).unwrap(), [Some("c".into()), Some("b".into())]);
    assert_eq!(*read.lock(), 0);
    assert_eq!(map.multi_get(&[key("a"), key("b"), key("z")]).unwrap(), [Some("a".into()), Some("b".into()), None]);
    assert_eq!(*read.lock(), 2);
    map.multi_get(&[key("a"), key("b")]).unwrap();
    assert_eq!(*read.lock(), 2);
    map.multi_get(&[key("c")]).unwrap();
    assert_eq!(*read.lock(), 3);
}

#[test]
fn a_snapshot_is_one_value_of_a_map() {
    let map = TransactionalMap::new(MemoryBackingMap::new());
    let mut state = SnapshottableMap::new(map, key("total"));
    state.begin_commit(1).unwrap();
    assert_eq!(state.get().unwrap(), None);
    state.set(Value::Int(4)).unwrap();
    assert_eq!(state.get().unwrap(), Some(Value::Int(4)));
    state.commit(1).unwrap();
}
