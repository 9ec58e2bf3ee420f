//! `Fields`: the ordered, unique field names of a stream.

use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::{Error, Result};

/// The ordered, unique field names of a stream. Cloning shares them.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Fields(Arc<[SmolStr]>);

impl Fields {
    /// From names. [`Error::InvalidTopology`] when a name is there twice.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Fields> {
        let names: Vec<SmolStr> = names.into_iter().map(|name| SmolStr::new(name.as_ref())).collect();
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(Error::invalid(format!("field {name:?} is declared twice")));
            }
        }
        Ok(Fields(names.into()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(SmolStr::as_str)
    }

    /// The place of a field.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|field| field == name)
    }

    /// The place of a field; [`Error::InvalidTopology`] naming the fields there are when it isn't one of them.
    pub fn index(&self, name: &str) -> Result<usize> {
        self.position(name).ok_or_else(|| Error::invalid(format!("there is no field {name:?} among {self:?}")))
    }

    /// The places of several fields.
    pub fn select(&self, names: &Fields) -> Result<Vec<usize>> {
        names.iter().map(|name| self.index(name)).collect()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_names_are_refused() {
        let error = Fields::new(["a", "b", "a"]).unwrap_err();
        assert_eq!(error.to_string(), "invalid topology: field \"a\" is declared twice");
    }

    #[test]
    fn unknown_names_are_refused() {
        let fields = Fields::new(["a", "b"]).unwrap();
        assert_eq!(fields.index("b").unwrap(), 1);
        assert!(fields.index("c").is_err());
        assert!(fields.select(&Fields::new(["b", "c"]).unwrap()).is_err());
    }
}
