//! From CREATE TOPOLOGY to a [`TopologySpec`].

use datafusion::sql::sqlparser::ast::{Ident, ObjectName};
use monsoon_topology::{Config, DEFAULT_STREAM, Error, Fields, Grouping, Value};

use super::from_flux::{FluxSources, spec_of_flux};
use super::native::Natives;
use super::spec::{Code, ComponentSpec, InputSpec, OutputSpec, QuerySpec, TopologySpec};
use super::window_bolt::storm_window;
use crate::data_type;
use crate::error::{Result, SqlError};
use crate::session::{folded, position, simple_name};
use crate::statement::{self, BoltCode, Component, ComponentQuery, CreateTopology, Role, SpoutCode, Statement};

/// Settings of a stream spout that aren't settings of the engine's.
const START: &str = "start";

/// What CREATE TOPOLOGY describes, and whether it is to be active from the start, if it says so.
pub(crate) fn spec_of(
    statement: &Statement,
    create: &CreateTopology,
    natives: &Natives,
) -> Result<(TopologySpec, Option<bool>)> {
    let reader = Reader { statement, natives };
    let mut active = None;
    let mut config = Config::default();
    let mut sources = FluxSources::default();
    for (name, value) in &create.options {
        match name.value.as_str() {
            "initial_status" => active = Some(reader.is_active(name, value)?),
            source if create.flux.is_some() && sources.take(source, value) => {}
            _ => reader.set(&mut config, name, value)?,
        }
    }
    if let Some(yaml) = &create.flux {
        let mut spec = spec_of_flux(&folded(&create.name), yaml, &sources, natives)?;
        // What the statement says goes before what the file says.
        config.iter().try_for_each(|(name, value)| spec.config.set(name, value.clone())).map_err(invalid)?;
        return Ok((spec, active));
    }
    let components = create.components.iter().map(|component| reader.component(component)).collect::<Result<_>>()?;
    Ok((TopologySpec { name: folded(&create.name), config, components }, active))
}

struct Reader<'a> {
    statement: &'a Statement,
    natives: &'a Natives,
}

