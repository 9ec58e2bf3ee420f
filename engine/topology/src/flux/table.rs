//! `Table`: a YAML map with known keys, read field by field with errors that say what was found and what was expected.

use smol_str::SmolStr;

use super::error::{FluxError, Place};
use super::node::{Data, Key, Node};
use super::scalar;
use crate::Value;

/// A map that has only keys it may have.
pub(super) struct Table<'a> {
    /// What it describes, with an article: `a bolt`.
    what: &'static str,
    pub place: Place,
    entries: &'a [(Key, Node)],
}

impl<'a> Table<'a> {
    /// The node as a map with no keys but those named.
    pub fn open(node: &'a Node, what: &'static str, known: &[&str]) -> Result<Table<'a>, FluxError> {
        let Data::Map(entries) = &node.data else {
            return Err(node.place.error(format!("found {}, expected {what} as a map", node.found())));
        };
        for (key, _) in entries {
            key.place.ensure(known.contains(&key.text.as_str()), || {
                format!("found key {:?} in {what}, expected one of {}", key.text, known.join(", "))
            })?;
        }
        Ok(Table { what, place: node.place.clone(), entries })
    }

    /// The node under a key; `None` when there is none or it is null.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(own, _)| own.text == key).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// A text, as it is written.
    pub fn text(&self, key: &str) -> Result<Option<SmolStr>, FluxError> {
        self.get(key).map(|node| text(node, key)).transpose()
    }

    /// A text that must be there and not be empty.
    pub fn required_text(&self, key: &str) -> Result<SmolStr, FluxError> {
        let node = self.get(key).ok_or_else(|| self.place.error(format!("{} has no {key}", self.what)))?;
        let value = text(node, key)?;
        node.place.ensure(!value.is_empty(), || format!("{key} of {} is empty", self.what))?;
        Ok(value)
    }

    /// An integer.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, FluxError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        match node.value()? {
            Value::Int(value) => Ok(Some(value)),
            _ => Err(unexpected(node, key, "an integer")),
        }
    }

    /// A number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, FluxError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let value = node.value()?.as_float().ok_or_else(|| unexpected(node, key, "a number"))?;
        Ok(Some(value))
    }

    /// A truth value, false when absent. Quoted ones are taken too, for Java does.
    pub fn flag(&self, key: &str) -> Result<bool, FluxError> {
        let Some(node) = self.get(key) else { return Ok(false) };
        let Data::Scalar { text, .. } = &node.data else { return Err(unexpected(node, key, "true or false")) };
        scalar::boolean(text).ok_or_else(|| unexpected(node, key, "true or false"))
    }

    /// The items of a list, none when absent.
    pub fn list(&self, key: &str) -> Result<&'a [Node], FluxError> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Node { data: Data::List(items), .. }) => Ok(items),
            Some(node) => Err(unexpected(node, key, "a list")),
        }
    }

    /// The items of a list, each read by a function.
    pub fn each<T>(&self, key: &str, read: impl Fn(&'a Node) -> Result<T, FluxError>) -> Result<Vec<T>, FluxError> {
        self.list(key)?.iter().map(read).collect()
    }

    /// The entries of a map with any keys, none when absent.
    pub fn map(&self, key: &str) -> Result<&'a [(Key, Node)], FluxError> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Node { data: Data::Map(entries), .. }) => Ok(entries),
            Some(node) => Err(unexpected(node, key, "a map")),
        }
    }
}

/// A scalar as it is written.
pub(super) fn text(node: &Node, what: &str) -> Result<SmolStr, FluxError> {
    match &node.data {
        Data::Scalar { text, .. } if !node.is_null() => Ok(text.clone()),
        _ => Err(unexpected(node, what, "text")),
    }
}

fn unexpected(node: &Node, what: &str, expected: &str) -> FluxError {
    node.place.error(format!("{what}: found {}, expected {expected}", node.found()))
}
