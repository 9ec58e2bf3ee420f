//! Queries.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::Query;
use futures::StreamExt;
use monsoon_circuit::RelationId;

use super::commit_budget::CommitBudget;
use super::{Prepared, Session};
use crate::column_name::name_columns;
use crate::database::{Planner, Text, bare_integers, output_batch, output_schema};
use crate::diagnostic::from_datafusion;
use crate::error::Result;
use crate::response::RowStream;
use crate::statement::Statement;

/// A planned query.
pub(super) struct PlannedQuery {
    pub(super) planner: Planner,
    pub(super) plan: LogicalPlan,
    pub(super) bare_integers: Vec<bool>,
}

impl PlannedQuery {
    /// The columns as the client sees them.
    pub(super) fn schema(&self) -> SchemaRef {
        output_schema(self.plan.schema().as_arrow(), &self.bare_integers)
    }

    /// Whether its rows come from a relation: read by its name, through a view, or as materialized views have kept them.
    pub(super) fn reads(&self, id: RelationId) -> bool {
        let snapshot = self.planner.catalog.snapshot();
        let mut reached = self.planner.catalog.used();
        let mut next = 0;
        while let Some(relation) = reached.get(next).copied() {
            next += 1;
            let inputs = snapshot.by_id(relation).map(|relation| relation.depends_on.clone()).unwrap_or_default();
            for input in inputs {
                if !reached.contains(&input) {
                    reached.push(input);
                }
            }
        }
        reached.contains(&id)
    }
}

/// The text of a statement, for error positions.
pub(super) fn text(statement: &Statement) -> Text<'_> {
    Text { sql: &statement.sql, offset: statement.offset }
}

impl Session {
    pub(super) async fn plan_query(&mut self, query: &Query, text: Text<'_>) -> Result<PlannedQuery> {
        let planner = self.planner()?;
        let mut query = query.clone();
        name_columns(&mut query);
        let plan = planner.plan(&query, text).await?;
        let bare_integers = bare_integers(&query, plan.schema().fields().len());
        Ok(PlannedQuery { planner, plan, bare_integers })
    }

    pub(super) async fn select(
        &mut self,
        prepared: &Prepared,
        query: &Query,
        parameters: &[ScalarValue],
    ) -> Result<RowStream> {
        let text = text(&prepared.statement);
        let planned = self.take_planned(prepared, query).await?;
        let schema = planned.schema();
        let mut plan = planned.plan;
        if !parameters.is_empty() {
            let values = parameters.iter().map(|value| ScalarAndMetadata::new(value.clone(), None)).collect();
            plan = plan.replace_params_with_values(&ParamValues::List(values)).map_err(|error| text.error(error))?;
        }
        let overlay = self.overlay();
        let rows = planned
            .planner
            .run(&self.database.engine, &plan, overlay.as_ref().map(|overlay| overlay as _), text)
            .await?;
        let (sql, offset) = (prepared.statement.sql.clone(), prepared.statement.offset);
        let output = Arc::clone(&schema);
        let batches = rows.map(move |batch| match batch {
            Ok(batch) => output_batch(batch, &output),
            Err(error) => Err(from_datafusion(error, &sql, offset)),
        });
        Ok(RowStream { schema, batches: batches.boxed(), tag: "SELECT", live: false })
    }

    /// The plan made when the statement was prepared, if nobody has taken it and the catalog is the same.
    async fn take_planned(&mut self, prepared: &Prepared, query: &Query) -> Result<PlannedQuery> {
        let kept = prepared.planned.lock().take();
        let version = self.snapshot().version();
        match kept.filter(|planned| planned.planner.catalog.snapshot().version() == version) {
            Some(planned) => Ok(planned),
            None => self.plan_query(query, text(&prepared.statement)).await,
        }
    }

    /// Runs a query of our own making and returns all of its rows, as far as the budget goes.
    pub(super) async fn collect(
        &mut self,
        query: &Query,
        text: Text<'_>,
        budget: CommitBudget,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let planned = self.plan_query(query, text).await?;
        self.collect_planned(planned, text, budget).await
    }

    /// Runs a planned query and returns all of its rows, as far as the budget goes.
    pub(super) async fn collect_planned(
        &mut self,
        planned: PlannedQuery,
        text: Text<'_>,
        mut budget: CommitBudget,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let PlannedQuery { planner, plan, .. } = planned;
        let schema: SchemaRef = Arc::clone(plan.schema().inner());
        let overlay = self.overlay();
        let mut rows =
            planner.run(&self.database.engine, &plan, overlay.as_ref().map(|overlay| overlay as _), text).await?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| text.error(error))?;
            budget.add(&batch)?;
            batches.push(batch);
        }
        Ok((schema, batches))
    }
}
