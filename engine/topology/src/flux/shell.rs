//! `Shell`: a component that is a process speaking the multilang protocol.
//!
//! Made by `FluxShellSpout` and `FluxShellBolt` (arguments: the command, then maybe the output fields) or by Storm's bare
//! `ShellSpout` and `ShellBolt` (arguments: the command, as one list or as its words).

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::config::ConfigMap;
use super::kind::{Instance, MethodCall, Role};
use super::model::DEFAULT_STREAM;
use crate::{Fields, Value};

/// A process and the streams it emits to.
#[derive(Debug, Clone, PartialEq)]
pub struct Shell {
    /// The program and its arguments, never empty.
    pub command: Vec<String>,
    /// The streams it declares, the default one among them when it has output fields. Ids are unique.
    pub streams: Vec<OutputStream>,
    /// Environment variables for the process, by `setEnv`.
    pub environment: BTreeMap<SmolStr, SmolStr>,
    /// Whether the process starts in the resources' directory, as it does unless `changeChildCWD` says no.
    pub starts_in_resources: bool,
    /// Configuration set by `addComponentConfig`, unchecked; the component's configuration has it checked.
    pub config: ConfigMap,
}

/// A stream that a component declares.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputStream {
    /// Its id.
    pub id: SmolStr,
    /// The fields of its tuples.
    pub fields: Fields,
}

const METHODS: &str = "setDefaultStream, setNamedStream, addComponentConfig, setEnv, changeChildCWD";

impl Shell {
    /// Where a class stands when it is one of Storm's shell components.
    pub(super) fn role_of(class: &str) -> Option<Role> {
        match class {
            "org.apache.storm.flux.wrappers.spouts.FluxShellSpout" | "org.apache.storm.spout.ShellSpout" => {
                Some(Role::Spout)
            }
            "org.apache.storm.flux.wrappers.bolts.FluxShellBolt" | "org.apache.storm.task.ShellBolt" => {
                Some(Role::Bolt)
            }
            _ => None,
        }
    }

    /// From constructor arguments and method calls.
    pub(super) fn new(class: &str, instance: &Instance) -> Result<Shell, String> {
        let arguments = instance.arguments.as_slice();
        let takes_words = !class.contains(".wrappers.");
        let (command, fields) = match arguments {
            [command @ Value::List(_)] => (texts(command), None),
            [command @ Value::List(_), fields @ Value::List(_)] if !takes_words => (texts(command), Some(fields)),
            [Value::Text(_), ..] if takes_words => (texts(&arguments.to_vec().into()), None),
            _ => (None, None),
        };
        let command = command.filter(|words| !words.is_empty()).ok_or_else(|| no_constructor(class, arguments))?;
        if let Some(property) = instance.properties.keys().next() {
            return Err(format!("{class} has no property {property:?}"));
        }
        let command = command.iter().map(SmolStr::to_string).collect();
        let (streams, environment, config) = (Vec::new(), BTreeMap::new(), ConfigMap::new());
        let mut shell = Shell { command, streams, environment, starts_in_resources: true, config };
        if let Some(fields) = fields {
            shell.set_stream(DEFAULT_STREAM, fields)?;
        }
        instance.methods.iter().try_for_each(|method| shell.call(class, method))?;
        Ok(shell)
    }

    fn call(&mut self, class: &str, method: &MethodCall) -> Result<(), String> {
        match (method.name.as_str(), method.arguments.as_slice()) {
            ("setDefaultStream", [fields @ Value::List(_)]) => self.set_stream(DEFAULT_STREAM, fields)?,
            ("setNamedStream", [Value::Text(id), fields @ Value::List(_)]) => self.set_stream(id, fields)?,
            ("addComponentConfig", [Value::Text(key), value]) => {
                self.config.insert(key.clone(), value.clone());
            }
            ("setEnv", [Value::Map(variables)]) => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string().into(), SmolStr::new);
                self.environment = variables.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            }
            ("changeChildCWD", [Value::Bool(change)]) => self.starts_in_resources = *change,
            (name, arguments) => {
                let found = kinds(arguments);
                return Err(format!(
                    "unable to find configuration method {name}({found}) of {class}, expected one of {METHODS} with its \
                     arguments"
                ));
            }
        }
        Ok(())
    }

    /// Declares a stream, in the place of one with the same id.
    fn set_stream(&mut self, id: &str, fields: &Value) -> Result<(), String> {
        let names = texts(fields).ok_or_else(|| format!("the fields of stream {id:?} are {fields}, expected names"))?;
        let fields = Fields::new(names).map_err(|error| format!("stream {id:?}: {error}"))?;
        self.streams.retain(|stream| stream.id != id);
        self.streams.push(OutputStream { id: id.into(), fields });
        Ok(())
    }
}

/// A list's scalars as text: a word such as `8080` in a command is text although it reads like a number.
fn texts(value: &Value) -> Option<Vec<SmolStr>> {
    let text = |item: &Value| match item {
        Value::Text(text) => Some(text.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(SmolStr::new(item.to_string())),
        _ => None,
    };
    value.as_list()?.iter().map(text).collect()
}

fn no_constructor(class: &str, arguments: &[Value]) -> String {
    format!(
        "couldn't find a suitable constructor of {class}: found ({}), expected a command as a list of words{}",
        kinds(arguments),
        if class.contains(".wrappers.") { ", and maybe a list of output fields" } else { "" }
    )
}

fn kinds(arguments: &[Value]) -> String {
    arguments.iter().map(Value::kind).collect::<Vec<_>>().join(", ")
}
