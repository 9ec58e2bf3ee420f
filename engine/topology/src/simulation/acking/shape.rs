//! Random topologies: chains, diamonds, fans and cycles of chaotic components.

use std::sync::Arc;

use super::bolt::ChaosBolt;
use super::spout::ChaosSpout;
use super::world::World;
use crate::builder::{ComponentBuilder, Topology, TopologyBuilder};
use crate::grouping::{Chooser, CustomGrouping, Grouping};
use crate::simulation::random::Random;
use crate::stream::TaskId;
use crate::{Fields, Value};

const STREAMS: [&str; 3] = ["default", "second", "direct"];

/// What the settings of a topology are to be.
pub(super) struct Wanted {
    pub acking: bool,
    pub timeout_ms: Option<i64>,
    pub pending_max: Option<i64>,
    pub cycles: bool,
}

/// Sends each tuple to some tasks, or to none.
#[derive(Debug)]
struct SomeOrNone(Random);

impl CustomGrouping for SomeOrNone {
    fn prepare(&self, _: TaskId, targets: &[TaskId]) -> Box<dyn Chooser> {
        Box::new(Sometimes { random: self.0.clone(), targets: targets.len() as u32 })
    }
}

struct Sometimes {
    random: Random,
    targets: u32,
}

impl Chooser for Sometimes {
    fn choose(&mut self, _: &[Value], places: &mut Vec<u32>) {
        places.extend((0..self.targets).filter(|_| self.random.chance(400)));
    }
}

/// A random topology.
pub(super) fn topology(world: &Arc<World>, wanted: &Wanted) -> Topology {
    let random = &world.random;
    let mut builder = TopologyBuilder::new();
    settings(&mut builder, random, wanted);
    let spouts: Vec<String> = (0..1 + random.below(3)).map(|spout| format!("spout{spout}")).collect();
    let bolts: Vec<String> = (0..1 + random.below(5)).map(|bolt| format!("bolt{bolt}")).collect();
    for name in &spouts {
        let world = world.clone();
        let spout = builder.set_spout(name, move || ChaosSpout::new(world.clone()));
        component(spout, random);
    }
    for (place, name) in bolts.iter().enumerate() {
        let own = world.clone();
        let bolt = builder.set_bolt(name, move || ChaosBolt::new(own.clone()));
        let mut bolt = component(bolt, random);
        let before: Vec<String> = spouts.iter().chain(&bolts[..place]).cloned().collect();
        // The first bolt reads the first spout, so that something happens.
        bolt = if place == 0 { bolt.shuffle_grouping("spout0") } else { bolt };
        for _ in 0..1 + random.below(3) {
            let backwards = wanted.cycles && random.chance(300);
            let from = if backwards { random.pick(&bolts) } else { random.pick(&before) };
            let stream = random.pick(&STREAMS);
            bolt = bolt.grouping(&from, stream, grouping(stream, random));
        }
        if random.chance(200) {
            bolt.config("tick_interval", "1 ms");
        }
    }
    builder.build("chaos").expect("the test's topology is valid")
}

fn component<'a>(component: ComponentBuilder<'a>, random: &Random) -> ComponentBuilder<'a> {
    component.tasks(1 + random.below(3))
}

fn settings(builder: &mut TopologyBuilder, random: &Random, wanted: &Wanted) {
    builder.config("ackers", i64::from(wanted.acking));
    builder.config("batch_tuples", random.pick(&[1_i64, 1, 2, 3, 7, 100]));
    builder.config("batch_adaptive", random.chance(300));
    builder.config("queue_tuples", random.pick(&[1_i64, 2, 5, 50, 1000]));
    builder.config("load_aware", random.chance(500));
    match wanted.timeout_ms {
        Some(timeout) => builder.config("message_timeout", timeout),
        None => builder.config("message_timeouts", false),
    };
    if let Some(max) = wanted.pending_max {
        builder.config("max_spout_pending", max);
    }
}

fn grouping(stream: &str, random: &Random) -> Grouping {
    let key = || Fields::new(["key"]).expect("one field is unique");
    match random.below(9) {
        _ if stream == "direct" => Grouping::Direct,
        0 => Grouping::Fields(key()),
        1 => Grouping::PartialKey(key()),
        2 => Grouping::All,
        3 => Grouping::Global,
        4 => Grouping::None,
        5 => Grouping::LocalOrShuffle,
        6 => Grouping::Custom(Arc::new(SomeOrNone(random.clone()))),
        _ => Grouping::Shuffle,
    }
}
