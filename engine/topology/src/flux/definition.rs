//! `Definition`: what one Flux file says, before includes are merged, references resolved and classes mapped.
//!
//! Knows the shape of the file and the places of its parts; knows no class and no configuration key.

use smol_str::SmolStr;

use super::error::{FluxError, Place};
use super::node::{Data, Key, Node};
use super::table::{Table, text};
use crate::Value;

/// One file.
#[derive(Debug)]
pub(super) struct Definition {
    pub place: Place,
    pub name: Option<(SmolStr, Place)>,
    pub config: Vec<Setting>,
    pub components: Vec<BeanDefinition>,
    pub includes: Vec<IncludeDefinition>,
    pub spouts: Vec<ComponentDefinition>,
    pub bolts: Vec<ComponentDefinition>,
    pub streams: Vec<StreamDefinition>,
    pub worker_hooks: Vec<BeanDefinition>,
    pub topology_source: Option<(SmolStr, Place)>,
}

/// A key of a configuration.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub key: SmolStr,
    pub value: Value,
    pub place: Place,
}

/// A file to include.
#[derive(Debug)]
pub(super) struct IncludeDefinition {
    pub place: Place,
    pub file: SmolStr,
    pub is_resource: bool,
    pub overrides: bool,
}

/// An object: a class and how to make and configure it.
#[derive(Debug)]
pub(super) struct BeanDefinition {
    pub place: Place,
    /// Empty for the class of a custom grouping, which has none.
    pub id: SmolStr,
    pub class_name: SmolStr,
    pub class_place: Place,
    pub arguments: Vec<Argument>,
    pub properties: Vec<(SmolStr, Argument)>,
    pub methods: Vec<MethodDefinition>,
    pub factory: Option<SmolStr>,
    pub factory_arguments: Vec<Argument>,
}

/// A value, or references to beans.
#[derive(Debug)]
pub(super) enum Argument {
    Value(Value),
    Reference(Reference),
    References(Vec<Reference>),
}

/// The id of a bean.
#[derive(Debug)]
pub(super) struct Reference {
    pub id: SmolStr,
    pub place: Place,
}

/// A method to call.
#[derive(Debug)]
pub(super) struct MethodDefinition {
    pub name: SmolStr,
    pub arguments: Vec<Argument>,
}

/// A spout or a bolt.
#[derive(Debug)]
pub(super) struct ComponentDefinition {
    pub bean: BeanDefinition,
    pub parallelism: u32,
    pub tasks: Option<u32>,
    pub config: Vec<Setting>,
    /// Which of the hints of Storm's resource-aware scheduler it gives.
    pub resource_hints: Vec<&'static str>,
}

/// A stream from one component to another.
#[derive(Debug)]
pub(super) struct StreamDefinition {
    pub place: Place,
    pub name: Option<SmolStr>,
    pub from: Reference,
    pub to: Reference,
    pub grouping: GroupingDefinition,
}

/// How a stream's tuples are spread.
#[derive(Debug)]
pub(super) struct GroupingDefinition {
    pub place: Place,
    pub kind: SmolStr,
    pub stream_id: Option<SmolStr>,
    pub arguments: Vec<SmolStr>,
    pub custom_class: Option<BeanDefinition>,
}

const TOPOLOGY_KEYS: [&str; 9] =
    ["name", "config", "components", "includes", "spouts", "bolts", "streams", "workerHooks", "topologySource"];
const BEAN_KEYS: [&str; 7] =
    ["id", "className", "constructorArgs", "properties", "configMethods", "factory", "factoryArgs"];
const COMPONENT_KEYS: [&str; 13] = [
    "id",
    "className",
    "constructorArgs",
    "properties",
    "configMethods",
    "factory",
    "factoryArgs",
    "parallelism",
    "numTasks",
    "onHeapMemoryLoad",
    "offHeapMemoryLoad",
    "cpuLoad",
    "config",
];
const RESOURCE_KEYS: [&str; 3] = ["onHeapMemoryLoad", "offHeapMemoryLoad", "cpuLoad"];

