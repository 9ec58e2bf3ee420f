//! A query over windows of tuples.

use monsoon_topology::Bolt;

use super::sql_bolt::BoltQuery;
use crate::error::{Result, SqlError};
use crate::statement::Window;

/// Makes the instances of a bolt that runs a query over each window.
pub(super) fn window_bolt(_query: BoltQuery, _window: &Window) -> Result<Box<dyn Fn() -> Box<dyn Bolt> + Send + Sync>> {
    Err(SqlError::unsupported("bolts over windows are not there yet"))
}
