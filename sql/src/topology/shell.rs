//! Components that are programs of their own.

use std::path::PathBuf;

use monsoon_topology::Streams;
use monsoon_topology::multilang::ShellSpec;

use super::spec::{Code, ComponentSpec};

/// What a component USING SHELL runs; `None`: it is no such component.
pub(super) fn shell_spec(component: &ComponentSpec) -> Option<ShellSpec> {
    let Code::Shell { command, directory, environment } = &component.code else { return None };
    let mut outputs = Streams::default();
    for output in &component.outputs {
        let fields = output.fields.iter().map(|field| field.name());
        match output.direct {
            true => outputs.declare_direct(&output.stream, fields),
            false => outputs.declare_stream(&output.stream, fields),
        }
    }
    Some(ShellSpec {
        command: command.clone(),
        directory: directory.as_ref().map(PathBuf::from),
        environment: environment.clone(),
        outputs,
        ..ShellSpec::default()
    })
}