impl Definition {
    /// From the document of a file. Ids are unique within each section.
    pub fn read(node: &Node) -> Result<Definition, FluxError> {
        let table = Table::open(node, "a topology", &TOPOLOGY_KEYS)?;
        let definition = Definition {
            place: table.place.clone(),
            name: table.get("name").map(|node| Ok((text(node, "name")?, node.place.clone()))).transpose()?,
            config: settings(table.map("config")?)?,
            components: table.each("components", |node| bean(node, "a component"))?,
            includes: table.each("includes", include)?,
            spouts: table.each("spouts", |node| component(node, "a spout"))?,
            bolts: table.each("bolts", |node| component(node, "a bolt"))?,
            streams: table.each("streams", stream)?,
            worker_hooks: table.each("workerHooks", |node| bean(node, "a worker hook"))?,
            topology_source: table.get("topologySource").map(topology_source).transpose()?,
        };
        unique_ids(&definition.components)?;
        unique_ids(definition.spouts.iter().map(|spout| &spout.bean))?;
        unique_ids(definition.bolts.iter().map(|bolt| &bolt.bean))?;
        unique_ids(&definition.worker_hooks)?;
        Ok(definition)
    }
}

/// Fails when two beans have one id.
pub(super) fn unique_ids<'a>(beans: impl IntoIterator<Item = &'a BeanDefinition>) -> Result<(), FluxError> {
    let mut seen = std::collections::HashMap::new();
    for bean in beans {
        if let Some(first) = seen.insert(&bean.id, &bean.place) {
            return Err(bean.place.error(format!("id {:?} is there twice, first at {first}", bean.id)));
        }
    }
    Ok(())
}

fn settings(entries: &[(Key, Node)]) -> Result<Vec<Setting>, FluxError> {
    let setting = |(key, node): &(Key, Node)| {
        Ok(Setting { key: key.text.clone(), value: node.value()?, place: node.place.clone() })
    };
    entries.iter().map(setting).collect()
}

fn include(node: &Node) -> Result<IncludeDefinition, FluxError> {
    let table = Table::open(node, "an include", &["file", "resource", "override"])?;
    Ok(IncludeDefinition {
        place: table.place.clone(),
        file: table.required_text("file")?,
        is_resource: table.flag("resource")?,
        overrides: table.flag("override")?,
    })
}

fn topology_source(node: &Node) -> Result<(SmolStr, Place), FluxError> {
    const KEYS: [&str; 9] = [
        "id",
        "className",
        "constructorArgs",
        "properties",
        "configMethods",
        "factory",
        "factoryArgs",
        "methodName",
        "config",
    ];
    let table = Table::open(node, "a topology source", &KEYS)?;
    Ok((table.required_text("className")?, table.place))
}

fn bean(node: &Node, what: &'static str) -> Result<BeanDefinition, FluxError> {
    let table = Table::open(node, what, &BEAN_KEYS)?;
    let id = table.required_text("id")?;
    bean_of(&table, id)
}

fn bean_of(table: &Table<'_>, id: SmolStr) -> Result<BeanDefinition, FluxError> {
    Ok(BeanDefinition {
        place: table.place.clone(),
        id,
        class_name: table.required_text("className")?,
        class_place: table.get("className").map_or_else(|| table.place.clone(), |node| node.place.clone()),
        arguments: table.each("constructorArgs", argument)?,
        properties: table.each("properties", property)?,
        methods: table.each("configMethods", method)?,
        factory: table.text("factory")?,
        factory_arguments: table.each("factoryArgs", argument)?,
    })
}

/// A map with `ref` or `reflist` alone is a reference, anything else a value.
fn argument(node: &Node) -> Result<Argument, FluxError> {
    let Data::Map(entries) = &node.data else { return Ok(Argument::Value(node.value()?)) };
    match entries.as_slice() {
        [(key, value)] if key.text == "ref" => Ok(Argument::Reference(reference(value)?)),
        [(key, value)] if key.text == "reflist" => {
            let Data::List(items) = &value.data else {
                return Err(value.place.error(format!("reflist: found {}, expected a list of ids", value.found())));
            };
            Ok(Argument::References(items.iter().map(reference).collect::<Result<_, _>>()?))
        }
        _ => Ok(Argument::Value(node.value()?)),
    }
}

