//! What is done to a query's columns on their way to the client: Postgres's names, and `integer` for bare integers.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Expr, Query, SelectItem, SetExpr, UnaryOperator, Value};

use crate::column_name::shown_name;
use crate::error::{Result, SqlError};

/// Which of a query's `width` columns are bare integers: `integer` to Postgres, `bigint` to the planner.
pub(crate) fn bare_integers(query: &Query, width: usize) -> Vec<bool> {
    let mut found = vec![false; width];
    let SetExpr::Select(select) = query.body.as_ref() else { return found };
    let items = &select.projection;
    // A star stands for an unknown number of columns: count from both ends.
    let is_star = |item: &&SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    let before = items.iter().take_while(|item| !is_star(item)).count();
    for (n, item) in items.iter().take(before.min(width)).enumerate() {
        found[n] = is_bare_integer(item);
    }
    if before < items.len() {
        let after = items.iter().rev().take_while(|item| !is_star(item)).count();
        for (n, item) in items.iter().rev().take(after.min(width)).enumerate() {
            found[width - 1 - n] = is_bare_integer(item);
        }
    }
    found
}

/// The schema a client sees.
pub(crate) fn output_schema(schema: &Schema, bare_integers: &[bool]) -> SchemaRef {
    let field = |(n, field): (usize, &Arc<Field>)| {
        let is_bare = bare_integers.get(n).copied().unwrap_or(false) && field.data_type() == &DataType::Int64;
        let shown = field.as_ref().clone().with_name(shown_name(field.name()));
        if is_bare { shown.with_data_type(DataType::Int32) } else { shown }
    };
    Arc::new(Schema::new(schema.fields().iter().enumerate().map(field).collect::<Vec<_>>()))
}

/// A batch under the schema a client sees.
pub(crate) fn output_batch(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let failed = |error: arrow::error::ArrowError| SqlError::internal(error.to_string());
    let columns = batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() { Ok(Arc::clone(array)) } else { cast(array, field.data_type()) }
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(failed)
}

/// The plan with its columns renamed, as far as there are names.
pub(crate) fn renamed(plan: LogicalPlan, names: &[String]) -> PlanResult<LogicalPlan> {
    if names.is_empty() {
        return Ok(plan);
    }
    let columns = plan.schema().columns();
    let renamed = columns.into_iter().enumerate().map(|(n, column)| match names.get(n) {
        Some(name) => PlanExpr::Column(column).alias(name),
        None => PlanExpr::Column(column),
    });
    LogicalPlanBuilder::from(plan).project(renamed.collect::<Vec<_>>())?.build()
}

fn is_bare_integer(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => is_integer(expr),
        _ => false,
    }
}

fn is_integer(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(&value.value, Value::Number(digits, _) if digits.parse::<i32>().is_ok()),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => is_integer(expr),
        Expr::Nested(inner) => is_integer(inner),
        _ => false,
    }
}
