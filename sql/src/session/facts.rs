//! `Facts`: what functions and catalog tables are told of a session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::SessionStart;
use super::settings::{SetOutcome, Settings};
use crate::catalog::{Catalog, relation_info};
use crate::database::Database;
use crate::error::Result;
use crate::function::{SessionFacts, Setting};
use crate::pg_catalog::{CatalogSnapshot, RelationInfo};

/// The session as functions see it; shared with its plans.
pub(crate) struct Facts {
    catalog: Arc<Catalog>,
    user: String,
    database: String,
    pid: i32,
    settings: Mutex<Settings>,
    /// What the server was started with.
    server_settings: Arc<[Setting]>,
}

impl Facts {
    pub(crate) fn new(database: &Database, start: &SessionStart) -> Facts {
        Facts {
            catalog: Arc::clone(&database.catalog),
            user: start.user.clone(),
            database: start.database.clone(),
            pid: database.take_pid(),
            settings: Mutex::new(Settings::new(&start.user, &start.options)),
            server_settings: Arc::clone(&database.config.server_settings),
        }
    }

    /// A setting's value: the session's, or else the server's.
    pub(super) fn setting_value(&self, name: &str) -> Option<String> {
        let own = self.settings.lock().get(name);
        own.or_else(|| self.server_setting(name).map(|setting| setting.value.clone()))
    }

    /// A setting that the server was started with.
    pub(super) fn server_setting(&self, name: &str) -> Option<&Setting> {
        self.server_settings.iter().find(|setting| setting.name == name)
    }

    pub(super) fn reported(&self) -> Vec<(String, String)> {
        self.settings.lock().reported()
    }

    pub(super) fn take_changes(&self) -> Vec<(String, String)> {
        self.settings.lock().take_changes()
    }

    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        match self.settings.lock().statement_timeout_ms() {
            0 => None,
            timeout_ms => Some(Duration::from_millis(timeout_ms)),
        }
    }

    pub(super) fn with_settings<T>(&self, work: impl FnOnce(&mut Settings) -> T) -> T {
        work(&mut self.settings.lock())
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Facts").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl CatalogSnapshot for Facts {
    fn relations(&self) -> Vec<RelationInfo> {
        self.catalog.snapshot().relations().map(|relation| relation_info(relation)).collect()
    }
}

impl SessionFacts for Facts {
    fn user(&self) -> String {
        self.user.clone()
    }

    fn database(&self) -> String {
        self.database.clone()
    }

    fn backend_pid(&self) -> i32 {
        self.pid
    }

    fn settings(&self) -> Vec<Setting> {
        let mut all = self.settings.lock().all();
        all.extend(self.server_settings.iter().cloned());
        all
    }

    fn set_setting(&self, name: &str, value: &str, _local: bool) -> Result<String> {
        match self.settings.lock().set(name, value)? {
            SetOutcome::Set(value) | SetOutcome::Kept(value) => Ok(value),
        }
    }
}
