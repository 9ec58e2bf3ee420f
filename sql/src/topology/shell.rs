//! Components that are programs of their own.

use super::spec::ComponentSpec;
use crate::error::{Result, SqlError};

/// A spout or bolt that is a child process.
pub(super) fn refuse(component: &ComponentSpec) -> Result<()> {
    Err(SqlError::unsupported("shell components are not there yet").at_place(component.position))
}
