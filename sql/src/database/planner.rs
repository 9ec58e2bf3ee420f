//! `Planner`: plans and runs the queries of one statement.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Expr, ExprWithAlias, Query};
use monsoon_batch::{Engine, ReadRequest, Rows};
use monsoon_circuit::RelationId;

use super::key_lookup::keys;
use super::relation_table::RelationTable;
use super::statement_catalog::StatementCatalog;
use super::{Scope, engine_error};
use crate::catalog::{Relation, Snapshot};
use crate::diagnostic::from_datafusion;
use crate::error::{Result, SqlError};
use crate::pg_catalog::rewrite_catalog_query;
use crate::window_function::rewrite_query;

/// The text that error positions speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// The statement.
    pub(crate) sql: &'a str,
    /// Characters before it in what the client sent.
    pub(crate) offset: usize,
}

impl Text<'_> {
    /// Translates an error of planning or running.
    pub(crate) fn error(&self, error: datafusion::common::DataFusionError) -> SqlError {
        from_datafusion(error, self.sql, self.offset)
    }
}

/// Plans and runs the queries of one statement, over one snapshot of the catalog.
pub(crate) struct Planner {
    pub(crate) catalog: StatementCatalog,
    pub(crate) state: SessionState,
}

/// The session's state with a statement's tables.
pub(super) fn statement_state(catalog: &StatementCatalog) -> SessionState {
    let mut state = catalog.scope().state.clone();
    state.register_catalog_list(Arc::new(catalog.clone()));
    state.mark_start_execution();
    state
}

/// What a transaction has changed and not committed yet, for those who read within it.
pub(crate) trait Overlay: Send + Sync {
    /// Whether a relation's committed rows aren't what the transaction sees.
    fn touches(&self, id: RelationId) -> bool;
    /// The rows of a relation as the transaction sees them.
    fn apply(
        &self,
        relation: &Relation,
        rows: Vec<arrow::array::RecordBatch>,
    ) -> Result<Vec<arrow::array::RecordBatch>>;
}

impl Planner {
    pub(crate) fn new(scope: &Arc<Scope>, snapshot: &Arc<Snapshot>) -> Planner {
        let catalog = StatementCatalog::new(Arc::clone(scope), Arc::clone(snapshot));
        let state = statement_state(&catalog);
        Planner { catalog, state }
    }

    /// Plans a query, not yet optimised.
    pub(crate) async fn plan(&self, query: &Query, text: Text<'_>) -> Result<LogicalPlan> {
        let mut query = query.clone();
        rewrite_catalog_query(&mut query);
        rewrite_query(&mut query, text.sql, text.offset)?;
        let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
        self.state.statement_to_plan(statement).await.map_err(|error| text.error(error))
    }

    /// Optimises a plan and reads the relations in it, so that it can be run.
    pub(crate) async fn physical(
        &self,
        engine: &Engine,
        plan: &LogicalPlan,
        overlay: Option<&dyn Overlay>,
        text: Text<'_>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let optimised = self.state.optimize(plan).map_err(|error| text.error(error))?;
        self.read(engine, &optimised, overlay, text).await?;
        let planner = Arc::clone(self.state.query_planner());
        planner.create_physical_plan(&optimised, &self.state).await.map_err(|error| text.error(error))
    }

    /// Runs a plan.
    pub(crate) async fn run(
        &self,
        engine: &Engine,
        plan: &LogicalPlan,
        overlay: Option<&dyn Overlay>,
        text: Text<'_>,
    ) -> Result<SendableRecordBatchStream> {
        let physical = self.physical(engine, plan, overlay, text).await?;
        execute_stream(physical, self.state.task_ctx()).map_err(|error| text.error(error))
    }

