//! From a [`Definition`] with its includes merged to a [`FluxTopology`]: references resolved, classes mapped, all checked.

use std::collections::HashMap;

use super::bean::Beans;
use super::config::{self, ConfigMap, check_setting};
use super::definition::{BeanDefinition, ComponentDefinition, Definition, Reference, StreamDefinition, unique_ids};
use super::error::{FluxError, Place};
use super::grouping::Grouping;
use super::kind::{BuiltIn, ComponentKind, Role, kind_of, native_of};
use super::model::{Component, DEFAULT_STREAM, FluxTopology, Hook, Stream};
use crate::windowed::Window;
use crate::{Config, Error};

/// Storm has files and directories named after topologies, and refuses names with these characters.
const NAME_EXCLUDES: [char; 4] = ['/', '.', ':', '\\'];
/// A worker hook of Storm's that does nothing.
const IDLE_HOOK: &str = "org.apache.storm.hooks.BaseWorkerHook";

/// The topology; `notes` are those of the steps before.
pub(super) fn build(
    definition: &Definition,
    is_registered: &dyn Fn(&str) -> bool,
    notes: Vec<String>,
) -> Result<FluxTopology, FluxError> {
    refuse_source(definition)?;
    let (name, config) = (name(definition)?, config::checked(&definition.config)?);
    let beans = Beans::new(&definition.components)?;
    let mut builder = Builder { beans, is_registered, config: &config, notes };
    unique_ids(definition.spouts.iter().chain(&definition.bolts).map(|component| &component.bean))?;
    let spouts = builder.components(&definition.spouts, Role::Spout)?;
    let bolts = builder.components(&definition.bolts, Role::Bolt)?;
    let streams = definition.streams.iter().map(|stream| builder.stream(stream)).collect::<Result<_, _>>()?;
    let worker_hooks = builder.hooks(&definition.worker_hooks)?;
    let notes = builder.notes;
    let topology = FluxTopology { name, config, spouts, bolts, streams, worker_hooks, notes };
    check_graph(definition, &topology)?;
    Ok(topology)
}

fn refuse_source(definition: &Definition) -> Result<(), FluxError> {
    let Some((class, place)) = &definition.topology_source else { return Ok(()) };
    let has_parts = !(definition.spouts.is_empty() && definition.bolts.is_empty() && definition.streams.is_empty());
    Err(place.error(if has_parts {
        "found both topologySource and spouts, bolts or streams, expected one way to define the topology".to_owned()
    } else {
        format!(
            "topologySource: Java class {class} can't run in Monsoon; define spouts, bolts and streams in this file"
        )
    }))
}

fn name(definition: &Definition) -> Result<String, FluxError> {
    let (name, place) = definition.name.as_ref().ok_or_else(|| definition.place.error("the topology has no name"))?;
    place.ensure(!name.trim().is_empty(), || "the topology's name is empty".to_owned())?;
    place.ensure(!name.contains(NAME_EXCLUDES), || {
        format!("found topology name {name:?}, expected one without any of / . : \\")
    })?;
    Ok(name.to_string())
}

struct Builder<'a> {
    beans: Beans<'a>,
    is_registered: &'a dyn Fn(&str) -> bool,
    /// The topology's.
    config: &'a ConfigMap,
    notes: Vec<String>,
}

impl Builder<'_> {
    fn components(&mut self, definitions: &[ComponentDefinition], role: Role) -> Result<Vec<Component>, FluxError> {
        definitions.iter().map(|definition| self.component(definition, role)).collect()
    }

    fn component(&mut self, definition: &ComponentDefinition, role: Role) -> Result<Component, FluxError> {
        let bean = &definition.bean;
        let (id, place) = (&bean.id, &bean.place);
        place.ensure(!id.starts_with("__"), || format!("found id {id:?}, expected one without __ at its start"))?;
        let tasks = definition.tasks;
        let parallelism = definition.parallelism.min(tasks.unwrap_or(u32::MAX));
        if parallelism < definition.parallelism {
            let asked = definition.parallelism;
            self.notes
                .push(format!("{place}: component {id:?} has {parallelism} tasks, so as many executors, not {asked}"));
        }
        if !definition.resource_hints.is_empty() {
            let hints = definition.resource_hints.join(", ");
            self.notes
                .push(format!("{place}: component {id:?}: {hints} ignored, Monsoon has no scheduler by resources"));
        }
        let instance = self.beans.instance(bean)?;
        let kind = kind_of(bean, role, instance, self.is_registered)?;
        let mut config = config_by_methods(&kind, bean)?;
        config.extend(config::checked(&definition.config)?);
        let place = &bean.place;
        let idle = config.keys().filter(|key| config::is_of_topology(key));
        self.notes
            .extend(idle.map(|key| format!("{place}: component {id:?}: {key} ignored, it is of the whole topology")));
        if matches!(kind, ComponentKind::BuiltIn { built_in: BuiltIn::Window { .. }, .. }) {
            check_window(self.config, &config)
                .map_err(|error| place.error(format!("component {id:?}: {}", reason(error))))?;
        }
        let (class_name, place) = (bean.class_name.clone(), place.clone());
        Ok(Component { id: id.clone(), class_name, kind, parallelism, tasks, config, place })
    }

    fn stream(&mut self, definition: &StreamDefinition) -> Result<Stream, FluxError> {
        Ok(Stream {
            name: definition.name.clone(),
            from: definition.from.id.clone(),
            to: definition.to.id.clone(),
            stream_id: definition.grouping.stream_id.clone().unwrap_or_else(|| DEFAULT_STREAM.into()),
            grouping: Grouping::new(&definition.grouping, &mut self.beans, self.is_registered, &mut self.notes)?,
            place: definition.place.clone(),
        })
    }

    fn hooks(&mut self, definitions: &[BeanDefinition]) -> Result<Vec<Hook>, FluxError> {
        let mut hooks = Vec::new();
        for bean in definitions {
            if bean.class_name == IDLE_HOOK && !(self.is_registered)(IDLE_HOOK) {
                self.notes.push(format!("{}: worker hook {:?} ignored, it does nothing", bean.place, bean.id));
                continue;
            }
            let instance = self.beans.instance(bean)?;
            let instance = native_of(bean, instance, self.is_registered)
                .map_err(|reason| bean.class_place.error(format!("worker hook {:?}: {reason}", bean.id)))?;
            hooks.push(Hook { id: bean.id.clone(), instance });
        }
        Ok(hooks)
    }
}

