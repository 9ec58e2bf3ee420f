//! SET and RESET.

use super::Session;
use super::settings::{SetOutcome, THIS_READ_ONLY};
use super::text_rows::complete;
use crate::error::{Result, SqlError};
use crate::response::Response;

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
        match name {
            Some(name) => self.facts.with_settings(|settings| settings.reset(name))?,
            None => self.facts.with_settings(|settings| settings.reset_all()),
        }
        complete("RESET")
    }

    /// Puts settings back as a transaction found them.
    pub(super) fn restore_settings(&mut self, before: Vec<(String, Option<String>)>) {
        for (name, value) in before.into_iter().rev() {
            let restored = self.facts.with_settings(|settings| match value {
                Some(value) => settings.set(&name, &value).map(drop),
                None => settings.reset(&name),
            });
            if let Err(error) = restored {
                tracing::debug!(name, %error, "setting not restored");
            }
        }
    }
}
