//! What a client is told of a statement before it runs: parameters and columns.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, SchemaRef};
use parking_lot::Mutex;

use super::parameter::{parameter_count, plan_parameters};
use super::select::{PlannedQuery, text};
use super::{Prepared, Session};
use crate::error::Result;
use crate::statement::{Body, Statement};

impl Session {
    pub(super) async fn prepare_statement(&mut self, statement: &Statement, oids: &[u32]) -> Result<Prepared> {
        let mut planned = None;
        let (parameters, columns) = match &statement.body {
            Body::Query(query) => {
                let query_plan = self.plan_query(query, text(statement)).await?;
                let count = parameter_count(query);
                let parameters =
                    plan_parameters(&query_plan.plan, count, oids).map_err(|error| text(statement).error(error))?;
                let columns = query_columns(&query_plan, &parameters, text(statement))?;
                planned = Some(query_plan);
                (parameters, Some(columns))
            }
            Body::Insert(insert) => (self.insert_parameters(statement, insert, oids).await?, None),
            Body::Update(update) => (self.update_parameters(statement, update, oids).await?, None),
            Body::Delete(delete) => (self.delete_parameters(statement, delete, oids).await?, None),
            _ => (Vec::new(), self.describe(statement).await?),
        };
        Ok(Prepared { statement: statement.clone(), parameters, columns, planned: Arc::new(Mutex::new(planned)) })
    }
}

/// The columns, with every parameter of its type: `SELECT $1` is of the parameter's.
fn query_columns(
    planned: &PlannedQuery,
    parameters: &[FieldRef],
    text: crate::database::Text<'_>,
) -> Result<SchemaRef> {
    use datafusion::common::metadata::ScalarAndMetadata;
    use datafusion::common::{ParamValues, ScalarValue};
    if parameters.is_empty() {
        return Ok(planned.schema());
    }
    let null = |field: &FieldRef| {
        ScalarValue::try_new_null(field.data_type()).map(|value| ScalarAndMetadata::new(value, None))
    };
    let values = parameters
        .iter()
        .map(null)
        .collect::<datafusion::common::Result<Vec<_>>>()
        .map_err(|error| text.error(error))?;
    let plan = planned
        .plan
        .clone()
        .replace_params_with_values(&ParamValues::List(values))
        .map_err(|error| text.error(error))?;
    Ok(crate::database::output_schema(plan.schema().as_arrow(), &planned.bare_integers))
}
