//! What functions and catalog tables ask of the session they run in.

use std::fmt::Debug;

use crate::error::Result;
use crate::pg_catalog::CatalogSnapshot;

/// A row of `pg_settings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Name.
    pub name: String,
    /// Value in this session.
    pub value: String,
    /// Value without any SET.
    pub default: String,
    /// One line.
    pub description: String,
}

/// The session.
pub trait SessionFacts: CatalogSnapshot + Debug + Send + Sync {
    /// `current_user`.
    fn user(&self) -> String;
    /// `current_database()`.
    fn database(&self) -> String;
    /// `pg_backend_pid()`.
    fn backend_pid(&self) -> i32;
    /// Every setting.
    fn settings(&self) -> Vec<Setting>;
    /// A setting's value by its lower-case name.
    fn setting(&self, name: &str) -> Option<String> {
        self.settings().into_iter().find(|setting| setting.name == name).map(|setting| setting.value)
    }
    /// `set_config(name, value, is_local)`: the new value.
    fn set_setting(&self, name: &str, value: &str, local: bool) -> Result<String>;
}
