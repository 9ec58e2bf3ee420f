//! `TopologySpec`: a topology as its author described it, in SQL or in YAML, with names not yet looked up.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::Field;
use datafusion::sql::sqlparser::ast::Query;
use monsoon_topology::windowed::Window;
use monsoon_topology::{Config, Grouping};

/// A topology as described.
pub(crate) struct TopologySpec {
    pub name: String,
    pub config: Config,
    pub components: Vec<ComponentSpec>,
}

/// A component as described.
pub(crate) struct ComponentSpec {
    pub name: String,
    /// Its place in what the client sent, from 1.
    pub position: Option<usize>,
    pub code: Code,
    /// Executors and tasks.
    pub parallelism: Option<u32>,
    pub tasks: Option<u32>,
    /// Streams whose fields the author says.
    pub outputs: Vec<OutputSpec>,
    pub config: Config,
    /// None: a spout.
    pub inputs: Vec<InputSpec>,
}

/// What a component does.
pub(crate) enum Code {
    /// The rows of a relation. The place is that of its name.
    Stream {
        relation: String,
        position: Option<usize>,
        from_latest: bool,
    },
    Shell {
        command: Vec<String>,
        directory: Option<String>,
        environment: BTreeMap<String, String>,
    },
    Native {
        name: String,
        arguments: Vec<String>,
        position: Option<usize>,
    },
    Sql(QuerySpec),
    /// A query over windows; `None`: the component's configuration says by Storm's keys which.
    Window(QuerySpec, Option<Window>),
    Insert {
        relation: String,
        position: Option<usize>,
    },
}

/// A query over `input`.
pub(crate) struct QuerySpec {
    pub query: Query,
    /// What the query's spans speak of, and characters before it in what the client sent.
    pub text: String,
    pub offset: usize,
}

/// A stream and its fields.
pub(crate) struct OutputSpec {
    pub stream: String,
    pub fields: Vec<Field>,
    pub direct: bool,
}

/// A subscription.
pub(crate) struct InputSpec {
    pub source: String,
    pub stream: String,
    pub grouping: Grouping,
    /// The place of the source's name.
    pub position: Option<usize>,
}

impl TopologySpec {
    /// Settings that look like Storm's, which Storm doesn't have.
    pub fn unknown_settings(&self) -> BTreeSet<String> {
        let all = self.components.iter().map(|component| &component.config).chain([&self.config]);
        let names = all.flat_map(|config| config.iter().map(|(name, _)| name));
        names
            .filter(|name| name.starts_with("topology.") && !Config::is_setting(name))
            .map(|name| name.to_string())
            .collect()
    }
}

impl ComponentSpec {
    pub fn is_spout(&self) -> bool {
        self.inputs.is_empty()
    }
}
