//! EXPLAIN: the circuit of a view, with what is promised of it; the plan of a query.

use std::sync::Arc;

use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::displayable;
use datafusion::physical_plan::execute_stream;
use monsoon_circuit::{CircuitPlan, RelationId};
use monsoon_connectors::{Guarantee, open_sink};

use super::Session;
use super::select::text;
use super::text_rows::text_rows;
use crate::catalog::{Kind, Relation, Snapshot};
use crate::database::{Text, ViewDefinition, plan_view_query, relation_label};
use crate::error::{Result, SqlError};
use crate::lowering;
use crate::parser::parse_query;
use crate::response::RowStream;
use crate::statement::{Body, Explain, ExplainTarget, Statement};
use datafusion::sql::sqlparser::ast::Query;

impl Session {
    pub(super) async fn explain(&mut self, statement: &Statement, explain: &Explain) -> Result<RowStream> {
        let lines = match &explain.target {
            ExplainTarget::Relation(name) => {
                let relation = self.relation(statement, name)?;
                self.explain_relation(&relation).await?
            }
            ExplainTarget::Statement(inner) => self.explain_statement(inner, explain).await?,
        };
        let rows: Vec<_> = lines.lines().map(|line| vec![Some(line.to_owned())]).collect();
        text_rows("EXPLAIN", &["QUERY PLAN"], &rows)
    }

    async fn explain_relation(&mut self, relation: &Relation) -> Result<String> {
        let snapshot = self.snapshot();
        let sql = relation.query.as_deref().unwrap_or_default();
        match relation.kind {
            Kind::MaterializedView | Kind::Sink => {
                let query = parse_query(sql)?;
                let scope = self.scope()?;
                let view = ViewDefinition {
                    query: &query,
                    column_names: &relation.column_names,
                    emit_on_window_close: relation.emit_on_window_close,
                    text: Text { sql, offset: 0 },
                };
                let view = plan_view_query(&scope, &snapshot, view).await?;
                Ok(circuit_text(&snapshot, &view.plan, &view.depends_on, sink_guarantee(relation)))
            }
            Kind::View => {
                let query = parse_query(sql)?;
                self.query_text(&query, Text { sql, offset: 0 }, false, false).await
            }
            kind => Err(SqlError::new(
                "42809",
                format!("{} \"{}\" has no plan: it is no query", kind.word(), relation.name),
            )),
        }
    }

    async fn explain_statement(&mut self, statement: &Statement, explain: &Explain) -> Result<String> {
        let (analyze, verbose) = (explain.analyze, explain.verbose);
        match &statement.body {
            Body::Query(query) => self.query_text(query, text(statement), analyze, verbose).await,
            Body::CreateMaterializedView(create) => {
                let names: Vec<String> = create.columns.iter().map(super::resolve::folded).collect();
                self.view_text(statement, &create.query, &names, create.emit_on_window_close).await
            }
            Body::CreateSink(create) => {
                self.view_text(statement, &create.query, &[], create.emit_on_window_close).await
            }
            Body::Subscribe(subscribe) => self.view_text(statement, &subscribe.query, &[], false).await,
            Body::CreateView(create) => self.query_text(&create.query, text(statement), analyze, verbose).await,
            Body::Insert(insert) => match &insert.source {
                Some(source) => self.query_text(source, text(statement), false, verbose).await,
                None => Err(SqlError::unsupported("EXPLAIN of INSERT DEFAULT VALUES is not supported")),
            },
            _ => Err(SqlError::unsupported(
                "EXPLAIN takes a query, INSERT, SUBSCRIBE, CREATE MATERIALIZED VIEW or CREATE SINK",
            )),
        }
    }

    async fn view_text(
        &mut self,
        statement: &Statement,
        query: &Query,
        names: &[String],
        emit: bool,
    ) -> Result<String> {
        let snapshot = self.snapshot();
        let view = self.plan_view(statement, &snapshot, query, names, emit).await?;
        Ok(circuit_text(&snapshot, &view.plan, &view.depends_on, None))
    }

    async fn query_text(&mut self, query: &Query, text: Text<'_>, analyze: bool, verbose: bool) -> Result<String> {
        let planned = self.plan_query(query, text).await?;
        let planner = &planned.planner;
        if analyze {
            let physical = planner.physical(&self.database.engine, &planned.plan, None, text).await?;
            let rows =
                execute_stream(Arc::clone(&physical), planner.state.task_ctx()).map_err(|error| text.error(error))?;
            datafusion::physical_plan::common::collect(rows).await.map_err(|error| text.error(error))?;
            return Ok(DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(verbose).to_string());
        }
        let optimised = planner.state.optimize(&planned.plan).map_err(|error| text.error(error))?;
        planner.hold_nothing(&optimised, text)?;
        let physical = planner.state.query_planner().create_physical_plan(&optimised, &planner.state).await;
        let physical = physical.map_err(|error| text.error(error))?;
        Ok(format!("{}\n\n{}", optimised.display_indent(), displayable(physical.as_ref()).indent(verbose)))
    }
}

fn circuit_text(snapshot: &Snapshot, plan: &CircuitPlan, depends_on: &[RelationId], sink: Option<String>) -> String {
    let mut lines = lowering::explain(plan, |id| relation_label(snapshot, id));
    let sources = depends_on.iter().filter_map(|id| snapshot.by_id(*id));
    let sources: Vec<&str> =
        sources.filter(|relation| relation.kind != Kind::View).map(|relation| relation.name.as_str()).collect();
    let from = if sources.is_empty() { "constants".to_owned() } else { sources.join(", ") };
    let promise = sink.unwrap_or_else(|| "exactly once".to_owned());
    lines.push_str(&format!("Guarantee: {promise} from {from}\n"));
    lines
}

/// What a sink's outside system is promised.
pub(super) fn sink_guarantee(relation: &Relation) -> Option<String> {
    if relation.kind != Kind::Sink {
        return None;
    }
    let sink = open_sink(&relation.connector_options(), Arc::clone(&relation.schema), relation.append_only).ok()?;
    Some(match sink.guarantee() {
        Guarantee::ExactlyOnce => "exactly once".to_owned(),
        Guarantee::AtLeastOnce => "at least once".to_owned(),
    })
}
