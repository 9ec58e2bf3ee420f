//! Components with positions and state, which panic and fail by chance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Moment;
use crate::collector::{BoltCollector, SpoutCollector};
use crate::component::{Bolt, Spout};
use crate::context::TaskContext;
use crate::simulation::random::Random;
use crate::state::StateChanges;
use crate::stream::Streams;
use crate::tuple::{HeldTuple, Tuple};
use crate::{Failure, Outcome, Value};

/// What the components of one simulation share.
pub(super) struct World {
    pub random: Random,
    /// In a thousand calls.
    pub panics: u32,
    pub errors: u32,
    /// Totals can't work on numbers from here on, however often they are tried.
    pub poison_from: Option<i64>,
    /// From now on everything goes well.
    pub calm: AtomicBool,
    /// What each spout task has to emit: keys and numbers.
    pub inputs: Vec<Vec<(i64, i64)>>,
}

impl World {
    fn stumble(&self) {
        if !self.calm.load(Ordering::Relaxed) && self.random.chance(self.panics) {
            std::panic::resume_unwind(Box::new("chaos"));
        }
    }

    /// What can't be worked on fails after it has changed something.
    fn choke(&self, number: i64) -> Outcome {
        match self.poison_from {
            Some(from) if number >= from && number % 2 == 0 => std::panic::resume_unwind(Box::new("poison")),
            Some(from) if number >= from => Err(Failure::new("poison")),
            _ => Ok(()),
        }
    }

    fn fail(&self) -> Outcome {
        match !self.calm.load(Ordering::Relaxed) && self.random.chance(self.errors) {
            true => Err(Failure::new("chaos")),
            false => Ok(()),
        }
    }
}

/// Emits its task's input, and can go back in it.
pub(super) struct Replay {
    pub world: Arc<World>,
    pub task: usize,
    pub next: usize,
}

impl Spout for Replay {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["key", "number"]);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.task = context.task_index();
        self.world.stumble();
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Outcome {
        if let Some(&(key, number)) = self.world.inputs[self.task].get(self.next) {
            self.world.stumble();
            out.emit_tracked([key, number], self.next as i64)?;
            self.next += 1;
            self.world.stumble();
        }
        Ok(())
    }

    fn ack(&mut self, _: Value, _: &mut SpoutCollector) -> Outcome {
        self.world.stumble();
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn position(&mut self) -> Option<Vec<u8>> {
        Some((self.next as u64).to_le_bytes().to_vec())
    }

    fn seek(&mut self, position: &[u8]) -> Outcome {
        self.next = u64::from_le_bytes(position.try_into()?) as usize;
        Ok(())
    }
}

/// Passes tuples on, some of them later; it is settled when it holds none.
pub(super) struct Relay {
    pub world: Arc<World>,
    pub held: Vec<HeldTuple>,
}

impl Bolt for Relay {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["key", "number"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        self.world.stumble();
        self.world.fail()?;
        if self.world.random.chance(200) {
            self.held.push(tuple.hold());
            return Ok(());
        }
        out.emit(tuple, *tuple)?;
        self.world.stumble();
        out.ack(tuple);
        Ok(())
    }

    fn ready(&self) -> bool {
        self.world.calm.load(Ordering::Relaxed) || !self.world.random.chance(50)
    }

    fn settled(&self) -> bool {
        self.held.is_empty()
    }

    fn poll(&mut self, _: Moment, out: &mut BoltCollector) -> Outcome {
        for held in self.held.drain(..) {
            out.emit(&held, held.tuple())?;
            self.world.stumble();
            out.ack(&held);
        }
        Ok(())
    }

    fn next_poll(&self) -> Option<Moment> {
        (!self.held.is_empty() && !self.world.random.chance(700)).then_some(Moment(0))
    }
}

/// What a sum is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Kept for ever.
    Total,
    /// Emitted on a tick, and begun anew.
    Window,
}

/// Sums numbers by key.
pub(super) struct Sums {
    pub world: Arc<World>,
    pub purpose: Purpose,
    pub sums: BTreeMap<i64, i64>,
    pub changed: BTreeMap<i64, Option<i64>>,
}

impl Sums {
    pub fn new(world: Arc<World>, purpose: Purpose) -> Sums {
        Sums { world, purpose, sums: BTreeMap::new(), changed: BTreeMap::new() }
    }

    fn emit_all(&mut self, out: &mut BoltCollector) -> Outcome {
        for (key, sum) in std::mem::take(&mut self.sums) {
            out.emit((), [key, sum])?;
            self.changed.insert(key, None);
            self.world.stumble();
        }
        Ok(())
    }
}

impl Bolt for Sums {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["key", "number"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        if tuple.is_tick() {
            return match self.purpose {
                Purpose::Window => self.emit_all(out),
                Purpose::Total => Ok(()),
            };
        }
        self.world.stumble();
        if tuple.anchor().is_some_and(|anchor| anchor.is_tracked()) {
            self.world.fail()?;
        }
        let key = tuple.int("key")?;
        let sum = self.sums.entry(key).or_default();
        *sum += tuple.int("number")?;
        self.changed.insert(key, Some(*sum));
        if self.purpose == Purpose::Total {
            self.world.choke(tuple.int("number")?)?;
        }
        self.world.stumble();
        out.ack(tuple);
        Ok(())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, _: &mut BoltCollector) -> Option<StateChanges> {
        self.world.stumble();
        let encoded =
            |(key, sum): (i64, Option<i64>)| (key.to_le_bytes().to_vec(), sum.map(|sum| sum.to_le_bytes().to_vec()));
        Some(StateChanges::of(std::mem::take(&mut self.changed).into_iter().map(encoded).collect()))
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        for entry in &state {
            let (key, sum) = decoded(entry)?;
            self.sums.insert(key, sum);
        }
        Ok(())
    }
}

/// A key and its sum, from the state of [`Sums`].
pub(super) fn decoded((key, sum): &(Vec<u8>, Vec<u8>)) -> Outcome<(i64, i64)> {
    let number = |bytes: &[u8]| bytes.try_into().map(i64::from_le_bytes);
    Ok((number(key)?, number(sum)?))
}

/// How often each skipped tuple came, by its JSON text.
pub(super) struct Letters {
    pub world: Arc<World>,
    pub counts: BTreeMap<String, i64>,
    pub changed: BTreeMap<String, i64>,
}

impl Bolt for Letters {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        self.world.stumble();
        let count = self.counts.entry(tuple.text("tuple")?.into()).or_default();
        *count += 1;
        self.changed.insert(tuple.text("tuple")?.into(), *count);
        self.world.stumble();
        out.ack(tuple);
        Ok(())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, _: &mut BoltCollector) -> Option<StateChanges> {
        let encoded = |(letter, count): (String, i64)| (letter.into_bytes(), Some(count.to_le_bytes().to_vec()));
        Some(StateChanges::of(std::mem::take(&mut self.changed).into_iter().map(encoded).collect()))
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        for (letter, count) in state {
            self.counts.insert(String::from_utf8(letter)?, i64::from_le_bytes(count.as_slice().try_into()?));
        }
        Ok(())
    }
}