/// The configuration of a component under a topology's says which windows.
fn check_window(topology: &ConfigMap, component: &ConfigMap) -> crate::Result<()> {
    let config = |settings: &ConfigMap| {
        settings.iter().try_fold(Config::default(), |config, (key, value)| config.with(key, value.clone()))
    };
    Window::from_config(&config(topology)?.overlaid(&config(component)?)).map(drop)
}

/// An error without what its kind says: the place says that.
fn reason(error: Error) -> String {
    match error {
        Error::InvalidTopology(reason) => reason,
        error => error.to_string(),
    }
}

fn config_by_methods(kind: &ComponentKind, bean: &BeanDefinition) -> Result<ConfigMap, FluxError> {
    let ComponentKind::Shell(shell) = kind else { return Ok(ConfigMap::new()) };
    let mut config = ConfigMap::new();
    for (key, value) in &shell.config {
        let value = check_setting(key, value)
            .map_err(|reason| bean.place.error(format!("component {:?}: addComponentConfig: {reason}", bean.id)))?;
        config.insert(key.clone(), value);
    }
    Ok(config)
}

/// Streams run from components to bolts, each bolt has one, and no bolt has the same one twice.
fn check_graph(definition: &Definition, topology: &FluxTopology) -> Result<(), FluxError> {
    definition.place.ensure(!topology.spouts.is_empty(), || "the topology has no spouts".to_owned())?;
    let mut subscriptions: HashMap<_, &Place> = HashMap::new();
    for (definition, stream) in definition.streams.iter().zip(&topology.streams) {
        check_receiver(topology, &definition.to)?;
        check_sender(topology, &definition.from, stream)?;
        if let Some(first) = subscriptions.insert((&stream.from, &stream.stream_id, &stream.to), &stream.place) {
            return Err(stream.place.error(format!(
                "bolt {:?} receives stream {:?} of {:?} twice, first at {first}",
                stream.to, stream.stream_id, stream.from
            )));
        }
    }
    for bolt in &topology.bolts {
        bolt.place.ensure(topology.streams.iter().any(|stream| stream.to == bolt.id), || {
            format!("bolt {:?} has no input: no stream has it as its to", bolt.id)
        })?;
    }
    Ok(())
}

fn check_receiver(topology: &FluxTopology, to: &Reference) -> Result<(), FluxError> {
    let is = |component: &Component| component.id == to.id;
    to.place.ensure(!topology.spouts.iter().any(is), || {
        format!("to: found the spout {:?}, expected a bolt: a spout has no input", to.id)
    })?;
    to.place.ensure(topology.bolts.iter().any(is), || format!("to: found {:?}, expected the id of a bolt", to.id))
}

/// The sender exists and, as far as its streams are known, declares the stream and the fields of the grouping.
fn check_sender(topology: &FluxTopology, from: &Reference, stream: &Stream) -> Result<(), FluxError> {
    let sender = topology.components().find(|component| component.id == from.id);
    let sender = sender
        .ok_or_else(|| from.place.error(format!("from: found {:?}, expected the id of a spout or bolt", from.id)))?;
    let Some(outputs) = sender.kind.outputs() else { return Ok(()) };
    let id = &stream.stream_id;
    let output = outputs.iter().find(|output| output.id == *id);
    let output = output.ok_or_else(|| {
        let known: Vec<&str> = outputs.iter().map(|output| output.id.as_str()).collect();
        stream.place.error(format!("component {:?} has no stream {id:?}, its streams are {known:?}", from.id))
    })?;
    let missing =
        stream.grouping.fields().and_then(|fields| fields.iter().find(|name| output.fields.position(name).is_none()));
    match missing {
        None => Ok(()),
        Some(name) => Err(stream.place.error(format!(
            "stream {id:?} of {:?} has no field {name:?}, its fields are {:?}",
            from.id, output.fields
        ))),
    }
}
