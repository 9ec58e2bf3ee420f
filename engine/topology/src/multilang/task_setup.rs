//! A task's place in the topology, as the first message to a child tells it.

use std::collections::BTreeMap;
use std::path::Path;

use super::setup::Nested;
use super::{Context, Grouping, Setup, json, shell_spec};
use crate::context::{ComponentInfo, TaskContext};
use crate::stream::StreamInfo;

/// The first message to the child of a task.
pub(super) fn setup_of(task: &TaskContext, pid_dir: &Path) -> Setup {
    let mut conf: serde_json::Map<String, serde_json::Value> =
        task.config().for_storm().iter().map(|(name, value)| (name.clone(), json::to_json(value))).collect();
    conf.insert("topology.name".into(), task.topology().name.as_str().into());
    let pid_dir = pid_dir.to_string_lossy().into_owned();
    Setup { conf, pid_dir, context: context_of(task), dialects: shell_spec::dialects(task.config()) }
}

fn context_of(task: &TaskContext) -> Context {
    let own = task.component();
    let components = task.topology().components_by_task();
    Context {
        task_id: task.task().0,
        component_id: own.name.to_string(),
        task_component: components.into_iter().map(|(task, component)| (task.0, component.to_string())).collect(),
        stream_target_grouping: targets(&task.topology().components, own),
        streams: own.streams.iter().map(|stream| stream.stream.to_string()).collect(),
        stream_output_fields: own.streams.iter().map(|stream| (stream.stream.to_string(), fields(stream))).collect(),
        source_stream_grouping: sources(own, |input| grouping_of(&input.grouping)),
        source_stream_fields: sources(own, |input| fields(&input.stream)),
    }
}

/// Who takes the component's streams: stream, component, grouping.
fn targets(components: &[ComponentInfo], own: &ComponentInfo) -> Nested<Grouping> {
    let mut targets = Nested::new();
    for reader in components {
        for input in reader.inputs.iter().filter(|input| input.stream.component == own.name) {
            let readers: &mut BTreeMap<_, _> = targets.entry(input.stream.stream.to_string()).or_default();
            readers.insert(reader.name.to_string(), grouping_of(&input.grouping));
        }
    }
    targets
}

/// Something of each stream the component takes: component, stream.
fn sources<T>(own: &ComponentInfo, of: impl Fn(&crate::Input) -> T) -> Nested<T> {
    let mut sources = Nested::new();
    for input in &own.inputs {
        let streams: &mut BTreeMap<_, _> = sources.entry(input.stream.component.to_string()).or_default();
        streams.insert(input.stream.stream.to_string(), of(input));
    }
    sources
}

fn fields(stream: &StreamInfo) -> Vec<String> {
    stream.fields.iter().map(ToString::to_string).collect()
}

fn grouping_of(grouping: &crate::Grouping) -> Grouping {
    match grouping {
        crate::Grouping::Shuffle => Grouping::Shuffle,
        crate::Grouping::Fields(fields) => Grouping::Fields(fields.iter().map(ToString::to_string).collect()),
        crate::Grouping::PartialKey(_) => Grouping::CustomSerialized,
        crate::Grouping::All => Grouping::All,
        crate::Grouping::Global => Grouping::Fields(Vec::new()),
        crate::Grouping::None => Grouping::None,
        crate::Grouping::Direct => Grouping::Direct,
        crate::Grouping::LocalOrShuffle => Grouping::LocalOrShuffle,
        crate::Grouping::Custom(_) => Grouping::CustomObject,
    }
}
