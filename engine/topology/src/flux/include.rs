//! Includes: other Flux files taken into one.
//!
//! A value that both files have is the including file's, unless the include says `override: true`; streams and worker hooks
//! with new ids are added. One level only: the includes of an included file are ignored, with a note, as in Storm.

use std::path::{Path, PathBuf};

use super::FluxOptions;
use super::definition::{BeanDefinition, ComponentDefinition, Definition, IncludeDefinition};
use super::error::FluxError;

/// Merges what a file includes into it, in order.
pub(super) fn merge_includes(
    definition: &mut Definition,
    options: &FluxOptions<'_>,
    notes: &mut Vec<String>,
) -> Result<(), FluxError> {
    for include in std::mem::take(&mut definition.includes) {
        let (file, text) = read(&include, options)?;
        let included = super::read_definition(&file.to_string_lossy().as_ref().into(), &text, options, notes)?;
        if let Some(nested) = included.includes.first() {
            notes.push(format!("{}: an included file's own includes are ignored", nested.place));
        }
        merge(definition, included, include.overrides);
    }
    Ok(())
}

/// The included file: beside the including one, or else where its name alone leads.
fn read(include: &IncludeDefinition, options: &FluxOptions<'_>) -> Result<(PathBuf, String), FluxError> {
    // The name of a class path resource may begin with a slash.
    let name = if include.is_resource { include.file.trim_start_matches('/') } else { include.file.as_str() };
    let base = Path::new(include.place.file.as_ref()).parent().unwrap_or(Path::new(""));
    let beside = base.join(name);
    let first = match (options.read)(&beside) {
        Ok(text) => return Ok((beside, text)),
        Err(error) => error,
    };
    let plain = PathBuf::from(name);
    if plain != beside
        && let Ok(text) = (options.read)(&plain)
    {
        return Ok((plain, text));
    }
    let hint = match include.is_resource {
        true => "; Monsoon has no class path: put the resource beside the including file",
        false => "",
    };
    Err(include.place.error(format!("can't include {}: {first}{hint}", beside.display())))
}

fn merge(definition: &mut Definition, included: Definition, overrides: bool) {
    if included.name.is_some() && (overrides || definition.name.is_none()) {
        definition.name = included.name;
    }
    merge_by(&mut definition.config, included.config, overrides, |a, b| a.key == b.key);
    merge_by(&mut definition.components, included.components, overrides, same_bean);
    merge_by(&mut definition.spouts, included.spouts, overrides, same_component);
    merge_by(&mut definition.bolts, included.bolts, overrides, same_component);
    merge_by(&mut definition.worker_hooks, included.worker_hooks, overrides, same_bean);
    definition.streams.extend(included.streams);
    definition.topology_source = definition.topology_source.take().or(included.topology_source);
}

fn merge_by<T>(own: &mut Vec<T>, included: Vec<T>, overrides: bool, same: impl Fn(&T, &T) -> bool) {
    for item in included {
        match own.iter_mut().find(|own| same(own, &item)) {
            None => own.push(item),
            Some(place) if overrides => *place = item,
            Some(_) => {}
        }
    }
}

fn same_bean(a: &BeanDefinition, b: &BeanDefinition) -> bool {
    a.id == b.id
}

fn same_component(a: &ComponentDefinition, b: &ComponentDefinition) -> bool {
    a.bean.id == b.bean.id
}
