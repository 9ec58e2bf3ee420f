//! Groupings: which tasks of a subscriber get a tuple.
//!
//! A `Grouping` is what a topology declares, a `Grouper` what one emitting task keeps for one subscriber.

mod balance;
mod jitter_aware;
mod key;
mod load_aware;
mod partial_key;

use std::fmt;
use std::sync::Arc;

use crate::anchor::EdgeIds;
use crate::stream::TaskId;
use crate::{Fields, Value};

pub use jitter_aware::{JitterAware, Jitters};
pub use key::key_hash;

use self::load_aware::LoadAware;
use self::partial_key::PartialKey;

/// Which tasks of a bolt get a tuple of a stream it subscribes to.
#[derive(Clone, Debug)]
pub enum Grouping {
    /// Evenly; less to tasks whose queues are fuller (`load_aware`).
    Shuffle,
    /// Equal values of these fields go to the same task.
    Fields(Fields),
    /// Equal values of these fields go to one of two tasks, to the one that this emitter has used less.
    PartialKey(Fields),
    /// To every task.
    All,
    /// To the task with the lowest number.
    Global,
    /// To any; the emitter doesn't care.
    None,
    /// The emitter picks the task; for streams declared direct.
    Direct,
    /// Evenly over the tasks in the emitter's process if there are any, otherwise as shuffle.
    LocalOrShuffle,
    /// As user code says.
    Custom(Arc<dyn CustomGrouping>),
}

impl Grouping {
    /// Its name in SQL, with its fields.
    pub fn describe(&self) -> String {
        let keyed = |name, fields: &Fields| format!("{name} ({})", fields.iter().collect::<Vec<_>>().join(", "));
        match self {
            Grouping::Shuffle => "SHUFFLE".into(),
            Grouping::Fields(fields) => keyed("FIELDS", fields),
            Grouping::PartialKey(fields) => keyed("PARTIAL KEY", fields),
            Grouping::All => "ALL".into(),
            Grouping::Global => "GLOBAL".into(),
            Grouping::None => "NONE".into(),
            Grouping::Direct => "DIRECT".into(),
            Grouping::LocalOrShuffle => "LOCAL OR SHUFFLE".into(),
            Grouping::Custom(_) => "CUSTOM".into(),
        }
    }
}

/// A grouping of the user's.
pub trait CustomGrouping: Send + Sync + fmt::Debug {
    /// Makes what one emitting task uses. `targets` are the subscriber's tasks, in order.
    fn prepare(&self, source: TaskId, targets: &[TaskId]) -> Box<dyn Chooser>;
}

/// A custom grouping at work for one emitting task.
pub trait Chooser: Send {
    /// Appends the places among `targets` of the tasks that get the tuple: none, one or more.
    fn choose(&mut self, values: &[Value], places: &mut Vec<u32>);

    /// The fill of each target's queue, 0 to 1, told from time to time.
    fn refresh_load(&mut self, _loads: &[f64]) {}
}

/// A grouping at work for one emitting task and one subscriber. Answers are places among the subscriber's tasks.
pub(crate) enum Grouper {
    /// The subscriber has one task.
    Only,
    Balanced(balance::RoundRobin),
    LoadAware(LoadAware),
    Fields {
        key: Vec<usize>,
        targets: u32,
    },
    PartialKey(PartialKey),
    All {
        targets: u32,
    },
    Global,
    Random {
        random: EdgeIds,
        targets: u32,
    },
    Direct,
    Custom(Box<dyn Chooser>),
}

/// What a grouper is made for.
pub(crate) struct GrouperPlace<'a> {
    pub source: TaskId,
    pub targets: &'a [TaskId],
    pub fields: &'a Fields,
    pub load_aware: bool,
    pub seed: u64,
}

impl Grouper {
    pub fn new(grouping: &Grouping, place: &GrouperPlace<'_>) -> crate::Result<Grouper> {
        let targets = place.targets.len() as u32;
        let grouper = match grouping {
            Grouping::Direct => Grouper::Direct,
            Grouping::Custom(custom) => Grouper::Custom(custom.prepare(place.source, place.targets)),
            Grouping::Fields(fields) => Grouper::Fields { key: place.fields.select(fields)?, targets },
            Grouping::PartialKey(fields) => Grouper::PartialKey(PartialKey::new(place.fields.select(fields)?, targets)),
            Grouping::All => Grouper::All { targets },
            Grouping::Global => Grouper::Global,
            _ if targets == 1 => Grouper::Only,
            Grouping::None => Grouper::Random { random: EdgeIds::new(place.seed), targets },
            Grouping::Shuffle | Grouping::LocalOrShuffle if place.load_aware => {
                Grouper::LoadAware(LoadAware::new(targets, place.seed))
            }
            Grouping::Shuffle | Grouping::LocalOrShuffle => {
                Grouper::Balanced(balance::RoundRobin::even(targets, place.seed))
            }
        };
        Ok(grouper)
    }

    /// Appends the places of the tasks that get a tuple of these values.
    #[inline]
    pub fn choose(&mut self, values: &[Value], places: &mut Vec<u32>) {
        match self {
            Grouper::Only | Grouper::Global => places.push(0),
            Grouper::Balanced(round) => places.push(round.next()),
            Grouper::LoadAware(shuffle) => places.push(shuffle.next()),
            Grouper::Fields { targets: 1, .. } => places.push(0),
            Grouper::Fields { key, targets } => {
                let hash = key_hash(key.iter().map(|&field| &values[field]));
                places.push((hash % u64::from(*targets)) as u32);
            }
            Grouper::PartialKey(partial) => places.push(partial.choose(values)),
            Grouper::All { targets } => places.extend(0..*targets),
            Grouper::Random { random, targets } => places.push((random.next() % u64::from(*targets)) as u32),
            Grouper::Direct => {}
            Grouper::Custom(chooser) => chooser.choose(values, places),
        }
    }

    /// Whether [`Grouper::refresh_load`] does anything.
    pub fn wants_load(&self) -> bool {
        matches!(self, Grouper::LoadAware(_) | Grouper::Custom(_))
    }

    /// Tells the fill of each target's queue, 0 to 1.
    pub fn refresh_load(&mut self, loads: &[f64]) {
        match self {
            Grouper::LoadAware(shuffle) => shuffle.refresh(loads),
            Grouper::Custom(chooser) => chooser.refresh_load(loads),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
