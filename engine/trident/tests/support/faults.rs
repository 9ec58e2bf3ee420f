//! Stores that fail at random, and for good once no write is left: a crash, as the stores see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use monsoon_trident::{
    BackingMap, Change, Failure, Key, MemoryBackingMap, MemoryMetadata, MemoryWindowStore, MetadataStore, Outcome,
    Value, WindowStore,
};
use serde_json::Value as Json;

use super::Dice;

/// When things go wrong: at random while there are dice, and for good once no write is left.
#[derive(Clone)]
pub struct Faults {
    pub dice: Option<Dice>,
    pub writes_left: Arc<AtomicUsize>,
}

impl Faults {
    pub fn stumble(&self, once_in: usize) -> Outcome {
        self.dice.as_ref().map_or(Ok(()), |dice| dice.stumble(once_in))
    }

    /// How many of so many entries are written, and whether that is reported as a failure.
    pub fn write(&self, entries: usize) -> (usize, bool) {
        let left = self.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match &self.dice {
            _ if left.is_err() => (0, true),
            Some(dice) if dice.roll(40) == 0 => (dice.roll(entries + 1), true),
            _ => (entries, false),
        }
    }

    pub fn has_crashed(&self) -> bool {
        self.writes_left.load(Ordering::Relaxed) == 0
    }
}

/// A table whose writes may be done in part, or wholly and yet fail.
pub struct FaultyTable<V>(pub MemoryBackingMap<V>, pub Faults);

impl<V: Clone + Send + 'static> BackingMap<V> for FaultyTable<V> {
    fn multi_get(&mut self, keys: &[Key]) -> Outcome<Vec<Option<V>>> {
        self.1.stumble(200)?;
        self.0.multi_get(keys)
    }

    fn multi_put(&mut self, keys: &[Key], mut values: Vec<V>) -> Outcome {
        let (written, fails) = self.1.write(keys.len());
        values.truncate(written);
        self.0.multi_put(&keys[..written], values)?;
        if fails { Err(Failure::new("the table is gone")) } else { Ok(()) }
    }
}

/// A metadata store whose writes may be done and yet fail.
pub struct FaultyMetadata(pub Arc<MemoryMetadata>, pub Faults);

impl MetadataStore for FaultyMetadata {
    fn list(&self, prefix: &str) -> Outcome<Vec<(String, Json)>> {
        self.0.list(prefix)
    }

    fn apply(&self, changes: &[Change]) -> Outcome {
        let (written, fails) = self.1.write(1);
        if written == 1 {
            self.0.apply(changes)?;
        }
        if fails { Err(Failure::new("the metadata store is gone")) } else { Ok(()) }
    }
}

/// A store of windows whose writes may be done and yet fail.
pub struct FaultyWindows(pub MemoryWindowStore, pub Faults);

impl FaultyWindows {
    fn write(&mut self, write: impl FnOnce(&mut MemoryWindowStore) -> Outcome) -> Outcome {
        let (written, fails) = self.1.write(1);
        if written == 1 {
            write(&mut self.0)?;
        }
        if fails { Err(Failure::new("the windows' store is gone")) } else { Ok(()) }
    }
}

impl WindowStore for FaultyWindows {
    fn entries(&mut self) -> Outcome<Vec<(u64, Value)>> {
        self.0.entries()
    }

    fn put(&mut self, txid: u64, entry: &Value) -> Outcome {
        self.write(|store| store.put(txid, entry))
    }

    fn remove(&mut self, txids: &[u64]) -> Outcome {
        self.write(|store| store.remove(txids))
    }
}

/// One seed of `MONSOON_SEED`, or so many as `MONSOON_SEEDS` says.
pub fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a seed is a number"));
    match number("MONSOON_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("MONSOON_SEEDS").unwrap_or(25)).collect(),
    }
}

/// The panics on purpose don't need to be seen.
pub fn quiet_dice() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&"very bad luck") {
            usual(panic);
        }
    }));
}
