//! `FluxTopology`: a validated topology, ready for the runtime to build.

use smol_str::SmolStr;

use super::config::ConfigMap;
use super::error::Place;
use super::grouping::Grouping;
use super::kind::{ComponentKind, Instance};

/// A topology of which all ids, references, groupings and configuration values are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct FluxTopology {
    /// Its name: not empty, and without `/ . : \`.
    pub name: String,
    /// The configuration of the topology.
    pub config: ConfigMap,
    /// At least one.
    pub spouts: Vec<Component>,
    /// Each has an input stream.
    pub bolts: Vec<Component>,
    /// No two with the same stream and receiver.
    pub streams: Vec<Stream>,
    /// Native objects to be told when the topology starts and stops on a node.
    pub worker_hooks: Vec<Hook>,
    /// What was ignored or left as it is, for the user to read; each begins with its place.
    pub notes: Vec<String>,
}

/// A spout or a bolt.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Unique among spouts and bolts; doesn't begin with `__`.
    pub id: SmolStr,
    /// The class as the file names it.
    pub class_name: SmolStr,
    /// What to run.
    pub kind: ComponentKind,
    /// How many executors, at least 1 and at most as many as tasks.
    pub parallelism: u32,
    /// How many tasks, at least 1; as many as executors when absent.
    pub tasks: Option<u32>,
    /// Its own configuration alone: what it sets by methods, then what the file says. See [`FluxTopology::config_of`].
    pub config: ConfigMap,
    /// Where it is defined.
    pub place: Place,
}

/// A stream that a bolt receives.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// For people only.
    pub name: Option<SmolStr>,
    /// The sender: a spout or a bolt.
    pub from: SmolStr,
    /// The receiver: a bolt, possibly the sender itself.
    pub to: SmolStr,
    /// Which of the sender's streams, [`DEFAULT_STREAM`] when the file says nothing.
    pub stream_id: SmolStr,
    /// How tuples are spread over the receiver's tasks.
    pub grouping: Grouping,
    /// Where it is defined.
    pub place: Place,
}

/// A worker hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Unique among hooks.
    pub id: SmolStr,
    /// The native object.
    pub instance: Instance,
}

/// The stream that a component emits to when it names none.
pub const DEFAULT_STREAM: &str = "default";

impl FluxTopology {
    /// Spouts, then bolts.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        self.spouts.iter().chain(&self.bolts)
    }

    /// The configuration in force for a component: its own values over the topology's.
    pub fn config_of(&self, component: &Component) -> ConfigMap {
        let mut config = self.config.clone();
        config.extend(component.config.iter().map(|(key, value)| (key.clone(), value.clone())));
        config
    }
}
