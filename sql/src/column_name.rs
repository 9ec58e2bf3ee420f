//! Names of result columns as Postgres gives them.
//!
//! DataFusion calls the column of `SELECT 1` `Int64(1)` and refuses two columns of one name; Postgres calls it `?column?`
//! and takes any number of them. [`name_columns`] gives every column of a query the name Postgres would, and keeps names
//! apart with a mark that [`shown_name`] takes off again.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Ident, Query, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Value,
};

/// Starts the part of a name that is not shown. No name has it: it is a control character.
const MARK: char = '\u{1}';
/// What a column without a name is called.
const UNNAMED: &str = "?column?";

/// Names the columns of a query's outermost SELECT (the first, of a UNION).
pub fn name_columns(query: &mut Query) {
    name_set(&mut query.body);
}

fn name_set(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => name_items(&mut select.projection),
        SetExpr::Query(query) => name_columns(query),
        SetExpr::SetOperation { left, .. } => name_set(left),
        _ => {}
    }
}

fn name_items(items: &mut [SelectItem]) {
    let mut names: Vec<String> = Vec::new();
    for item in items {
        let Some(name) = column_name(item) else { continue };
        let is_taken = names.contains(&name);
        let unique = if is_taken { format!("{name}{MARK}{}", names.len()) } else { name.clone() };
        names.push(name);
        match item {
            SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) if !is_taken => {}
            SelectItem::UnnamedExpr(expr) => {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', unique) };
            }
            SelectItem::ExprWithAlias { alias, .. } if is_taken => *alias = Ident::with_quote('"', unique),
            _ => {}
        }
    }
}

/// A column's name as the client sees it.
pub fn shown_name(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// The name Postgres gives a column; `None` for `*`.
pub fn column_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(expr) => Some(expression_name(expr).unwrap_or_else(|| UNNAMED.to_owned())),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => Some(UNNAMED.to_owned()),
        _ => None,
    }
}

fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// As `FigureColname` of Postgres's parser.
fn expression_name(expr: &Expr) -> Option<String> {
    let fixed = match expr {
        Expr::Identifier(ident) => return Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => return parts.last().map(folded),
        Expr::Function(function) => return function.name.0.last().and_then(|part| part.as_ident()).map(folded),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return expression_name(inner),
        Expr::CompoundFieldAccess { root, .. } => return expression_name(root),
        Expr::Cast { expr, data_type, .. } => return expression_name(expr).or_else(|| type_name(data_type)),
        Expr::TypedString(typed) => return type_name(&typed.data_type),
        Expr::Case { else_result, .. } => {
            return else_result.as_deref().and_then(expression_name).or_else(|| Some("case".to_owned()));
        }
        Expr::Subquery(query) => return subquery_name(&query.body),
        Expr::Value(value) => match value.value {
            Value::Boolean(_) => "bool",
            _ => return None,
        },
        Expr::Interval(_) => "interval",
        Expr::Exists { .. } => "exists",
        Expr::Array(_) => "array",
        Expr::Extract { .. } => "extract",
        Expr::Substring { .. } => "substring",
        Expr::Position { .. } => "position",
        Expr::Overlay { .. } => "overlay",
        Expr::Trim { .. } => "btrim",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Tuple(_) => "row",
        _ => return None,
    };
    Some(fixed.to_owned())
}

fn subquery_name(body: &SetExpr) -> Option<String> {
    match body {
        SetExpr::Select(select) => select.projection.first().and_then(column_name),
        SetExpr::Query(query) => subquery_name(&query.body),
        SetExpr::SetOperation { left, .. } => subquery_name(left),
        _ => None,
    }
}

/// The `pg_type` name that a cast of an unnamed value takes its name from.
fn type_name(data_type: &DataType) -> Option<String> {
    crate::data_type::field("", data_type, true).ok().map(|field| crate::pg_type::pg_type(&field).name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::parse_query;

    fn names(sql: &str) -> Vec<String> {
        let mut query = parse_query(sql).unwrap();
        name_columns(&mut query);
        let SetExpr::Select(select) = *query.body else { return Vec::new() };
        let items = select.projection.iter();
        let names: Vec<String> = items.map(|item| column_name(item).unwrap_or_else(|| item.to_string())).collect();
        let mut unique = names.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), names.len(), "{sql}");
        names.iter().map(|name| shown_name(name).to_owned()).collect()
    }

    #[test]
    fn columns_are_called_as_in_postgres() {
        let cases: [(&str, &[&str]); 9] = [
            ("SELECT 1, 'x', a + b", &["?column?", "?column?", "?column?"]),
            ("SELECT a, t.B, \"C\"", &["a", "b", "C"]),
            ("SELECT count(*), Sum(x), count(*)", &["count", "sum", "count"]),
            ("SELECT '1'::int, a::text, DATE '2024-01-01'", &["int4", "a", "date"]),
            ("SELECT true, NULL, INTERVAL '1 s'", &["bool", "?column?", "interval"]),
            ("SELECT CASE WHEN a THEN 1 END, coalesce(a, b), (a)", &["case", "coalesce", "a"]),
            ("SELECT (SELECT max(x) FROM t), EXISTS (SELECT 1)", &["max", "exists"]),
            ("SELECT 1 AS a, 2 AS a, a, *", &["a", "a", "a", "*"]),
            ("SELECT ARRAY[1], x[1], extract(year FROM d)", &["array", "x", "extract"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(names(sql), expected, "{sql}");
        }
    }
}
