//! A spout that emits by chance, panics by chance, and tells the shadow what it is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bolt::FIELDS;
use super::shadow::Fate;
use super::world::{Out, World, outs, panic_quietly};
use crate::clock::Clock;
use crate::collector::SpoutCollector;
use crate::component::Spout;
use crate::context::TaskContext;
use crate::stream::{Streams, TaskId};
use crate::{Failure, Outcome, Value};

const HOPS_MAX: i64 = 4;

pub(super) struct ChaosSpout {
    world: Arc<World>,
    me: TaskId,
    outs: Vec<Out>,
}

impl ChaosSpout {
    pub fn new(world: Arc<World>) -> ChaosSpout {
        ChaosSpout { world, me: TaskId::SYSTEM, outs: Vec::new() }
    }

    fn stumble(&self) -> Outcome {
        if self.world.chance(self.world.habits.spout_panics) {
            self.world.shadow().spout_died(self.me);
            panic_quietly();
        }
        match self.world.chance(self.world.habits.errors) {
            true => Err(Failure::new("chaos")),
            false => Ok(()),
        }
    }

    fn emit(&self, collector: &mut SpoutCollector) -> Outcome {
        let World { random, clock, .. } = &*self.world;
        if self.world.is_calm() || self.world.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Ok(());
        }
        let emission = self.world.shadow().next_emission();
        let tracked = !random.chance(150);
        // The moment the engine sees: the one at which the step began.
        let root = tracked.then(|| self.world.shadow().root(self.me, clock.now()));
        let out = &self.outs[random.below(self.outs.len())];
        let row = [emission, 1 + random.below(HOPS_MAX as usize) as i64, random.below(5) as i64];
        let id = root.map(|root| Value::Int(root as i64));
        let receivers = match (out.direct, id) {
            (true, id) => {
                let (task, receivers) = out.receiver(random);
                collector.emit_direct(task, &out.stream, row, id)?;
                receivers
            }
            (false, Some(id)) if out.stream == "default" => collector.emit_tracked(row, id)?.to_vec(),
            (false, id) => collector.emit_on(&out.stream, row, id)?.to_vec(),
        };
        self.world.shadow().emitted_by_spout((emission, &out.stream), root, &receivers);
        Ok(())
    }

    fn told(&mut self, id: &Value, fate: Fate, collector: &mut SpoutCollector) -> Outcome {
        let now = self.world.clock.now();
        let root = id.as_int().unwrap_or(-1);
        self.world.shadow().told(self.me, root as usize, fate, now);
        if self.world.chance(30) {
            self.emit(collector)?;
        }
        self.stumble()
    }
}

impl Spout for ChaosSpout {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(FIELDS);
        streams.declare_stream("second", FIELDS);
        streams.declare_direct("direct", FIELDS);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        (self.me, self.outs) = (context.task(), outs(context));
        self.stumble()
    }

    fn activate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.stumble()
    }

    fn deactivate(&mut self, collector: &mut SpoutCollector) -> Outcome {
        self.emit(collector)?;
        self.stumble()
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if collector.pending() >= self.world.pending_max {
            self.world.shadow().note_wrong("a spout was asked for more than may be pending");
        }
        self.stumble()?;
        let tuples = if self.world.chance(100) { 2 + self.world.burst } else { self.world.random.below(2) };
        for _ in 0..tuples {
            self.emit(collector)?;
            self.world.take_time();
        }
        self.stumble()
    }

    fn ack(&mut self, id: Value, collector: &mut SpoutCollector) -> Outcome {
        self.told(&id, Fate::Acked, collector)
    }

    fn fail(&mut self, id: Value, collector: &mut SpoutCollector) -> Outcome {
        self.told(&id, Fate::Failed, collector)
    }
}