fn reference(node: &Node) -> Result<Reference, FluxError> {
    Ok(Reference { id: text(node, "the id of a component")?, place: node.place.clone() })
}

fn property(node: &Node) -> Result<(SmolStr, Argument), FluxError> {
    let table = Table::open(node, "a property", &["name", "value", "ref", "reflist"])?;
    let name = table.required_text("name")?;
    let given: Vec<&str> = ["value", "ref", "reflist"].into_iter().filter(|key| table.get(key).is_some()).collect();
    table.place.ensure(given.len() <= 1, || {
        format!("property {name:?} has both {}, expected one of them", given.join(" and "))
    })?;
    let argument = match table.get("ref") {
        Some(node) => Argument::Reference(reference(node)?),
        None if table.get("reflist").is_some() => Argument::References(table.each("reflist", reference)?),
        None => Argument::Value(table.get("value").map(Node::value).transpose()?.unwrap_or_default()),
    };
    Ok((name, argument))
}

fn method(node: &Node) -> Result<MethodDefinition, FluxError> {
    let table = Table::open(node, "a configuration method", &["name", "args"])?;
    let name = table.required_text("name")?;
    Ok(MethodDefinition { name, arguments: table.each("args", argument)? })
}

fn component(node: &Node, what: &'static str) -> Result<ComponentDefinition, FluxError> {
    let table = Table::open(node, what, &COMPONENT_KEYS)?;
    let id = table.required_text("id")?;
    let count = |key: &str, unset: i64| match table.integer(key)? {
        None => Ok(None),
        Some(value) if value == unset => Ok(None),
        Some(value) => match u32::try_from(value) {
            Ok(value) if value > 0 => Ok(Some(value)),
            _ => Err(table.place.error(format!("{key} of {id:?} is {value}, expected at least 1"))),
        },
    };
    let (parallelism, tasks) = (count("parallelism", 1)?.unwrap_or(1), count("numTasks", -1)?);
    let mut resource_hints = Vec::new();
    for key in RESOURCE_KEYS {
        if table.number(key)?.is_some_and(|value| value != -1.0) {
            resource_hints.push(key);
        }
    }
    let config = settings(table.map("config")?)?;
    Ok(ComponentDefinition { bean: bean_of(&table, id)?, parallelism, tasks, config, resource_hints })
}

fn stream(node: &Node) -> Result<StreamDefinition, FluxError> {
    let table = Table::open(node, "a stream", &["id", "name", "from", "to", "grouping"])?;
    let end = |key: &str| {
        let id = table.required_text(key)?;
        let place = table.get(key).map_or_else(|| table.place.clone(), |node| node.place.clone());
        Ok(Reference { id, place })
    };
    let (from, to) = (end("from")?, end("to")?);
    let node = table
        .get("grouping")
        .ok_or_else(|| table.place.error(format!("the stream from {:?} to {:?} has no grouping", from.id, to.id)))?;
    Ok(StreamDefinition { name: table.text("name")?, from, to, grouping: grouping(node)?, place: table.place.clone() })
}

fn grouping(node: &Node) -> Result<GroupingDefinition, FluxError> {
    let table = Table::open(node, "a grouping", &["type", "streamId", "args", "customClass"])?;
    let custom_class = |node| bean_of(&Table::open(node, "a custom grouping", &BEAN_KEYS)?, SmolStr::default());
    Ok(GroupingDefinition {
        kind: table.required_text("type")?,
        stream_id: table.text("streamId")?,
        arguments: table.each("args", |node| text(node, "a field name"))?,
        custom_class: table.get("customClass").map(custom_class).transpose()?,
        place: table.place,
    })
}
