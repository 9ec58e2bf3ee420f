//! `ComponentKind`: what Monsoon runs for a class named in a Flux file.
//!
//! In this order: the name of a built-in; `native:<name>`; a name that the caller has registered, which may be that of a Java
//! class; Storm's shell wrappers; Storm's classes that a built-in stands for. Any other class is Java and refused.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::definition::BeanDefinition;
use super::error::FluxError;
use super::model::DEFAULT_STREAM;
use super::shell::{OutputStream, Shell};
use crate::{Fields, Value};

/// What to run as a spout or bolt.
#[derive(Debug, Clone, PartialEq)]
pub enum ComponentKind {
    /// A process that speaks the multilang protocol.
    Shell(Shell),
    /// A component of Monsoon's own.
    BuiltIn {
        /// Which, with its arguments.
        built_in: BuiltIn,
        /// Its properties, unchecked.
        properties: BTreeMap<SmolStr, Value>,
    },
    /// A component that the caller knows by name.
    Native(Instance),
}

/// A component of Monsoon's own.
#[derive(Debug, Clone, PartialEq)]
pub enum BuiltIn {
    /// `stream` (spout): the rows of a relation.
    Stream {
        /// The relation's name.
        relation: SmolStr,
    },
    /// `sql` (spout or bolt): a query.
    Sql {
        /// Its text, unless a property has it.
        query: Option<SmolStr>,
    },
    /// `insert` (bolt): writes tuples to a table.
    Insert {
        /// The table's name.
        table: SmolStr,
    },
    /// `window` (bolt): a query over each window of tuples. Its configuration says by Storm's keys which windows: see
    /// [`crate::windowed::Window::from_config`], with which it has been checked.
    Window {
        /// Its text: over `input`, as of a SQL bolt, with the columns `window_start` and `window_end`.
        query: SmolStr,
    },
    /// `log` (bolt): writes tuples to the log.
    Log,
    /// `test_words` (spout): random words in the field `word`.
    TestWords,
    /// `test_word_count` (bolt): counts words, fields `word` and `count`.
    TestWordCount,
}

/// An object to be made by name. Where the file refers to a bean there is a map that describes it, with those keys that it
/// has of `className`, `constructorArgs`, `properties`, `configMethods` (each with `name`, `args`), `factory`, `factoryArgs`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Instance {
    /// The registered name, without `native:`.
    pub name: SmolStr,
    /// Arguments of its constructor.
    pub arguments: Vec<Value>,
    /// Properties to set.
    pub properties: BTreeMap<SmolStr, Value>,
    /// Methods to call, in order.
    pub methods: Vec<MethodCall>,
}

/// A method to call on an object.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodCall {
    /// The method.
    pub name: SmolStr,
    /// Its arguments.
    pub arguments: Vec<Value>,
}

impl MethodCall {
    /// As a map of `name` and `args`.
    pub(super) fn into_value(self) -> Value {
        Value::Map([("name".into(), self.name.into()), ("args".into(), self.arguments.into())].into())
    }
}

/// Where a component stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Among the spouts.
    Spout,
    /// Among the bolts.
    Bolt,
}

/// The names of the built-ins.
pub const BUILT_INS: [&str; 7] = ["stream", "sql", "insert", "window", "log", "test_words", "test_word_count"];

impl ComponentKind {
    /// The streams that it declares; `None` when only the runtime knows.
    pub fn outputs(&self) -> Option<Vec<OutputStream>> {
        let default = |fields: &[&str]| {
            let fields = Fields::new(fields).expect("the names are distinct");
            Some(vec![OutputStream { id: DEFAULT_STREAM.into(), fields }])
        };
        match self {
            ComponentKind::Shell(shell) => Some(shell.streams.clone()),
            ComponentKind::Native(_) => None,
            ComponentKind::BuiltIn { built_in, .. } => match built_in {
                BuiltIn::Stream { .. } | BuiltIn::Sql { .. } | BuiltIn::Window { .. } => None,
                BuiltIn::Insert { .. } | BuiltIn::Log => Some(Vec::new()),
                BuiltIn::TestWords => default(&["word"]),
                BuiltIn::TestWordCount => default(&["word", "count"]),
            },
        }
    }
}

/// Maps a class in its place.
pub(super) fn kind_of(
    bean: &BeanDefinition,
    role: Role,
    instance: Instance,
    is_registered: &dyn Fn(&str) -> bool,
) -> Result<ComponentKind, FluxError> {
    let class = bean.class_name.as_str();
    if let Some(kind) = native(bean, &instance, is_registered) {
        return kind.map_err(|reason| refuse(bean, reason));
    }
    check_factory(bean).map_err(|reason| refuse(bean, reason))?;
    if let Some(wanted) = Shell::role_of(class) {
        check_role(bean, role, wanted)?;
        return Shell::new(class, &instance).map(ComponentKind::Shell).map_err(|reason| refuse(bean, reason));
    }
    let Some(name) = built_in_name(class) else { return Err(refuse(bean, unknown_class(class, role))) };
    match name {
        "stream" | "test_words" => check_role(bean, role, Role::Spout)?,
        "sql" => {}
        _ => check_role(bean, role, Role::Bolt)?,
    }
    let built_in = built_in(name, &instance).map_err(|reason| refuse(bean, reason))?;
    Ok(ComponentKind::BuiltIn { built_in, properties: instance.properties })
}

