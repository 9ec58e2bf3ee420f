//! pgjdbc's `getPrimaryKeys`: expands an index's columns with `information_schema._pg_expandarray`, a function that
//! returns rows of a composite type. Known by that call, it is answered from a table made for it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Query, VisitMut, VisitorMut};

use crate::parser::parse_query;

/// Replaces the query if it is this one.
pub(super) fn rewrite_primary_keys(query: &mut Query) -> bool {
    let mut facts = Facts::default();
    let _ = VisitMut::visit(query, &mut facts);
    if !facts.expands_key {
        return false;
    }
    let mut sql = String::from(
        "SELECT NULL AS \"TABLE_CAT\", table_schem AS \"TABLE_SCHEM\", table_name AS \"TABLE_NAME\", \
         column_name AS \"COLUMN_NAME\", key_seq AS \"KEY_SEQ\", pk_name AS \"PK_NAME\" \
         FROM pg_catalog.monsoon_primary_key_column WHERE true",
    );
    for (column, value) in [("table_schem", &facts.schema), ("table_name", &facts.table)] {
        if let Some(value) = value {
            sql.push_str(&format!(" AND {column} = '{}'", value.replace('\'', "''")));
        }
    }
    sql.push_str(" ORDER BY table_name, pk_name, key_seq");
    match parse_query(&sql) {
        Ok(replacement) => {
            *query = *replacement;
            true
        }
        Err(_) => false,
    }
}

#[derive(Default)]
struct Facts {
    expands_key: bool,
    schema: Option<String>,
    table: Option<String>,
}

impl VisitorMut for Facts {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                self.expands_key |= function.name.to_string().to_lowercase().ends_with("_pg_expandarray");
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let column = match left.as_ref() {
                    Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.to_lowercase()),
                    _ => None,
                };
                let value = match right.as_ref() {
                    Expr::Value(value) => value.value.clone().into_string(),
                    _ => None,
                };
                match column.as_deref() {
                    Some("nspname") => self.schema = value.or(self.schema.take()),
                    Some("relname") => self.table = value.or(self.table.take()),
                    _ => {}
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
