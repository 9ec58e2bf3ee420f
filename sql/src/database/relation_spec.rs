//! From a relation of the catalog to what the engine runs.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::ExprSchemable;
use datafusion::physical_expr::PhysicalExpr;
use monsoon_batch::{RelationKind, RelationSpec, Watermark};
use monsoon_connectors::{open_sink, open_source};

use super::Scope;
use super::planner::{Planner, Text};
use super::view_plan::{ViewDefinition, ViewPlan, plan_view_query};
use crate::catalog::{Kind, Relation, Snapshot};
use crate::error::{Result, SqlError};
use crate::parser::{parse_expression, parse_query};

/// A relation, planned from its text.
pub(crate) struct PlannedRelation {
    /// What the engine is given.
    pub(crate) spec: RelationSpec,
    /// The catalog's entry as this plan would have it.
    pub(crate) relation: Relation,
}

/// Plans a relation from its text. A plain view isn't run and has no spec.
pub(crate) async fn relation_spec(
    scope: &Arc<Scope>,
    snapshot: &Arc<Snapshot>,
    relation: &Relation,
) -> Result<PlannedRelation> {
    let mut planned = relation.clone();
    let kind = match relation.kind {
        Kind::Table => RelationKind::Table { key: relation.key.clone() },
        Kind::Stream => stream_kind(scope, snapshot, relation)?,
        Kind::MaterializedView => {
            let view = plan_from_text(scope, snapshot, relation).await?;
            planned.note_plan(&view);
            RelationKind::View { plan: view.plan, ephemeral: false }
        }
        Kind::Sink => {
            let view = plan_from_text(scope, snapshot, relation).await?;
            planned.note_plan(&view);
            sink_kind(relation, view)
        }
        Kind::View => return Err(SqlError::internal("a plain view is not run")),
    };
    Ok(PlannedRelation { spec: spec(&planned, kind), relation: planned })
}

impl Relation {
    /// What the catalog keeps of a plan.
    pub(crate) fn note_plan(&mut self, view: &ViewPlan) {
        self.schema = Arc::clone(&view.schema);
        self.key = view.plan.key.clone();
        self.append_only = view.append_only;
        self.fingerprint = Some(view.fingerprint());
    }
}

/// A relation with its kind already planned.
pub(crate) fn spec(relation: &Relation, kind: RelationKind) -> RelationSpec {
    RelationSpec { id: relation.id, name: relation.name.clone(), schema: Arc::clone(&relation.schema), kind }
}

/// How a stream is run.
pub(crate) fn stream_kind(scope: &Arc<Scope>, snapshot: &Arc<Snapshot>, relation: &Relation) -> Result<RelationKind> {
    let watermark = match &relation.watermark {
        None => None,
        Some((column, sql)) => {
            let expression = watermark_expression(&Planner::new(scope, snapshot), relation, *column, sql)?;
            Some(Watermark { column: *column, expression })
        }
    };
    if !relation.is_source() {
        return Ok(RelationKind::Stream { watermark });
    }
    let (options, schema) = (relation.connector_options(), Arc::clone(&relation.schema));
    Ok(RelationKind::Source { open: Arc::new(move || open_source(&options, Arc::clone(&schema))), watermark })
}

/// How a sink is run.
pub(crate) fn sink_kind(relation: &Relation, view: ViewPlan) -> RelationKind {
    let (options, schema, append_only) = (relation.connector_options(), Arc::clone(&relation.schema), view.append_only);
    RelationKind::Sink {
        plan: view.plan,
        open: Arc::new(move || open_sink(&options, Arc::clone(&schema), append_only)),
    }
}

/// The watermark that a row implies, over the stream's columns, of the type of the time column.
pub(crate) fn watermark_expression(
    planner: &Planner,
    relation: &Relation,
    column: usize,
    sql: &str,
) -> Result<Arc<dyn PhysicalExpr>> {
    let text = Text { sql, offset: 0 };
    let schema = DFSchema::try_from(relation.schema.as_ref().clone()).map_err(|error| text.error(error))?;
    let aliased = datafusion::sql::sqlparser::ast::ExprWithAlias { expr: parse_expression(sql)?, alias: None };
    let state = &planner.state;
    let logical = state.create_logical_expr_from_sql_expr(aliased, &schema).map_err(|error| text.error(error))?;
    let field = relation.schema.field(column);
    let logical = logical.cast_to(field.data_type(), &schema).map_err(|_| {
        SqlError::new("42804", format!("the watermark of column \"{}\" must be of its type", field.name()))
    })?;
    state.create_physical_expr(logical, &schema).map_err(|error| text.error(error))
}

async fn plan_from_text(scope: &Arc<Scope>, snapshot: &Arc<Snapshot>, relation: &Relation) -> Result<ViewPlan> {
    let sql = relation.query.as_deref().unwrap_or_default();
    let query = parse_query(sql)?;
    let view = ViewDefinition {
        query: &query,
        column_names: &relation.column_names,
        emit_on_window_close: relation.emit_on_window_close,
        text: Text { sql, offset: 0 },
    };
    plan_view_query(scope, snapshot, view).await
}
