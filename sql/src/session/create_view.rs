//! CREATE VIEW, CREATE MATERIALIZED VIEW, CREATE SINK.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query};
use monsoon_batch::RelationKind;
use monsoon_circuit::RelationId;
use monsoon_connectors::open_sink;

use super::Session;
use super::create_relation::option_error;
use super::resolve::{folded, simple_name};
use super::select::text;
use super::text_rows::complete;
use crate::catalog::{Kind, Relation, Snapshot};
use crate::column_name::name_columns;
use crate::database::{
    EngineChange, Planner, ViewDefinition, ViewPlan, check_names, output_schema, plan_view_query, sink_kind, spec,
};
use crate::error::{Result, SqlError};
use crate::response::Response;
use crate::statement::{CreateSink, CreateView, Statement};

impl Session {
    pub(super) async fn create_materialized_view(
        &mut self,
        statement: &Statement,
        create: &CreateView,
    ) -> Result<Response> {
        const TAG: &str = "CREATE MATERIALIZED VIEW";
        let change = self.database.begin_change().await;
        if create.or_replace && self.exists(statement, &create.name)? {
            return Err(SqlError::unsupported("CREATE OR REPLACE of an existing materialized view is not supported")
                .with_hint("DROP MATERIALIZED VIEW, then CREATE it"));
        }
        let Some(name) = self.new_name(statement, &create.name, create.if_not_exists)? else { return complete(TAG) };
        let column_names = names(&create.columns);
        let view = self
            .plan_view(statement, &change.before, &create.query, &column_names, create.emit_on_window_close)
            .await?;
        let mut relation = Relation::new(&name, Kind::MaterializedView, Arc::clone(&view.schema), &statement.sql);
        relation.id = RelationId(change.before.next_id());
        relation.note_plan(&view);
        describe(&mut relation, &view, &create.query_sql, column_names, create.emit_on_window_close);
        view.notices.iter().for_each(|notice| self.notices.push(notice.clone()));
        let kind = RelationKind::View { plan: view.plan, ephemeral: false };
        let after = change.before.with(relation.clone());
        change.commit(after, EngineChange::Create(spec(&relation, kind))).await?;
        complete(TAG)
    }

    pub(super) async fn create_sink(&mut self, statement: &Statement, create: &CreateSink) -> Result<Response> {
        let change = self.database.begin_change().await;
        let Some(name) = self.new_name(statement, &create.name, create.if_not_exists)? else {
            return complete("CREATE SINK");
        };
        let view = self.plan_view(statement, &change.before, &create.query, &[], create.emit_on_window_close).await?;
        let mut relation = Relation::new(&name, Kind::Sink, Arc::clone(&view.schema), &statement.sql);
        relation.id = RelationId(change.before.next_id());
        relation.options =
            create.options.iter().map(|(name, value)| (name.value.to_lowercase(), value.clone())).collect();
        relation.note_plan(&view);
        describe(&mut relation, &view, &create.query_sql, Vec::new(), create.emit_on_window_close);
        open_sink(&relation.connector_options(), Arc::clone(&relation.schema), view.append_only)
            .map_err(|error| option_error(statement, &create.options, error))?;
        view.notices.iter().for_each(|notice| self.notices.push(notice.clone()));
        let kind = sink_kind(&relation, view);
        let after = change.before.with(relation.clone());
        change.commit(after, EngineChange::Create(spec(&relation, kind))).await?;
        complete("CREATE SINK")
    }

