//! From `CREATE TOPOLOGY name [WITH (...)] AS FLUX '<yaml>'` to a [`TopologySpec`].
//!
//! What YAML may draw on comes with the statement, since files and the environment are the client's: options `file` (its name, for messages), `filter`
//! (the text of a properties file), `"include <path>"` (the text of an included file) and `"env <name>"` (a variable's value).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arrow::datatypes::{DataType, Field};
use monsoon_topology::flux::{
    self, BuiltIn, Component, ComponentKind, FluxOptions, FluxTopology, OutputStream, Properties,
};
use monsoon_topology::{Config, Grouping, SmolStr, Value};

use super::from_sql::invalid;
use super::native::Natives;
use super::spec::{Code, ComponentSpec, InputSpec, OutputSpec, QuerySpec, TopologySpec};
use crate::error::{Result, SqlError};
use crate::parser;

/// What a Flux file may draw on.
#[derive(Default)]
pub(crate) struct FluxSources {
    file: Option<String>,
    filter: Option<String>,
    includes: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl FluxSources {
    /// Takes an option of the statement. `false`: it is none of these.
    pub fn take(&mut self, name: &str, value: &str) -> bool {
        if let Some(path) = name.strip_prefix("include ") {
            self.includes.insert(path.to_owned(), value.to_owned());
        } else if let Some(variable) = name.strip_prefix("env ") {
            self.environment.insert(variable.to_owned(), value.to_owned());
        } else {
            match name {
                "file" => self.file = Some(value.to_owned()),
                "filter" => self.filter = Some(value.to_owned()),
                _ => return false,
            }
        }
        true
    }

    fn parse(&self, yaml: &str, natives: &Natives) -> std::result::Result<FluxTopology, flux::FluxError> {
        let properties = self.filter.as_ref().map(|text| Properties::parse("filter", text)).transpose()?;
        let variable = |name: &str| self.environment.get(name).cloned();
        let read = |path: &Path| {
            let text = self.includes.get(&*path.to_string_lossy()).cloned();
            text.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the file did not come with the statement"))
        };
        let options = FluxOptions {
            properties: properties.as_ref(),
            environment: (!self.environment.is_empty()).then_some(&variable),
            read: &read,
            is_registered: &|name| natives.has_component(name),
        };
        flux::parse(self.file.as_deref().unwrap_or("topology.yaml"), yaml, &options)
    }
}

/// What the YAML describes, under the statement's name for it.
pub(crate) fn spec_of_flux(name: &str, yaml: &str, sources: &FluxSources, natives: &Natives) -> Result<TopologySpec> {
    let topology = sources.parse(yaml, natives).map_err(|error| SqlError::new("42601", error.to_string()))?;
    let mut config = Config::default();
    set_all(&mut config, &topology.config)?;
    let components =
        topology.components().map(|component| spec(&topology, component, natives)).collect::<Result<_>>()?;
    Ok(TopologySpec { name: name.to_owned(), config, components })
}

fn set_all(config: &mut Config, values: &BTreeMap<SmolStr, Value>) -> Result<()> {
    values.iter().try_for_each(|(name, value)| config.set(name, value.clone())).map_err(invalid)
}

fn spec(topology: &FluxTopology, component: &Component, natives: &Natives) -> Result<ComponentSpec> {
    let mut config = Config::default();
    set_all(&mut config, &component.config)?;
    let streams = topology.streams.iter().filter(|stream| stream.to == component.id);
    let outputs = match &component.kind {
        ComponentKind::Shell(shell) => shell.streams.iter().map(output).collect(),
        _ => Vec::new(),
    };
    Ok(ComponentSpec {
        name: component.id.to_string(),
        position: None,
        code: code(component)?,
        parallelism: Some(component.parallelism),
        tasks: component.tasks,
        outputs,
        config,
        inputs: streams.map(|stream| input(stream, natives)).collect::<Result<_>>()?,
    })
}

/// YAML says names of fields, not types: they are text.
fn output(stream: &OutputStream) -> OutputSpec {
    let field = |name: &str| Field::new(name, DataType::Utf8, true);
    OutputSpec { stream: stream.id.to_string(), fields: stream.fields.iter().map(field).collect(), direct: false }
}

fn input(stream: &flux::Stream, natives: &Natives) -> Result<InputSpec> {
    let grouping = match &stream.grouping {
        flux::Grouping::All => Grouping::All,
        flux::Grouping::Direct => Grouping::Direct,
        flux::Grouping::Shuffle => Grouping::Shuffle,
        flux::Grouping::LocalOrShuffle => Grouping::LocalOrShuffle,
        flux::Grouping::Fields(fields) => Grouping::Fields(fields.clone()),
        flux::Grouping::PartialKey(fields) => Grouping::PartialKey(fields.clone()),
        flux::Grouping::Global => Grouping::Global,
        flux::Grouping::None => Grouping::None,
        flux::Grouping::Custom(instance) => natives.grouping(&instance.name, &texts(&instance.arguments))?,
    };
    let (source, stream) = (stream.from.to_string(), stream.stream_id.to_string());
    Ok(InputSpec { source, stream, grouping, position: None })
}

fn code(component: &Component) -> Result<Code> {
    let native = |name: &str, arguments: Vec<String>| Code::Native { name: name.to_owned(), arguments, position: None };
    Ok(match &component.kind {
        ComponentKind::Shell(shell) => Code::Shell {
            command: shell.command.clone(),
            directory: shell.starts_in_resources.then(|| "resources".to_owned()),
            environment: shell.environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        },
        ComponentKind::Native(instance) => native(&instance.name, texts(&instance.arguments)),
        ComponentKind::BuiltIn { built_in, .. } => match built_in {
            BuiltIn::Stream { relation } => {
                Code::Stream { relation: relation.to_string(), position: None, from_latest: false }
            }
            BuiltIn::Insert { table } => Code::Insert { relation: table.to_string(), position: None },
            BuiltIn::Sql { query: Some(query) } => Code::Sql(query_spec(query)?),
            BuiltIn::Log => native("log", Vec::new()),
            BuiltIn::TestWords => native("test_words", Vec::new()),
            BuiltIn::TestWordCount => native("test_word_count", Vec::new()),
            BuiltIn::Sql { query: None } => {
                return Err(SqlError::new("42601", format!("component {:?} has no query", component.id)));
            }
            BuiltIn::Window { query } => Code::Window(query_spec(query)?, None),
        },
    })
}

fn query_spec(query: &str) -> Result<QuerySpec> {
    Ok(QuerySpec { query: *parser::parse_query(query)?, text: query.to_owned(), offset: 0 })
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::to_string).collect()
}
