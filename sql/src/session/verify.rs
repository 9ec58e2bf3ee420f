//! VERIFY MATERIALIZED VIEW: its query is run in one go over what it reads, and compared with what it holds.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::sql::sqlparser::ast::ObjectName;

use super::Session;
use super::resolve::place_of;
use super::text_rows::batch_rows;
use crate::catalog::{Kind, Relation};
use crate::column_name::name_columns;
use crate::database::Text;
use crate::error::{Result, SqlError};
use crate::parser::parse_query;
use crate::response::RowStream;
use crate::statement::Statement;

/// Marks which side of the comparison a row is of.
const SIDE: &str = "monsoon_side";

/// The columns of the answer.
pub(super) fn verify_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("status", DataType::Utf8, false),
        Field::new("missing", DataType::Int64, false),
        Field::new("unexpected", DataType::Int64, false),
    ]))
}

impl Session {
    pub(super) async fn verify(&mut self, statement: &Statement, name: &ObjectName) -> Result<RowStream> {
        let relation = self.relation(statement, name)?;
        if relation.kind != Kind::MaterializedView {
            let message = format!("\"{}\" is not a materialized view", relation.name);
            return Err(SqlError::new("42809", message).at_place(place_of(statement, name)));
        }
        if relation.emit_on_window_close || self.drops_late_rows(&relation) {
            return Err(SqlError::unsupported(format!(
                "materialized view \"{}\" can't be verified: it depends on a watermark, and its input holds rows it never took",
                relation.name
            )));
        }
        let counts = self.compare(&relation).await?;
        let missing: i64 = counts.values().filter(|count| **count > 0).sum();
        let unexpected: i64 = -counts.values().filter(|count| **count < 0).sum::<i64>();
        let status = if missing == 0 && unexpected == 0 { "ok" } else { "differs" };
        let batch = RecordBatch::try_new(
            verify_schema(),
            vec![
                Arc::new(StringArray::from(vec![status])),
                Arc::new(Int64Array::from(vec![missing])),
                Arc::new(Int64Array::from(vec![unexpected])),
            ],
        );
        Ok(batch_rows("VERIFY", batch.map_err(|error| SqlError::internal(error.to_string()))?))
    }

    /// Late rows of a source are dropped before any view, and come again when it is replayed.
    fn drops_late_rows(&self, relation: &Relation) -> bool {
        let snapshot = self.snapshot();
        let inputs = relation.depends_on.iter().filter_map(|id| snapshot.by_id(*id));
        inputs.into_iter().any(|input| {
            input.is_source() && input.watermark.is_some() && self.database.engine.stats(input.id).late > 0
        })
    }

    /// Per row: how often the query has it minus how often the view has it. Both sides are one query, so one txid.
    async fn compare(&mut self, relation: &Relation) -> Result<HashMap<OwnedRow, i64>> {
        let sql = relation.query.as_deref().unwrap_or_default();
        let text = Text { sql, offset: 0 };
        let planner = self.planner()?;
        let mut query = parse_query(sql)?;
        name_columns(&mut query);
        let expected = planner.plan(&query, text).await?;
        let held_sql = format!("SELECT * FROM \"{}\"", relation.name.replace('"', "\"\""));
        let held = planner.plan(parse_query(&held_sql)?.as_ref(), text).await?;
        let side = |plan, value: i64| {
            let columns = datafusion::logical_expr::LogicalPlan::schema(&plan).columns();
            let columns = columns
                .into_iter()
                .enumerate()
                .map(|(n, column)| datafusion::logical_expr::Expr::Column(column).alias(format!("c{n}")));
            let mark = datafusion::logical_expr::lit(value).alias(SIDE);
            LogicalPlanBuilder::from(plan).project(columns.chain([mark]).collect::<Vec<_>>())?.build()
        };
        let both = side(expected, 1)
            .and_then(|expected| Ok((expected, side(held, -1)?)))
            .and_then(|(expected, held)| LogicalPlanBuilder::from(expected).union(held)?.build())
            .map_err(|error| text.error(error))?;
        let rows = planner.run(&self.database.engine, &both, None, text).await?;
        let batches = datafusion::physical_plan::common::collect(rows).await.map_err(|error| text.error(error))?;
        count_rows(&relation.schema, &batches)
    }
}

fn count_rows(schema: &Schema, batches: &[RecordBatch]) -> Result<HashMap<OwnedRow, i64>> {
    let failed = |error: arrow::error::ArrowError| SqlError::internal(error.to_string());
    let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    let mut counts: HashMap<OwnedRow, i64> = HashMap::new();
    for batch in batches {
        let (marks, columns) =
            batch.columns().split_last().ok_or_else(|| SqlError::internal("rows without columns"))?;
        let columns = columns.iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
        let rows = converter.convert_columns(&columns).map_err(failed)?;
        let marks = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(marks);
        for (row, mark) in rows.iter().zip(marks.values()) {
            *counts.entry(row.owned()).or_default() += mark;
        }
    }
    counts.retain(|_, count| *count != 0);
    Ok(counts)
}