    pub(super) async fn create_view(&mut self, statement: &Statement, create: &CreateView) -> Result<Response> {
        const TAG: &str = "CREATE VIEW";
        let change = self.database.begin_change().await;
        let name = folded(simple_name(statement, &create.name)?);
        let replaced = change.before.by_name(&name).filter(|_| create.or_replace).cloned();
        if replaced.is_none() && self.new_name(statement, &create.name, create.if_not_exists)?.is_none() {
            return complete(TAG);
        }
        let planner = Planner::new(&self.scope()?, &change.before);
        let mut query = create.query.as_ref().clone();
        name_columns(&mut query);
        let plan = planner.plan(&query, text(statement)).await?;
        let column_names = names(&create.columns);
        let schema = renamed_schema(&output_schema(plan.schema().as_arrow(), &[]), &column_names)?;
        let mut relation = Relation::new(&name, Kind::View, schema, &statement.sql);
        relation.id = RelationId(change.before.next_id());
        relation.query = Some(create.query_sql.clone());
        relation.column_names = column_names;
        relation.depends_on = planner.catalog.used();
        if let Some(old) = replaced {
            check_replaceable(&change.before, &old, &relation)?;
            relation.id = old.id;
            relation.comment = old.comment.clone();
        }
        let after = change.before.with(relation);
        change.commit(after, EngineChange::Nothing).await?;
        complete(TAG)
    }

    /// Plans a query that is to be kept up to date.
    pub(super) async fn plan_view(
        &mut self,
        statement: &Statement,
        snapshot: &Arc<Snapshot>,
        query: &Query,
        column_names: &[String],
        emit_on_window_close: bool,
    ) -> Result<ViewPlan> {
        let scope = self.scope()?;
        let view = ViewDefinition { query, column_names, emit_on_window_close, text: text(statement) };
        plan_view_query(&scope, snapshot, view).await
    }

    fn exists(&self, statement: &Statement, name: &ObjectName) -> Result<bool> {
        Ok(self.snapshot().by_name(&folded(simple_name(statement, name)?)).is_some())
    }
}

fn names(columns: &[Ident]) -> Vec<String> {
    columns.iter().map(folded).collect()
}

fn describe(
    relation: &mut Relation,
    view: &ViewPlan,
    query_sql: &str,
    column_names: Vec<String>,
    emit_on_window_close: bool,
) {
    relation.query = Some(query_sql.to_owned());
    relation.column_names = column_names;
    relation.emit_on_window_close = emit_on_window_close;
    relation.append_only = view.append_only;
    relation.depends_on = view.depends_on.clone();
}

fn renamed_schema(schema: &arrow::datatypes::Schema, names: &[String]) -> Result<arrow::datatypes::SchemaRef> {
    let width = schema.fields().len();
    if names.len() > width {
        let message = format!("view has {width} columns, but {} column names were given", names.len());
        return Err(SqlError::new("42601", message));
    }
    let field = |(n, field): (usize, &Arc<arrow::datatypes::Field>)| match names.get(n) {
        Some(name) => field.as_ref().clone().with_name(name),
        None => field.as_ref().clone(),
    };
    let renamed = arrow::datatypes::Schema::new(schema.fields().iter().enumerate().map(field).collect::<Vec<_>>());
    check_names(&renamed)?;
    Ok(Arc::new(renamed))
}

/// What reads the old view must be able to read the new one, and must not be read by it.
fn check_replaceable(snapshot: &Snapshot, old: &Relation, new: &Relation) -> Result<()> {
    if old.kind != Kind::View {
        return Err(SqlError::new("42809", format!("\"{}\" is not a view", old.name)));
    }
    let dependants = snapshot.dependants(old.id);
    if new.depends_on.contains(&old.id) || dependants.iter().any(|dependant| new.depends_on.contains(&dependant.id)) {
        return Err(SqlError::new("42P16", format!("view \"{}\" would read itself", old.name)));
    }
    let Some(dependant) = dependants.first() else { return Ok(()) };
    let (kind, name) = (dependant.kind.word(), &dependant.name);
    Err(SqlError::new("2BP01", format!("cannot replace view {} because other objects depend on it", old.name))
        .with_detail(format!("{kind} {name} depends on view {}", old.name))
        .with_hint("drop them first: they were built from the old definition"))
}
