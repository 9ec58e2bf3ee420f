//! Flux: Storm's YAML topologies, read into a validated [`FluxTopology`].
//!
//! Text in, model out: [`parse`] reads no file but those that the caller's function hands it, starts nothing, and knows neither
//! the runtime nor the catalog. The steps, each in a file: substitution of `${...}` in the text, YAML to nodes with places,
//! nodes to a definition, includes merged, references resolved, classes mapped to what Monsoon runs, and the graph checked.
//! The first thing wrong ends it with a [`FluxError`] that says where.
//!
//! ```
//! let text = r#"
//! name: word-count
//! spouts: [{id: words, className: test_words}]
//! bolts: [{id: count, className: test_word_count, parallelism: 2}]
//! streams: [{from: words, to: count, grouping: {type: FIELDS, args: [word]}}]
//! "#;
//! let topology = monsoon_topology::flux::parse("word_count.yaml", text, &Default::default())?;
//! assert_eq!(topology.bolts[0].parallelism, 2);
//! # Ok::<(), monsoon_topology::flux::FluxError>(())
//! ```

use std::io;
use std::path::Path;
use std::sync::Arc;

mod bean;
mod build;
mod config;
mod definition;
mod describe;
mod error;
mod grouping;
mod include;
mod kind;
mod model;
mod node;
mod properties;
mod scalar;
mod shell;
mod substitution;
mod table;
#[cfg(test)]
mod tests;

pub use config::{ConfigMap, check_setting};
pub use error::{FluxError, Place};
pub use grouping::Grouping;
pub use kind::{BUILT_INS, BuiltIn, ComponentKind, Instance, MethodCall};
pub use model::{Component, DEFAULT_STREAM, FluxTopology, Hook, Stream};
pub use properties::Properties;
pub use shell::{OutputStream, Shell};

use definition::Definition;
use substitution::Substitution;

/// The value of an environment variable, given its name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a Flux file may draw on. By default nothing: no properties, no environment, no included files, no native components.
#[derive(Clone, Copy)]
pub struct FluxOptions<'a> {
    /// The values of `${key}`, as by Storm's `--filter`.
    pub properties: Option<&'a Properties>,
    /// The values of `${ENV-NAME}`, as by Storm's `--env-filter`. When `None`, these are keys of the properties.
    pub environment: Option<Environment<'a>>,
    /// Reads an included file. The path comes from the YAML's author: who reads for somebody else must confine it.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Whether there is a native component, hook or grouping of this name (without `native:`).
    pub is_registered: &'a dyn Fn(&str) -> bool,
}

impl Default for FluxOptions<'_> {
    fn default() -> Self {
        FluxOptions { properties: None, environment: None, read: &read_nothing, is_registered: &|_| false }
    }
}

fn read_nothing(_: &Path) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "files can't be included here"))
}

/// Reads a topology. `file` is the name for messages, and what the paths of includes are relative to.
pub fn parse(file: &str, text: &str, options: &FluxOptions<'_>) -> Result<FluxTopology, FluxError> {
    let mut notes = Vec::new();
    let mut definition = read_definition(&file.into(), text, options, &mut notes)?;
    include::merge_includes(&mut definition, options, &mut notes)?;
    build::build(&definition, options.is_registered, notes)
}

/// One file's definition, its values substituted.
fn read_definition(
    file: &Arc<str>,
    text: &str,
    options: &FluxOptions<'_>,
    notes: &mut Vec<String>,
) -> Result<Definition, FluxError> {
    let start = Place { file: file.clone(), line: 1, column: 1 };
    let substitution = Substitution { properties: options.properties, environment: options.environment };
    let text = substitution.apply(&start, text, notes)?;
    Definition::read(&node::read(file, &text)?)
}
