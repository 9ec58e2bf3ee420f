//! Planning a query for both sides: one logical plan, DataFusion's or the circuit's.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use arrow::array::RecordBatch;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use monsoon_circuit::{CircuitPlan, RelationId};
use monsoon_sql::lowering::{LoweringContext, RelationInfo, RelationLookup, plan_view, view_session_state};

use super::data::{Events, TABLES};
use super::query::Query;

/// Places of `date_time`, by table.
pub(crate) const TIME_COLUMNS: [&str; 3] = ["date_time"; 3];

/// A session that knows the three relations; `partitions` cuts their batches, 0 leaves them empty.
pub(crate) fn session(data: &Events, partitions: usize) -> Result<SessionContext> {
    let config = SessionConfig::new().with_target_partitions(partitions.max(1));
    let config = config.set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    let mut context = SessionContext::new_with_config(config);
    monsoon_sql::function::register_pure(&mut context).map_err(|error| anyhow!("{error}"))?;
    for (place, (name, _)) in TABLES.iter().enumerate() {
        let mut parts: Vec<Vec<RecordBatch>> = vec![Vec::new(); partitions.max(1)];
        if partitions > 0 {
            for (number, batch) in data.table(place).iter().enumerate() {
                parts[number % partitions].push(batch.clone());
            }
        }
        context.register_table(*name, Arc::new(MemTable::try_new(data.schema(place), parts)?))?;
    }
    Ok(context)
}

/// The query's logical plan, not optimised.
pub(crate) async fn logical(context: &SessionContext, query: &Query) -> Result<LogicalPlan> {
    let mut parsed = monsoon_sql::parser::parse_query(query.sql).map_err(|error| anyhow!("{error}"))?;
    monsoon_sql::window_function::rewrite_query(&mut parsed, query.sql, 0).map_err(|error| anyhow!("{error}"))?;
    let statement = Statement::Statement(Box::new(ast::Statement::Query(parsed)));
    Ok(context.state().statement_to_plan(statement).await?)
}

/// The query's circuit.
pub(crate) async fn circuit(data: &Events, query: &Query) -> Result<CircuitPlan> {
    let base = session(data, 0)?;
    let state = view_session_state(&base.state());
    let context = SessionContext::new_with_state(state);
    let plan = logical(&context, query).await?;
    let relations = Nexmark { data };
    let lowering = LoweringContext { relations: &relations, emit_on_window_close: false, sql: Some(query.sql) };
    let lowered = plan_view(&context.state(), &plan, &lowering).map_err(|error| anyhow!("{error}"))?;
    Ok(lowered.plan)
}

struct Nexmark<'a> {
    data: &'a Events,
}

impl RelationLookup for Nexmark<'_> {
    fn relation(&self, name: &TableReference) -> Option<RelationInfo> {
        let place = TABLES.iter().position(|(table, _)| *table == name.table())?;
        let schema = self.data.schema(place);
        let watermark = schema.index_of(TIME_COLUMNS[place]).ok();
        Some(RelationInfo { id: relation_id(place), schema, append_only: true, watermark, key: Vec::new() })
    }
}

/// The number of a table.
pub(crate) fn relation_id(place: usize) -> RelationId {
    RelationId(place as u32 + 1)
}
