//! A bolt that acks, holds, fails, forgets, emits and panics by chance, and tells the shadow what it does.

use std::sync::Arc;

use super::shadow::Shadow;
use super::world::{Out, World, outs};
use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::component::Bolt;
use crate::context::TaskContext;
use crate::stream::{Streams, TaskId};
use crate::tuple::{HeldTuple, Tuple};
use crate::{Failure, Outcome};

/// The number of the emission, how many more tuples may descend from it in a line, and a key.
pub(super) const FIELDS: [&str; 3] = ["id", "hops", "key"];

/// A tuple that is kept, and its place in the shadow.
struct Held {
    tuple: HeldTuple,
    node: usize,
}

pub(super) struct ChaosBolt {
    world: Arc<World>,
    me: TaskId,
    outs: Vec<Out>,
    held: Vec<Held>,
}

/// What a tuple may descend from.
type Parent<'a> = (Tuple<'a>, usize);

impl ChaosBolt {
    pub fn new(world: Arc<World>) -> ChaosBolt {
        ChaosBolt { world, me: TaskId::SYSTEM, outs: Vec::new(), held: Vec::new() }
    }

    /// Emits some tuples that descend from these, from some of these twice, or from none.
    fn emit(&self, parents: &[Parent<'_>], hops: i64, out: &mut BoltCollector) -> Outcome {
        let random = &self.world.random;
        let mut parents: Vec<Parent<'_>> = match random.below(10) {
            0 => Vec::new(),
            1 => parents.iter().chain(parents).copied().collect(),
            _ => parents.to_vec(),
        };
        if random.chance(100) {
            parents.extend(self.held.iter().map(|held| (held.tuple.tuple(), held.node)));
        }
        let (anchors, nodes): (Vec<Tuple<'_>>, Vec<usize>) = parents.into_iter().unzip();
        let emission = self.world.shadow().next_emission();
        let row = [emission, hops, random.below(5) as i64];
        let on = &self.outs[random.below(self.outs.len())];
        let receivers = match (on.direct, anchors.as_slice()) {
            (true, _) => {
                let (task, receivers) = on.receiver(random);
                out.emit_direct(task, &on.stream, anchors, row)?;
                receivers
            }
            (false, []) => out.emit_on(&on.stream, (), row)?.to_vec(),
            (false, [anchor]) if on.stream == "default" => out.emit(anchor, row)?.to_vec(),
            (false, _) => out.emit_on(&on.stream, anchors, row)?.to_vec(),
        };
        self.world.shadow().emitted((emission, &on.stream), &nodes, &receivers);
        Ok(())
    }

    /// Does what comes to its mind with the tuples it holds; with all of them when it is calm.
    fn work_off(&mut self, out: &mut BoltCollector) -> Outcome {
        if self.world.is_calm() {
            for held in self.held.drain(..) {
                self.world.shadow().acked(held.node);
                out.ack(&held.tuple);
            }
            return Ok(());
        }
        match self.world.random.below(12) {
            0..4 => self.ack_some(out),
            4 => self.join_all(out),
            5 => self.fail_one(out),
            6 => {
                self.held.iter().for_each(|held| out.reset_timeout(&held.tuple));
                Ok(())
            }
            7 => self.ack_from_elsewhere(out),
            8 => self.world.stumble(|_| ()),
            _ => Ok(()),
        }
    }

    fn take_one(&mut self) -> Option<Held> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(self.world.random.below(self.held.len())))
    }

    fn ack_some(&mut self, out: &mut BoltCollector) -> Outcome {
        while !self.world.random.chance(300)
            && let Some(held) = self.take_one()
        {
            self.world.shadow().acked(held.node);
            out.ack(&held.tuple);
        }
        Ok(())
    }

    /// One tuple of all that are held, which are acked together.
    fn join_all(&mut self, out: &mut BoltCollector) -> Outcome {
        let held = std::mem::take(&mut self.held);
        let parents: Vec<Parent<'_>> = held.iter().map(|held| (held.tuple.tuple(), held.node)).collect();
        let hops = held.iter().filter_map(|held| held.tuple.values()[1].as_int()).min().unwrap_or_default();
        if hops > 0 {
            self.emit(&parents, hops - 1, out)?;
        }
        held.iter().for_each(|held| self.world.shadow().acked(held.node));
        let tuples: Vec<HeldTuple> = held.into_iter().map(|held| held.tuple).collect();
        out.ack(&tuples);
        Ok(())
    }

    fn fail_one(&mut self, out: &mut BoltCollector) -> Outcome {
        if let Some(held) = self.take_one() {
            self.world.shadow().failed(held.node);
            out.fail(&held.tuple);
        }
        Ok(())
    }

    fn ack_from_elsewhere(&mut self, out: &mut BoltCollector) -> Outcome {
        let Some(Held { tuple, node }) = self.take_one() else { return Ok(()) };
        let world = self.world.clone();
        out.remote().run(move |out| {
            world.stumble(|_| ())?;
            world.shadow().acked(node);
            out.ack(&tuple);
            Ok(())
        });
        Ok(())
    }

    /// Acks the tuple, keeps it, or does what it shouldn't.
    fn end(&mut self, tuple: &Tuple<'_>, node: usize, out: &mut BoltCollector) -> Outcome {
        let habits = self.world.habits;
        if self.world.chance(habits.forgets) {
            return Ok(());
        }
        if self.world.chance(habits.holds) {
            let held = tuple.hold();
            self.held.push(Held { tuple: held, node });
            return Ok(());
        }
        if self.world.chance(habits.fails) {
            self.world.shadow().failed(node);
            out.fail(tuple);
            return Ok(());
        }
        self.world.shadow().acked(node);
        out.ack(tuple);
        if self.world.random.chance(30) {
            // Neither has an effect any more.
            out.ack(tuple);
            out.fail(tuple);
        }
        self.world.stumble(|_| ())
    }

    fn fan_out(&mut self, tuple: &Tuple<'_>, node: usize, out: &mut BoltCollector) -> Outcome {
        let hops = tuple.int("hops")?;
        let children = if hops > 0 { self.world.random.below(3) } else { 0 };
        for _ in 0..children {
            self.emit(&[(*tuple, node)], hops - 1, out)?;
        }
        Ok(())
    }
}

