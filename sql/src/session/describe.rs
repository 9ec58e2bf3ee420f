//! The columns of statements that aren't queries.

use arrow::datatypes::SchemaRef;

use super::Session;
use super::select::text;
use super::show::show_columns_of;
use super::subscribe::change_schema;
use super::text_rows::text_schema;
use super::verify::verify_schema;
use crate::error::Result;
use crate::statement::{Body, Statement};

impl Session {
    /// The columns a statement answers with; `None`: no rows.
    pub(super) async fn describe(&mut self, statement: &Statement) -> Result<Option<SchemaRef>> {
        Ok(match &statement.body {
            Body::Subscribe(subscribe) => {
                let planned = self.plan_query(&subscribe.query, text(statement)).await?;
                Some(change_schema(planned.plan.schema().as_arrow()))
            }
            Body::Show(show) => Some(text_schema(&show_columns_of(show))),
            Body::Describe(_) => Some(text_schema(&super::show::COLUMNS)),
            Body::Topology(topology) => super::topology::topology_columns(topology).map(text_schema),
            Body::Explain(_) => Some(text_schema(&["QUERY PLAN"])),
            Body::Verify(_) => Some(verify_schema()),
            Body::Fetch { name, .. } => self.cursors.get(name).map(super::cursor::Cursor::schema),
            Body::Execute { name, .. } => self.named.get(name).and_then(|named| named.columns.clone()),
            _ => None,
        })
    }
}
