//! Expressions that have no place in a view, because their value isn't a function of the rows.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery, Volatility};

use super::refusal::Refusals;
use crate::error::SqlError;

/// Refuses what the optimiser would hide: functions it folds to today's value, and scalar subqueries that may yield several
/// rows (they become joins, and a join would double rows where SQL wants an error).
pub(super) fn check_query(plan: &LogicalPlan, refusals: &Refusals<'_>) -> Result<(), SqlError> {
    each_expression(plan, |expression| match expression {
        Expr::ScalarSubquery(subquery) if !yields_one_row(subquery) => Some(several_rows(subquery, refusals)),
        other => unstable(other, refusals),
    })
}

/// Refuses what should be gone after the optimiser, and isn't.
pub(super) fn check_optimised(plan: &LogicalPlan, refusals: &Refusals<'_>) -> Result<(), SqlError> {
    each_expression(plan, |expression| match expression {
        Expr::ScalarSubquery(subquery) => Some(correlated("a scalar subquery", subquery, refusals)),
        Expr::Exists(exists) => Some(correlated("EXISTS", &exists.subquery, refusals)),
        Expr::InSubquery(list) => Some(correlated("IN (SELECT ...)", &list.subquery, refusals)),
        Expr::SetComparison(comparison) => Some(correlated("ANY or ALL (SELECT ...)", &comparison.subquery, refusals)),
        Expr::OuterReferenceColumn(_, column) => Some(refusals.at(
            format!(
                "the reference to outer column {} can't be turned into a join, so a view can't keep it up to date",
                column.name
            ),
            [],
        )),
        Expr::Unnest(unnest) => {
            Some(refusals.at("unnest() can't be kept up to date in this place of a view", [unnest.expr.as_ref()]))
        }
        other => unstable(other, refusals),
    })
}

fn each_expression(plan: &LogicalPlan, check: impl Fn(&Expr) -> Option<SqlError>) -> Result<(), SqlError> {
    let mut refused = None;
    let walked: Result<TreeNodeRecursion, DataFusionError> = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|root| {
            root.apply(|expression| {
                refused = check(expression);
                Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    match (refused, walked) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(SqlError::internal(error.strip_backtrace())),
        (None, Ok(_)) => Ok(()),
    }
}

fn unstable(expression: &Expr, refusals: &Refusals<'_>) -> Option<SqlError> {
    match expression {
        Expr::ScalarFunction(call) => unstable_call(call, refusals),
        Expr::ScalarVariable(_, names) => {
            Some(refusals.at(format!("a view can't use the variable {}: it differs by session", names.join(".")), []))
        }
        Expr::Placeholder(placeholder) => Some(SqlError::new(
            "42P02",
            format!("there is no parameter {}: a view's query has no parameters", placeholder.id),
        )),
        _ => None,
    }
}

fn unstable_call(call: &ScalarFunction, refusals: &Refusals<'_>) -> Option<SqlError> {
    let name = call.func.name();
    let why = match (call.func.signature().volatility, name) {
        (Volatility::Immutable, _) => return None,
        (_, "now" | "current_date" | "current_time" | "current_timestamp") => {
            "its value changes with time, without any change of the input"
        }
        (Volatility::Stable, _) => "its value depends on the session or the moment, not on the input",
        (Volatility::Volatile, _) => "it gives another value each time it is called",
    };
    Some(refusals.at_name(format!("a view can't use {name}(): {why}"), name))
}

fn yields_one_row(subquery: &Subquery) -> bool {
    // A correlated one is checked by DataFusion's analyser: it must aggregate by its correlated columns alone.
    !subquery.outer_ref_columns.is_empty() || subquery.subquery.max_rows().is_some_and(|rows| rows <= 1)
}

fn several_rows(subquery: &Subquery, refusals: &Refusals<'_>) -> SqlError {
    refusals
        .at("a scalar subquery in a view must be sure to yield at most one row", &subquery.subquery.expressions())
        .with_hint("aggregate it (max(...), count(*)), or add LIMIT 1")
}

fn correlated(what: &str, subquery: &Subquery, refusals: &Refusals<'_>) -> SqlError {
    refusals
        .at(
            format!("{what} can't be turned into a join here, so a view can't keep it up to date"),
            &subquery.subquery.expressions(),
        )
        .with_hint("write it as a join")
}