impl Bolt for ChaosBolt {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(FIELDS);
        streams.declare_stream("second", FIELDS);
        streams.declare_direct("direct", FIELDS);
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        (self.me, self.outs) = (context.task(), outs(context));
        self.world.stumble(|_| ())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        if tuple.is_tick() {
            return self.work_off(out);
        }
        let arrived = self.world.shadow().arrived(tuple, self.me);
        let node = arrived.ok_or_else(|| Failure::new("a tuple that was never sent"))?;
        check_tracked(&mut self.world.shadow(), tuple, node);
        self.world.take_time();
        // The engine fails the tuple of a call that ends badly.
        let fail = |shadow: &mut Shadow| shadow.failed(node);
        self.world.stumble(fail)?;
        self.fan_out(tuple, node, out)?;
        self.world.stumble(fail)?;
        if self.world.random.chance(50) {
            out.reset_timeout(tuple);
        }
        self.end(tuple, node, out)?;
        if self.world.random.chance(20) && tuple.anchor().is_none_or(|anchor| !anchor.is_tracked()) {
            // It is in no tree any more, so neither is what descends from it.
            self.emit_late(tuple, out)?;
        }
        // What is held when the bolt panics is lost; the tuple at hand fails unless it is among that.
        let held = self.held.iter().any(|held| held.node == node);
        self.world.stumble(|shadow| {
            if !held {
                shadow.failed(node)
            }
        })
    }

    fn ready(&self) -> bool {
        !self.world.chance(self.world.habits.not_ready)
    }

    fn stateful(&self) -> bool {
        self.world.stateful
    }

    fn poll(&mut self, _: Moment, out: &mut BoltCollector) -> Outcome {
        self.work_off(out)
    }

    fn next_poll(&self) -> Option<Moment> {
        (!self.held.is_empty()).then_some(Moment(0))
    }
}

impl ChaosBolt {
    fn emit_late(&self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        let hops = tuple.int("hops")?;
        if hops == 0 {
            return Ok(());
        }
        let emission = self.world.shadow().next_emission();
        let receivers = out.emit(tuple, [emission, hops - 1, 0])?.to_vec();
        self.world.shadow().emitted((emission, "default"), &[], &receivers);
        Ok(())
    }
}

fn check_tracked(shadow: &mut Shadow, tuple: &Tuple<'_>, node: usize) {
    let tracked = tuple.anchor().is_some_and(|anchor| anchor.is_tracked());
    if tracked != shadow.is_tracked(node) {
        shadow.note_wrong(format!("tuple {:?} is tracked: {tracked}", tuple.values()));
    }
}
