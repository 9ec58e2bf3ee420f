//! `World`: what the components of one simulation share, and what they do by chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::shadow::Shadow;
use crate::clock::ManualClock;
use crate::context::TaskContext;
use crate::simulation::random::Random;
use crate::stream::TaskId;
use crate::{Failure, Outcome, SmolStr};

/// How often components misbehave, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    pub panics: u32,
    pub errors: u32,
    pub fails: u32,
    /// Tuples that are never acked.
    pub forgets: u32,
    pub holds: u32,
    pub spout_panics: u32,
    /// Calls in which a bolt isn't ready.
    pub not_ready: u32,
}

/// What the components of one simulation share.
pub(super) struct World {
    pub random: Random,
    pub clock: Arc<ManualClock>,
    pub habits: Habits,
    pub pending_max: usize,
    /// Tuples that spouts have yet to emit.
    pub left: AtomicI64,
    /// Tuples that a spout emits at once now and then.
    pub burst: usize,
    /// Whether bolts say that they have state.
    pub stateful: bool,
    /// From now on everything goes well, and all that was held is acked.
    pub calm: AtomicBool,
    pub shadow: Mutex<Shadow>,
}

impl World {
    pub fn shadow(&self) -> MutexGuard<'_, Shadow> {
        self.shadow.lock()
    }

    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Chance, until it is calm.
    pub fn chance(&self, per_mille: u32) -> bool {
        self.random.chance(per_mille) && !self.is_calm()
    }

    /// Panics or fails by chance; `before` is done before.
    pub fn stumble(&self, before: impl FnOnce(&mut Shadow)) -> Outcome {
        if self.chance(self.habits.panics) {
            before(&mut self.shadow());
            panic_quietly();
        }
        if self.chance(self.habits.errors) {
            before(&mut self.shadow());
            return Err(Failure::new("chaos"));
        }
        Ok(())
    }

    /// A call takes its time.
    pub fn take_time(&self) {
        if self.random.chance(100) {
            self.clock.advance(Duration::from_micros(self.random.below(300) as u64));
        }
    }
}

/// Panics without a word on standard error.
pub(super) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("chaos"))
}

/// A stream of a component as the component sees it.
pub(super) struct Out {
    pub stream: SmolStr,
    pub direct: bool,
    /// Tasks that read it.
    pub readers: Vec<TaskId>,
}

/// The streams of a task's component.
pub(super) fn outs(context: &TaskContext) -> Vec<Out> {
    let info = context.topology();
    let streams = context.component().streams.iter();
    let outs = streams.map(|stream| {
        let reads = |input: &crate::Input| Arc::ptr_eq(&input.stream, stream);
        let readers = info.components.iter().filter(|component| component.inputs.iter().any(reads));
        let readers = readers.flat_map(|component| component.tasks.clone()).collect();
        Out { stream: stream.stream.clone(), direct: stream.direct, readers }
    });
    outs.collect()
}

impl Out {
    /// The receiver of a tuple on a direct stream: a reader, or now and then a task that isn't one. And who gets it then.
    pub fn receiver(&self, random: &Random) -> (TaskId, Vec<TaskId>) {
        match self.readers.is_empty() || random.chance(50) {
            true => (TaskId(10_000), Vec::new()),
            false => {
                let reader = random.pick(&self.readers);
                (reader, vec![reader])
            }
        }
    }
}
