//! READ ONLY: of the open transaction, and of those to come. Both are settings, so that SHOW and ROLLBACK know them too.

use super::Session;
use super::settings::{NEXT_READ_ONLY, THIS_READ_ONLY};
use super::text_rows::complete;
use crate::error::{Result, SqlError};
use crate::response::Response;

impl Session {
    /// 25006 for a statement that writes where reading is all that is allowed.
    pub(super) fn check_writable(&self, word: &str) -> Result<()> {
        let setting = if self.transaction.is_some() { THIS_READ_ONLY } else { NEXT_READ_ONLY };
        if self.facts.with_settings(|settings| settings.is_on(setting)) {
            return Err(SqlError::new("25006", format!("cannot execute {word} in a read-only transaction")));
        }
        Ok(())
    }

    /// What a transaction begins with, or goes on with.
    pub(super) fn set_read_only(&mut self, read_only: Option<bool>) -> Result<()> {
        let read_only =
            read_only.unwrap_or_else(|| self.facts.with_settings(|settings| settings.is_on(NEXT_READ_ONLY)));
        self.set(THIS_READ_ONLY, Some(on_or_off(read_only)), true).map(drop)
    }

    /// SET TRANSACTION.
    pub(super) fn set_transaction(&mut self, read_only: Option<bool>) -> Result<Response> {
        if self.transaction.is_none() {
            self.notice("WARNING", "25P01", "SET TRANSACTION can only be used in transaction blocks");
        } else if read_only.is_some() {
            self.set_read_only(read_only)?;
        }
        complete("SET")
    }

    /// SET SESSION CHARACTERISTICS AS TRANSACTION.
    pub(super) fn set_characteristics(&mut self, read_only: Option<bool>) -> Result<Response> {
        match read_only {
            Some(read_only) => self.set(NEXT_READ_ONLY, Some(on_or_off(read_only)), false),
            None => complete("SET"),
        }
    }
}

fn on_or_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}