    async fn read(
        &self,
        engine: &Engine,
        plan: &LogicalPlan,
        overlay: Option<&dyn Overlay>,
        text: Text<'_>,
    ) -> Result<()> {
        let scanned = scanned(plan).map_err(|error| text.error(error))?;
        if scanned.is_empty() {
            return Ok(());
        }
        let touched = |id: RelationId| overlay.filter(|overlay| overlay.touches(id));
        let request = |scan: &Scanned| ReadRequest {
            relation: scan.relation.id,
            keys: scan.keys.clone().filter(|_| touched(scan.relation.id).is_none()),
        };
        let mut snapshot = engine.read(scanned.values().map(request).collect()).await.map_err(engine_error)?;
        for (id, scan) in &scanned {
            let Some(rows) = snapshot.relations.remove(id) else {
                return Err(SqlError::internal(format!("relation {} was not read", scan.relation.name)));
            };
            let rows = match (touched(*id), rows) {
                (Some(overlay), Rows::Batches(batches)) => Rows::Batches(overlay.apply(&scan.relation, batches)?),
                (_, rows) => rows,
            };
            self.catalog.rows().put(*id, rows);
        }
        Ok(())
    }

    /// Gives every relation of a plan no rows: enough to plan it physically.
    pub(crate) fn hold_nothing(&self, plan: &LogicalPlan, text: Text<'_>) -> Result<()> {
        for id in scanned(plan).map_err(|error| text.error(error))?.keys() {
            self.catalog.rows().put(*id, Rows::Batches(Vec::new()));
        }
        Ok(())
    }

    /// A constant expression's value.
    pub(crate) fn constant(&self, expr: &Expr, text: Text<'_>) -> Result<ScalarValue> {
        let physical = self.constant_expression(expr, text)?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
        let schema = Arc::new(arrow::datatypes::Schema::empty());
        let row = arrow::array::RecordBatch::try_new_with_options(schema, Vec::new(), &options)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        let value = physical.evaluate(&row).map_err(|error| text.error(error))?;
        match value {
            datafusion::logical_expr::ColumnarValue::Scalar(value) => Ok(value),
            datafusion::logical_expr::ColumnarValue::Array(array) => {
                ScalarValue::try_from_array(&array, 0).map_err(|error| text.error(error))
            }
        }
    }

    /// A constant expression, with now() and its like replaced by their values.
    fn constant_expression(&self, expr: &Expr, text: Text<'_>) -> Result<Arc<dyn PhysicalExpr>> {
        let schema = Arc::new(DFSchema::empty());
        let context = SimplifyContext::builder()
            .with_schema(Arc::clone(&schema))
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(self.state.execution_props().query_execution_start_time)
            .build();
        let aliased = ExprWithAlias { expr: expr.clone(), alias: None };
        let simplifier = ExprSimplifier::new(context);
        self.state
            .create_logical_expr_from_sql_expr(aliased, &schema)
            .and_then(|logical| simplifier.coerce(logical, &schema))
            .and_then(|logical| simplifier.simplify(logical))
            .and_then(|logical| self.state.create_physical_expr(logical, &schema))
            .map_err(|error| text.error(error))
    }
}

/// A relation in a plan.
struct Scanned {
    relation: Arc<Relation>,
    /// All that any of the scans wants; `None`: everything.
    keys: Option<Vec<Vec<ScalarValue>>>,
}

/// The relations in a plan, subqueries included.
fn scanned(plan: &LogicalPlan) -> datafusion::common::Result<HashMap<RelationId, Scanned>> {
    let mut found: HashMap<RelationId, Scanned> = HashMap::new();
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        let provider = source_as_provider(&scan.source)?;
        let provider: &dyn Any = provider.as_ref();
        let Some(table) = provider.downcast_ref::<RelationTable>() else { return Ok(TreeNodeRecursion::Continue) };
        let relation = Arc::clone(table.relation());
        let wanted = keys(&relation, &scan.filters);
        match found.get_mut(&relation.id) {
            None => {
                found.insert(relation.id, Scanned { relation, keys: wanted });
            }
            Some(before) => {
                before.keys = match (before.keys.take(), wanted) {
                    (Some(mut all), Some(more)) => {
                        all.extend(more.into_iter().filter(|key| !all.contains(key)).collect::<Vec<_>>());
                        Some(all)
                    }
                    _ => None,
                };
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