/// Maps the class of a worker hook or a custom grouping: only native objects can be those.
pub(super) fn native_of(
    bean: &BeanDefinition,
    instance: Instance,
    is_registered: &dyn Fn(&str) -> bool,
) -> Result<Instance, String> {
    match native(bean, &instance, is_registered) {
        Some(Ok(ComponentKind::Native(instance))) => Ok(instance),
        Some(Err(reason)) => Err(reason),
        _ => Err(format!("class {} can't run in Monsoon; register a native object of that name", bean.class_name)),
    }
}

fn native(
    bean: &BeanDefinition,
    instance: &Instance,
    is_registered: &dyn Fn(&str) -> bool,
) -> Option<Result<ComponentKind, String>> {
    let class = bean.class_name.as_str();
    let name = class.strip_prefix("native:").unwrap_or(class);
    let is_marked = name.len() < class.len();
    if !is_marked && BUILT_INS.contains(&class) {
        return None;
    }
    if is_registered(name) {
        let instance = Instance { name: name.into(), ..instance.clone() };
        return Some(check_factory(bean).map(|()| ComponentKind::Native(instance)));
    }
    is_marked.then(|| Err(format!("no native component {name:?} is registered")))
}

fn check_factory(bean: &BeanDefinition) -> Result<(), String> {
    match bean.factory {
        None => Ok(()),
        Some(_) => Err("a factory method is Java and can't be called; use constructorArgs".to_owned()),
    }
}

fn built_in_name(class: &str) -> Option<&str> {
    match class {
        "org.apache.storm.flux.wrappers.bolts.LogInfoBolt" => Some("log"),
        "org.apache.storm.testing.TestWordSpout" => Some("test_words"),
        "org.apache.storm.testing.TestWordCounter" => Some("test_word_count"),
        name => BUILT_INS.contains(&name).then_some(name),
    }
}

fn built_in(name: &str, instance: &Instance) -> Result<BuiltIn, String> {
    if let Some(method) = instance.methods.first() {
        return Err(format!("unable to find configuration method {:?} of {name}, which has none", method.name));
    }
    let wrong = |expected: &str| {
        let found = instance.arguments.len();
        Err(format!("couldn't find a suitable constructor of {name}: found {found} arguments, expected {expected}"))
    };
    match (name, instance.arguments.as_slice()) {
        ("stream", [Value::Text(relation)]) => Ok(BuiltIn::Stream { relation: relation.clone() }),
        ("stream", _) => wrong("the name of a relation"),
        ("sql", []) => Ok(BuiltIn::Sql { query: None }),
        ("sql", [Value::Text(query)]) => Ok(BuiltIn::Sql { query: Some(query.clone()) }),
        ("sql", _) => wrong("the text of a query, or none"),
        ("insert", [Value::Text(table)]) => Ok(BuiltIn::Insert { table: table.clone() }),
        ("insert", _) => wrong("the name of a table"),
        ("window", [Value::Text(_)]) if !instance.properties.is_empty() => {
            Err("window has no properties: its config says which windows".to_owned())
        }
        ("window", [Value::Text(query)]) => Ok(BuiltIn::Window { query: query.clone() }),
        ("window", _) => wrong("the text of a query"),
        ("log", []) => Ok(BuiltIn::Log),
        // Storm's spout takes a flag that says whether it may have several tasks; here it always may.
        ("test_words", [] | [Value::Bool(_)]) => Ok(BuiltIn::TestWords),
        ("test_words", _) => wrong("none, or true or false"),
        ("test_word_count", []) => Ok(BuiltIn::TestWordCount),
        _ => wrong("none"),
    }
}

fn check_role(bean: &BeanDefinition, role: Role, wanted: Role) -> Result<(), FluxError> {
    match (role, wanted) {
        (Role::Spout, Role::Bolt) => {
            Err(refuse(bean, format!("{} is a bolt, found among the spouts", bean.class_name)))
        }
        (Role::Bolt, Role::Spout) => {
            Err(refuse(bean, format!("{} is a spout, found among the bolts", bean.class_name)))
        }
        _ => Ok(()),
    }
}

fn unknown_class(class: &str, role: Role) -> String {
    let is_kafka = class.starts_with("org.apache.storm.kafka.") || class.starts_with("storm.kafka.");
    match role {
        Role::Spout if is_kafka => format!(
            "Java class {class} can't run in Monsoon; create a relation over the topic with the Kafka connector and read it by \
             the built-in stream (className: stream, constructorArgs: [relation])"
        ),
        Role::Bolt if is_kafka => format!(
            "Java class {class} can't run in Monsoon; create a table with a sink of the Kafka connector and write to it by the \
             built-in insert (className: insert, constructorArgs: [table])"
        ),
        _ if class.contains('.') => {
            let shell = if role == Role::Spout { "FluxShellSpout" } else { "FluxShellBolt" };
            format!(
                "Java class {class} can't run in Monsoon; use a shell component ({shell}), a built-in ({}) or register a \
                 native component",
                BUILT_INS.join(", ")
            )
        }
        _ => format!("{class} is neither a built-in ({}) nor a registered native component", BUILT_INS.join(", ")),
    }
}

fn refuse(bean: &BeanDefinition, reason: String) -> FluxError {
    bean.class_place.error(format!("component {:?}: {reason}", bean.id))
}
