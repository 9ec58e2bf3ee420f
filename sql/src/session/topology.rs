//! Statements about topologies.

use super::Session;
use crate::error::{Result, SqlError};
use crate::response::Response;
use crate::statement::{Statement, TopologyStatement};

impl Session {
    pub(super) async fn topology(&mut self, _statement: &Statement, _topology: &TopologyStatement) -> Result<Response> {
        Err(SqlError::unsupported("topologies are not there yet"))
    }
}
