//! SET and RESET.
//!
//! In a transaction block each of them is noted with the value it found. What is noted is undone, last first, unless the
//! transaction commits; then only SET LOCAL is, where no SET or RESET of the same name came after it.

use std::collections::HashSet;
use std::sync::Arc;

use super::settings::{SetOutcome, THIS_READ_ONLY};
use super::text_rows::complete;
use super::{Facts, Session};
use crate::error::{Result, SqlError};
use crate::response::Response;

/// A setting that a transaction has changed.
struct SettingChange {
    name: String,
    before: Option<String>,
    local: bool,
}

/// The settings that a transaction has changed, in that order. Undone when dropped, so that a COMMIT that is cancelled while
/// it writes undoes them too.
pub(super) struct SettingChanges {
    facts: Arc<Facts>,
    changes: Vec<SettingChange>,
}

impl SettingChanges {
    pub(super) fn new(facts: Arc<Facts>) -> SettingChanges {
        SettingChanges { facts, changes: Vec::new() }
    }

    pub(super) fn note(&mut self, name: &str, before: Option<String>, local: bool) {
        self.changes.push(SettingChange { name: name.to_owned(), before, local });
    }

    /// The transaction has committed: only what was local to it is undone.
    pub(super) fn keep(mut self) {
        let mut kept: HashSet<String> = HashSet::new();
        while let Some(change) = self.changes.pop() {
            if !change.local {
                kept.insert(change.name);
            } else if !kept.contains(&change.name) {
                self.undo(&change);
            }
        }
    }

    fn undo(&self, change: &SettingChange) {
        let name = change.name.as_str();
        let undone = self.facts.with_settings(|settings| match &change.before {
            Some(value) => settings.set(name, value).map(drop),
            None => settings.reset(name),
        });
        if let Err(error) = undone {
            tracing::debug!(name, %error, "setting not restored");
        }
    }
}

impl Drop for SettingChanges {
    fn drop(&mut self) {
        while let Some(change) = self.changes.pop() {
            self.undo(&change);
        }
    }
}

impl Session {
    pub(super) fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<Response> {
        if self.facts.server_setting(name).is_some() {
            let message = format!("parameter \"{name}\" cannot be changed without restarting the server");
            return Err(SqlError::new("55P02", message));
        }
        let before = self.facts.with_settings(|settings| settings.get(name));
        let local = local || name == THIS_READ_ONLY;
        if local && self.transaction.is_none() {
            self.notice("WARNING", "25P01", "SET LOCAL can only be used in transaction blocks");
            return complete("SET");
        }
        match value {
            None => self.facts.with_settings(|settings| settings.reset(name))?,
            Some(value) => {
                if let SetOutcome::Kept(kept) = self.facts.with_settings(|settings| settings.set(name, value))? {
                    self.notice("WARNING", "0A000", format!("{name} stays {kept}: other values are not supported"));
                }
            }
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.note_setting(name, before, local);
        }
        complete("SET")
    }

    pub(super) fn reset(&mut self, name: Option<&str>) -> Result<Response> {
        let reset = match name {
            Some(name) => self.facts.with_settings(|settings| {
                let before = settings.get(name);
                settings.reset(name).map(|()| vec![(name.to_owned(), before)])
            })?,
            None => self.facts.with_settings(|settings| settings.reset_all()),
        };
        if let Some(transaction) = &mut self.transaction {
            reset.into_iter().for_each(|(name, before)| transaction.note_setting(&name, before, false));
        }
        complete("RESET")
    }
}
