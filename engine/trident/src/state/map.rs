//! Maps: the database behind a state, and the states that are maps.

use monsoon_topology::{Failure, Outcome, Value};

use super::{Key, State};

/// A table of a database. Keys in one call are distinct.
///
/// To keep a state in your own database exactly once, implement this for the values of the map you choose:
/// [`super::OpaqueValue`] for [`super::OpaqueMap`], [`super::TransactionalValue`] for [`super::TransactionalMap`].
pub trait BackingMap<V>: Send + 'static {
    /// One value for each key, `None` where there is none.
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<V>>>;
    /// Stores a value for each key.
    fn multi_put(&mut self, keys: &[Key], values: Vec<V>) -> Outcome;
}

/// The new value of a key: called with the place of the key among those of the call, and its value.
pub type UpdateValue<'a> = &'a mut dyn FnMut(usize, Option<&Value>) -> Outcome<Value>;

/// A map that can be read.
pub trait ReadOnlyMapState: Send + 'static {
    /// One value for each key, `None` where there is none.
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<Value>>>;
}

/// A map that batches update. Keys in one call are distinct.
pub trait MapState: ReadOnlyMapState + State {
    /// Updates each key and returns the new values.
    fn multi_update(&mut self, keys: &[Key], update: UpdateValue<'_>) -> Outcome<Vec<Value>>;
    /// Stores a value for each key.
    fn multi_put(&mut self, keys: &[Key], values: Vec<Value>) -> Outcome {
        expect_count("values", values.len(), keys.len())?;
        self.multi_update(keys, &mut |place, _| Ok(values[place].clone())).map(|_| ())
    }
}

/// A map of which batches remove keys.
pub trait RemovableMapState: State {
    /// Removes the keys.
    fn multi_remove(&mut self, keys: &[Key]) -> Outcome;
}

/// The stored values of keys, as many as the keys.
pub(super) fn stored<V, B: BackingMap<V>>(backing: &mut B, keys: &[Key]) -> Outcome<Vec<Option<V>>> {
    let values = backing.multi_get(keys)?;
    expect_count("values", values.len(), keys.len())?;
    Ok(values)
}

/// A failure unless there are as many as wanted.
pub(crate) fn expect_count(what: &str, got: usize, wanted: usize) -> Outcome {
    if got == wanted { Ok(()) } else { Err(Failure::new(format!("{got} {what} for {wanted}"))) }
}
