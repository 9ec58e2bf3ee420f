//! From a view's text to its circuit, as the server does it: parse, rewrite windows, plan, optimise for views, lower.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::FunctionRegistry;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use monsoon_batch::Watermark;
use monsoon_circuit::{Operator, append_only_nodes};
use monsoon_sql::SqlError;
use monsoon_sql::function::register_pure;
use monsoon_sql::lowering::{LoweringContext, RelationInfo, RelationLookup, plan_view, view_session_state};
use monsoon_sql::parser::parse_query;
use monsoon_sql::window_function::rewrite_query;

use super::view::{Definition, View};
use super::world::{Base, Form, WATERMARK_DELAY_US};

/// The relations a query may name.
#[derive(Default)]
pub struct Relations(HashMap<String, RelationInfo>);

impl RelationLookup for Relations {
    fn relation(&self, name: &TableReference) -> Option<RelationInfo> {
        self.0.get(name.table()).cloned()
    }
}

impl Relations {
    /// Adds a relation that is written to.
    pub fn add_base(&mut self, base: &Base) {
        let (watermark, key) = match &base.form {
            Form::Keyed(key) => (None, key.clone()),
            Form::Timed(column) => (Some(*column), Vec::new()),
            Form::Bag | Form::Stream => (None, Vec::new()),
        };
        let info =
            RelationInfo { id: base.id, schema: base.schema.clone(), append_only: base.is_stream(), watermark, key };
        self.0.insert(base.name.clone(), info);
    }

    /// Adds a view.
    pub fn add_view(&mut self, view: &View) {
        let info = RelationInfo {
            id: view.definition.id,
            schema: view.schema.clone(),
            append_only: view.append_only,
            watermark: None,
            key: view.plan.key.clone(),
        };
        self.0.insert(view.definition.name.clone(), info);
    }

    /// Removes a view.
    pub fn remove_view(&mut self, view: &View) {
        self.0.remove(&view.definition.name);
    }

    /// Plans a view over them.
    pub async fn plan(&self, definition: &Definition) -> Result<View, SqlError> {
        let internal = |error: datafusion::error::DataFusionError| SqlError::internal(error.to_string());
        let context = SessionContext::new_with_config(SessionConfig::new());
        for (name, info) in &self.0 {
            context.register_table(name.as_str(), Arc::new(EmptyTable::new(info.schema.clone()))).map_err(internal)?;
        }
        let mut state = context.state();
        register_pure(&mut state as &mut dyn FunctionRegistry).map_err(internal)?;
        let state = view_session_state(&state);
        let mut query = parse_query(&definition.sql)?;
        rewrite_query(&mut query, &definition.sql, 0)?;
        let statement = Statement::Statement(Box::new(ast::Statement::Query(query)));
        let plan = state
            .statement_to_plan(statement)
            .await
            .map_err(|error| monsoon_sql::diagnostic::from_datafusion(error, &definition.sql, 0))?;
        let emit_on_window_close = definition.emit_on_window_close;
        let context = LoweringContext { relations: self, emit_on_window_close, sql: Some(&definition.sql) };
        let mut circuit = plan_view(&state, &plan, &context)?.plan;
        let Some(output) = circuit.nodes.last_mut() else {
            return Err(SqlError::internal("a circuit without operators"));
        };
        let schema = renamed(&output.schema, plan.schema().as_arrow());
        if !matches!(output.operator, Operator::Input { .. }) {
            output.schema = schema.clone();
        }
        let grows = |id| self.0.values().any(|info| info.id == id && info.append_only);
        let append_only = append_only_nodes(&circuit, &grows).last().copied().unwrap_or(false);
        Ok(View { definition: definition.clone(), plan: circuit, schema, append_only })
    }
}

fn renamed(kept: &SchemaRef, named: &Schema) -> SchemaRef {
    let field = |(kept, named): (&Arc<Field>, &Arc<Field>)| kept.as_ref().clone().with_name(named.name());
    Arc::new(Schema::new(kept.fields().iter().zip(named.fields()).map(field).collect::<Vec<_>>()))
}

/// The watermark of a timed stream.
pub fn watermark(base: &Base) -> datafusion::common::Result<Option<Watermark>> {
    let Form::Timed(column) = base.form else { return Ok(None) };
    let context = SessionContext::new();
    let schema = DFSchema::try_from(base.schema.as_ref().clone())?;
    let text = format!("{} - INTERVAL '{} seconds'", base.columns[column].name, WATERMARK_DELAY_US / 1_000_000);
    let logical = context.parse_sql_expr(&text, &schema)?;
    let expression: Arc<dyn PhysicalExpr> = context.state().create_physical_expr(logical, &schema)?;
    Ok(Some(Watermark { column, expression }))
}