impl Reader<'_> {
    fn at(&self, ident: &Ident) -> Option<usize> {
        Some(position(self.statement, ident))
    }

    fn is_active(&self, name: &Ident, value: &str) -> Result<bool> {
        match value.to_lowercase().as_str() {
            "active" => Ok(true),
            "inactive" => Ok(false),
            _ => Err(SqlError::new("22023", format!("initial_status is active or inactive, not {value:?}"))
                .at_place(self.at(name))),
        }
    }

    fn component(&self, component: &Component) -> Result<ComponentSpec> {
        let mut config = Config::default();
        let mut from_latest = false;
        for (name, value) in &component.options {
            match (name.value.as_str(), &component.role) {
                (START, Role::Spout(SpoutCode::Stream(_))) => from_latest = self.is_latest(name, value)?,
                _ => self.set(&mut config, name, value)?,
            }
        }
        let (code, inputs) = match &component.role {
            Role::Spout(code) => (self.spout(code, from_latest)?, Vec::new()),
            Role::Bolt { code, inputs } => {
                (self.bolt(code)?, inputs.iter().map(|input| self.input(input)).collect::<Result<_>>()?)
            }
        };
        Ok(ComponentSpec {
            name: folded(&component.name),
            position: self.at(&component.name),
            code,
            parallelism: component.parallelism,
            tasks: component.tasks,
            outputs: component.outputs.iter().map(output).collect::<Result<_>>()?,
            config,
            inputs,
        })
    }

    fn is_latest(&self, name: &Ident, value: &str) -> Result<bool> {
        match value.to_lowercase().as_str() {
            "earliest" => Ok(false),
            "latest" => Ok(true),
            _ => {
                let message = format!("start is earliest or latest, not {value:?}");
                Err(SqlError::new("22023", message).at_place(self.at(name)))
            }
        }
    }

    fn set(&self, config: &mut Config, name: &Ident, value: &str) -> Result<()> {
        set_option(config, &name.value, value).map_err(|error| error.at_place(self.at(name)))
    }

    fn spout(&self, code: &SpoutCode, from_latest: bool) -> Result<Code> {
        Ok(match code {
            SpoutCode::Stream(name) => {
                let (relation, position) = self.relation(name)?;
                Code::Stream { relation, position, from_latest }
            }
            SpoutCode::Shell(shell) => shell_code(shell),
            SpoutCode::Native(native) => self.native(native),
        })
    }

    fn bolt(&self, code: &BoltCode) -> Result<Code> {
        Ok(match code {
            BoltCode::Shell(shell) => shell_code(shell),
            BoltCode::Native(native) => self.native(native),
            BoltCode::Sql(query) => Code::Sql(self.query(query)),
            BoltCode::Window(query, window) => Code::Window(self.query(query), Some(storm_window(window))),
            BoltCode::Insert(name) => {
                let (relation, position) = self.relation(name)?;
                Code::Insert { relation, position }
            }
        })
    }

    fn relation(&self, name: &ObjectName) -> Result<(String, Option<usize>)> {
        let ident = simple_name(self.statement, name)?;
        Ok((folded(ident), self.at(ident)))
    }

    fn native(&self, native: &statement::Native) -> Code {
        let arguments = native.arguments.clone();
        Code::Native { name: native.name.value.clone(), arguments, position: self.at(&native.name) }
    }

    fn query(&self, query: &ComponentQuery) -> QuerySpec {
        let text = self.statement.sql.clone();
        QuerySpec { query: query.query.as_ref().clone(), text, offset: self.statement.offset }
    }

    fn input(&self, input: &statement::Input) -> Result<InputSpec> {
        let stream = input.stream.as_ref().map_or_else(|| DEFAULT_STREAM.to_owned(), folded);
        let position = self.at(&input.source);
        Ok(InputSpec { source: folded(&input.source), stream, grouping: self.grouping(&input.grouping)?, position })
    }

    fn grouping(&self, grouping: &statement::Grouping) -> Result<Grouping> {
        Ok(match grouping {
            statement::Grouping::Shuffle => Grouping::Shuffle,
            statement::Grouping::Fields(fields) => Grouping::Fields(fields_of(fields)?),
            statement::Grouping::PartialKey(fields) => Grouping::PartialKey(fields_of(fields)?),
            statement::Grouping::All => Grouping::All,
            statement::Grouping::Global => Grouping::Global,
            statement::Grouping::None => Grouping::None,
            statement::Grouping::Direct => Grouping::Direct,
            statement::Grouping::LocalOrShuffle => Grouping::LocalOrShuffle,
            statement::Grouping::Custom(native) => self
                .natives
                .grouping(&native.name.value, &native.arguments)
                .map_err(|error| error.at_place(self.at(&native.name)))?,
        })
    }
}

fn shell_code(shell: &statement::Shell) -> Code {
    let statement::Shell { command, directory } = shell.clone();
    Code::Shell { command, directory, environment: Default::default() }
}

fn output(output: &statement::OutputStream) -> Result<OutputSpec> {
    let field = |field: &statement::OutputField| data_type::field(&folded(&field.name), &field.data_type, true);
    Ok(OutputSpec {
        stream: output.name.as_ref().map_or_else(|| DEFAULT_STREAM.to_owned(), folded),
        fields: output.fields.iter().map(field).collect::<Result<_>>()?,
        direct: output.direct,
    })
}

fn fields_of(fields: &[Ident]) -> Result<Fields> {
    Fields::new(fields.iter().map(folded)).map_err(invalid)
}

/// Sets a setting from text. A name that the engine doesn't know must hold a dot: it is for the component's own code.
pub(crate) fn set_option(config: &mut Config, name: &str, value: &str) -> Result<()> {
    if !Config::is_setting(name) && !name.contains('.') {
        return Err(SqlError::new("22023", format!("there is no setting {name:?} of topologies"))
            .with_hint("names of a component's own settings must hold a dot, as in \"app.key\""));
    }
    config.set(name, value_of(value)).map_err(invalid)
}

fn value_of(text: &str) -> Value {
    match text.to_lowercase().as_str() {
        "null" => Value::Null,
        "true" | "on" | "yes" => Value::Bool(true),
        "false" | "off" | "no" => Value::Bool(false),
        _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::Int),
    }
}

/// What is wrong with a topology, as a client is told.
pub(crate) fn invalid(error: Error) -> SqlError {
    let sqlstate = match &error {
        Error::InvalidTopology(_) => "42P17",
        Error::AlreadyAlive(_) => "42710",
        Error::NotAlive(_) => "42704",
        Error::Component { .. } => "55000",
        Error::Checkpoint(_) => "58030",
    };
    SqlError::new(sqlstate, error.to_string())
}
