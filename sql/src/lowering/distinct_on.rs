//! `DistinctOnToRowNumber`: an optimiser rule that spells DISTINCT ON as `row_number() = 1`.
//!
//! DataFusion's own rule makes one `first_value` per column of it, which lets ties be broken differently per column, and
//! keeps the multiset of every column. As a row number it is a top-1, which picks whole rows.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::expr_rewriter::normalize_cols;
use datafusion::logical_expr::{
    Distinct, DistinctOn, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, Window, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule.
#[derive(Debug, Default)]
pub(super) struct DistinctOnToRowNumber;

impl OptimizerRule for DistinctOnToRowNumber {
    fn name(&self) -> &str {
        "distinct_on_to_row_number"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Distinct(Distinct::On(distinct)) => Ok(Transformed::yes(rewritten(distinct)?)),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn rewritten(distinct: DistinctOn) -> Result<LogicalPlan> {
    let DistinctOn { on_expr, select_expr, sort_expr, input, schema } = distinct;
    let partition = normalize_cols(on_expr, &input)?;
    let selected = normalize_cols(select_expr, &input)?;
    let number = row_number().partition_by(partition).order_by(sort_expr.unwrap_or_default()).build()?;
    let window = LogicalPlan::Window(Window::try_new(vec![number], Arc::clone(&input))?);
    let (qualifier, field) = window.schema().qualified_field(input.schema().fields().len());
    let first = Expr::Column(Column::from((qualifier, field))).eq(lit(1_u64));
    let output = selected
        .into_iter()
        .zip(schema.iter())
        .map(|(expression, (qualifier, field))| expression.alias_qualified(qualifier.cloned(), field.name()));
    LogicalPlanBuilder::from(window).filter(first)?.project(output)?.build()
}
