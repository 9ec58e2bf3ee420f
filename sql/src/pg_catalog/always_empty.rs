//! Queries that can't have rows here: those that join a catalog table that is empty in Monsoon for good.
//!
//! Clients ask for policies, publications, statistics, inheritance, triggers and foreign keys in queries that use much of
//! Postgres that DataFusion can't plan. The answer is known: no rows. So such a SELECT is replaced by one of the same
//! columns without rows, and nothing of the original has to be planned.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinOperator, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, Value,
};

use super::rewrite::relation_name;
use crate::column_name::column_name;

/// Tables without rows, ever.
const EMPTY: &[&str] = &[
    "pg_attrdef",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_inherits",
    "pg_largeobject",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_seclabel",
    "pg_sequence",
    "pg_shseclabel",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_transform",
    "pg_trigger",
    "pg_user_mapping",
    "referential_constraints",
    "routines",
    "triggers",
];

/// Whether the query's every SELECT can't have rows; each that can't is replaced. ORDER BY is dropped with the last one.
pub(super) fn empty_selects(query: &mut Query) {
    if empty_set(&mut query.body) {
        query.order_by = None;
        query.limit_clause = None;
        query.fetch = None;
    }
}

fn empty_set(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) if is_empty(select) => {
            make_empty(select);
            true
        }
        SetExpr::SetOperation { left, right, .. } => {
            let left_is_empty = empty_set(left);
            empty_set(right) && left_is_empty
        }
        SetExpr::Query(query) => empty_set(&mut query.body),
        _ => false,
    }
}

/// Joined (other than by an outer join) with an empty table, and no aggregate that would make a row of nothing.
fn is_empty(select: &Select) -> bool {
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(columns, _) if columns.is_empty());
    select.from.iter().any(needs_empty_table) && (is_grouped || !select.projection.iter().any(has_aggregate))
}

fn needs_empty_table(from: &TableWithJoins) -> bool {
    let keeps_left = from.joins.iter().all(|join| {
        !matches!(join.join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_))
    });
    let inner_joined = from.joins.iter().any(|join| {
        let is_inner =
            matches!(join.join_operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_));
        is_inner && is_empty_table(&join.relation)
    });
    keeps_left && (is_empty_table(&from.relation) || inner_joined)
}

fn is_empty_table(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, args: None, .. } => {
            relation_name(name).is_some_and(|name| EMPTY.binary_search(&name.as_str()).is_ok())
        }
        _ => false,
    }
}

fn has_aggregate(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
        return false;
    };
    match expr {
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let name = name.rsplit('.').next().unwrap_or_default();
            matches!(
                name,
                "count" | "sum" | "max" | "min" | "avg" | "array_agg" | "string_agg" | "bool_or" | "bool_and"
            )
        }
        _ => false,
    }
}

/// Whether a scalar subquery has no row here: it was made empty, or it looks for a collation that differs from its
/// type's, which no column of ours has.
pub(super) fn is_null_subquery(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let is_made_empty = select.from.is_empty()
        && matches!(&select.selection, Some(Expr::Value(value)) if value.value == Value::Boolean(false));
    let reads_collation = select.from.iter().any(|from| match &from.relation {
        TableFactor::Table { name, args: None, .. } => relation_name(name).as_deref() == Some("pg_collation"),
        _ => false,
    });
    is_made_empty || reads_collation
}

/// `SELECT NULL AS a, NULL AS b WHERE false`.
fn make_empty(select: &mut Select) {
    let mut names: Vec<String> = Vec::new();
    for item in &select.projection {
        let base = column_name(item).unwrap_or_else(|| "?column?".to_owned());
        let mut name = base.clone();
        let mut n = 1;
        while names.contains(&name) {
            n += 1;
            name = format!("{base}_{n}");
        }
        names.push(name);
    }
    select.projection = names
        .into_iter()
        .map(|name| SelectItem::ExprWithAlias {
            expr: Expr::Value(Value::Null.into()),
            alias: Ident::with_quote('"', name),
        })
        .collect();
    select.from.clear();
    select.distinct = None;
    select.selection = Some(Expr::Value(Value::Boolean(false).into()));
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
    select.sort_by.clear();
}

#[cfg(test)]
mod tests {
    #[test]
    fn list_is_sorted() {
        assert!(super::EMPTY.is_sorted());
    }
}
