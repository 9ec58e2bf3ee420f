//! From a view's query to its circuit, with what the catalog must know of the result.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Query};
use monsoon_circuit::{CircuitPlan, Operator, RelationId, append_only_nodes};

use super::Scope;
use super::output_column::renamed;
use super::planner::{Planner, Text};
use super::scope::SCHEMA;
use crate::catalog::{Kind, Relation, Snapshot};
use crate::column_name::{name_columns, shown_name};
use crate::error::{Result, SqlError};
use crate::lowering::{
    LoweringContext, RelationInfo, RelationLabel, RelationLookup, fingerprint, plan_view, view_session_state,
};
use crate::response::Notice;
use crate::window_function::rewrite_query;

/// A query that is to be kept up to date.
pub(crate) struct ViewDefinition<'a> {
    /// The query.
    pub(crate) query: &'a Query,
    /// Names for its columns; may be fewer than there are.
    pub(crate) column_names: &'a [String],
    /// EMIT ON WINDOW CLOSE.
    pub(crate) emit_on_window_close: bool,
    /// What the query's spans speak of.
    pub(crate) text: Text<'a>,
}

/// What came of it.
pub(crate) struct ViewPlan {
    /// The circuit.
    pub(crate) plan: CircuitPlan,
    /// The columns, with their Postgres types.
    pub(crate) schema: SchemaRef,
    /// Rows are only ever inserted.
    pub(crate) append_only: bool,
    /// What it reads, through plain views too.
    pub(crate) depends_on: Vec<RelationId>,
    /// For the user.
    pub(crate) notices: Vec<Notice>,
}

impl ViewPlan {
    /// What state built by this plan fits.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(&self.plan)
    }
}

/// Plans a view's query.
pub(crate) async fn plan_view_query(
    scope: &Arc<Scope>,
    snapshot: &Arc<Snapshot>,
    view: ViewDefinition<'_>,
) -> Result<ViewPlan> {
    let text = view.text;
    let planner = Planner::new(scope, snapshot);
    let state = view_session_state(&planner.state);
    let mut query = view.query.clone();
    rewrite_query(&mut query, text.sql, text.offset)?;
    name_columns(&mut query);
    let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
    let plan = state.statement_to_plan(statement).await.map_err(|error| text.error(error))?;
    let plan = renamed_columns(plan, view.column_names, text)?;
    check_names(plan.schema().as_arrow())?;
    let context = LoweringContext {
        relations: &Relations(planner.catalog.snapshot()),
        emit_on_window_close: view.emit_on_window_close,
        sql: Some(text.sql),
    };
    let lowered = plan_view(&state, &plan, &context).map_err(|mut error| {
        error.position = error.position.map(|position| position + text.offset);
        error
    })?;
    let mut circuit = lowered.plan;
    let schema = output_schema(&mut circuit, plan.schema().as_arrow())?;
    let append_only =
        append_only_nodes(&circuit, &|id| snapshot.by_id(id).is_some_and(|relation| relation.append_only));
    Ok(ViewPlan {
        append_only: append_only.last().copied().unwrap_or(false),
        plan: circuit,
        schema,
        depends_on: planner.catalog.used(),
        notices: lowered.notices,
    })
}

/// What EXPLAIN calls an input.
pub(crate) fn relation_label(snapshot: &Snapshot, id: RelationId) -> RelationLabel {
    match snapshot.by_id(id) {
        Some(relation) => RelationLabel { name: relation.name.clone(), append_only: relation.append_only },
        None => RelationLabel { name: format!("relation {id}"), append_only: false },
    }
}

fn renamed_columns(plan: LogicalPlan, names: &[String], text: Text<'_>) -> Result<LogicalPlan> {
    let columns = plan.schema().fields().len();
    if names.len() > columns {
        let message = format!("view has {columns} columns, but {} column names were given", names.len());
        return Err(SqlError::new("42601", message));
    }
    renamed(plan, names).map_err(|error| text.error(error))
}

/// Two columns of one name can't be told apart later.
pub(crate) fn check_names(schema: &Schema) -> Result<()> {
    let mut seen = HashSet::new();
    match schema.fields().iter().find(|field| !seen.insert(shown_name(field.name()))) {
        None => Ok(()),
        Some(field) => {
            Err(SqlError::new("42701", format!("column \"{}\" specified more than once", shown_name(field.name())))
                .with_hint("give the columns different names with AS, or in a list after the view's name"))
        }
    }
}

/// The circuit's types under the query's names and Postgres types.
fn output_schema(circuit: &mut CircuitPlan, named: &Schema) -> Result<SchemaRef> {
    let Some(output) = circuit.nodes.last_mut() else {
        return Err(SqlError::internal("the query became a circuit without operators"));
    };
    let field = |(kept, named): (&Arc<Field>, &Arc<Field>)| {
        kept.as_ref().clone().with_name(named.name()).with_metadata(named.metadata().clone())
    };
    let fields: Vec<Field> = output.schema.fields().iter().zip(named.fields()).map(field).collect();
    if fields.len() != named.fields().len() {
        return Err(SqlError::internal("the circuit has other columns than its query"));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    // What an input yields is under the names of the relation it reads.
    if !matches!(output.operator, Operator::Input { .. }) {
        output.schema = Arc::clone(&schema);
    }
    Ok(schema)
}

/// The catalog as lowering asks for it.
struct Relations<'a>(&'a Snapshot);

impl RelationLookup for Relations<'_> {
    fn relation(&self, name: &TableReference) -> Option<RelationInfo> {
        if name.schema().is_some_and(|schema| schema != SCHEMA) {
            return None;
        }
        let relation = self.0.by_name(name.table())?;
        let is_readable = !matches!(relation.kind, Kind::View | Kind::Sink);
        is_readable.then(|| info(relation))
    }
}

fn info(relation: &Relation) -> RelationInfo {
    RelationInfo {
        id: relation.id,
        schema: Arc::clone(&relation.schema),
        append_only: relation.append_only,
        watermark: relation.watermark.as_ref().map(|(column, _)| *column),
        key: relation.key.clone(),
    }
}
