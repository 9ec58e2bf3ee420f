//! Rewrites queries on the catalog so that DataFusion can plan them.
//!
//! Only queries that name a catalog table or a `pg_catalog` function are touched; a user's own query never is. Each rule is
//! one small function on one kind of expression; expressions are visited from the inside out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableFactor,
    Value, VisitMut, VisitorMut,
};

use super::always_empty::{empty_selects, is_null_subquery};
use super::primary_keys::rewrite_primary_keys;
use super::system_relation::system_relation_oid;

/// Rewrites a query that reads the catalog; false, and nothing changed, for any other.
pub fn rewrite_catalog_query(query: &mut Query) -> bool {
    let mut detector = Detector { reads_catalog: false };
    let _ = VisitMut::visit(query, &mut detector);
    if !detector.reads_catalog {
        return false;
    }
    if rewrite_primary_keys(query) {
        return true;
    }
    let _ = VisitMut::visit(query, &mut Rewriter);
    true
}

/// The last part of a relation's name, in lower case, if it is in the catalog or may be.
pub(super) fn relation_name(name: &ObjectName) -> Option<String> {
    let parts: Vec<String> =
        name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase()).collect();
    match parts.as_slice() {
        [.., schema, table] if schema == "pg_catalog" || schema == "information_schema" => Some(table.clone()),
        [table] if table.starts_with("pg_") => Some(table.clone()),
        _ => None,
    }
}

/// Whether a query reads the catalog.
struct Detector {
    reads_catalog: bool,
}

impl VisitorMut for Detector {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        self.reads_catalog |= relation_name(relation).is_some();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.reads_catalog |= match expr {
            Expr::Function(function) => is_qualified(&function.name),
            Expr::Cast { data_type, .. } => registered_type(data_type).is_some(),
            _ => false,
        };
        ControlFlow::Continue(())
    }
}

/// Whether a name is qualified with a schema of the catalog.
fn is_qualified(name: &ObjectName) -> bool {
    let first = name.0.first().and_then(|part| part.as_ident()).map(|ident| ident.value.to_lowercase());
    name.0.len() > 1 && matches!(first.as_deref(), Some("pg_catalog" | "information_schema"))
}

/// `regclass`, `regtype`, ...: the type's name without its schema.
fn registered_type(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Regclass => Some("regclass".to_owned()),
        DataType::Custom(name, _) => {
            let last = name.0.last()?.as_ident()?.value.to_lowercase();
            (last.starts_with("reg") && last.len() > 3).then_some(last)
        }
        _ => None,
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        empty_selects(query);
        ControlFlow::Continue(())
    }

    fn post_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        let is_bare = relation.0.len() == 1 && relation_name(relation).is_some();
        if is_bare {
            relation.0.insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } = factor {
            strip_schema(name);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(replacement) = rewritten(expr) {
            *expr = replacement;
        }
        ControlFlow::Continue(())
    }
}

fn strip_schema(name: &mut ObjectName) {
    if is_qualified(name) {
        name.0.remove(0);
    }
}

/// What an expression becomes, if anything.
fn rewritten(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Function(function) => {
            strip_schema(&mut function.name);
            array_of_subquery(function)
        }
        Expr::Collate { expr, .. } => Some(std::mem::replace(expr, null())),
        Expr::BinaryOp { op, .. } => {
            if let Some(plain) = plain_operator(op) {
                *op = plain;
            }
            None
        }
        Expr::Cast { expr, data_type, .. } => registered_cast(expr, data_type).or_else(|| array_cast(expr, data_type)),
        Expr::Subquery(query) if is_null_subquery(query) => Some(null_text()),
        Expr::Subquery(query) => {
            at_most_one_row(query);
            None
        }
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => {
            let elements = array_literal(right)?;
            **right = elements;
            None
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            backslash_escape(pattern, escape_char);
            None
        }
        _ => None,
    }
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// `NULL::text`.
fn null_text() -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(null()),
        data_type: DataType::Text,
        array: false,
        format: None,
    }
}

/// `OPERATOR(pg_catalog.~)` is `~`.
fn plain_operator(op: &BinaryOperator) -> Option<BinaryOperator> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return None };
    let operator = match parts.last()?.as_str() {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "||" => BinaryOperator::StringConcat,
        _ => return None,
    };
    Some(operator)
}

/// `'t'::regclass` is t's number; `oid::regclass`, which is only shown or cast to text, is the name.
fn registered_cast(expr: &mut Expr, data_type: &DataType) -> Option<Expr> {
    let type_name = registered_type(data_type)?;
    let is_name = matches!(expr, Expr::Value(value) if value.value.clone().into_string().is_some())
        || matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)));
    let function = match (type_name.as_str(), is_name) {
        ("regclass", true) => "monsoon_regclass",
        ("regclass", false) => "monsoon_regclass_name",
        ("regtype", true) => "monsoon_regtype",
        ("regtype", false) => "format_type",
        ("regnamespace", true) => "monsoon_regnamespace",
        ("regnamespace", false) => "monsoon_regnamespace_name",
        ("regrole", false) => "pg_get_userbyid",
        ("regrole", true) => "to_regrole",
        ("regproc" | "regprocedure", true) => "to_regproc",
        _ => return None,
    };
    // A name known beforehand is a number, so that the filter on it is one on a constant.
    if let ("monsoon_regclass", Expr::Value(value)) = (function, &*expr) {
        let name = value.value.clone().into_string().unwrap_or_default();
        let known = system_relation_oid(name.strip_prefix("pg_catalog.").unwrap_or(&name));
        if let Some(oid) = known {
            return Some(Expr::Value(Value::Number(oid.to_string(), false).into()));
        }
    }
    Some(call(function, std::mem::replace(expr, null())))
}

/// `int2vector::int2[]` and the like: vectors are lists already.
fn array_cast(expr: &mut Expr, data_type: &DataType) -> Option<Expr> {
    let is_vector_cast =
        matches!(data_type, DataType::Array(_)) && matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    is_vector_cast.then(|| std::mem::replace(expr, null()))
}

fn call(name: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `ARRAY(SELECT x FROM ...)` is `(SELECT array_agg(x) FROM ...)`: NULL where Postgres has an empty array. Over an
/// `unnest(a)` of an outer column, which can't be planned, it is `a`: only options use that, and they are NULL here.
fn array_of_subquery(function: &mut Function) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = &mut function.args else { return None };
    if !function.name.to_string().eq_ignore_ascii_case("array") {
        return None;
    }
    let order_by = query.order_by.take();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if let Some(unnested) = unnested_column(select) {
        return Some(unnested);
    }
    let [SelectItem::UnnamedExpr(element) | SelectItem::ExprWithAlias { expr: element, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    // The order is by the element itself wherever clients give one.
    drop(order_by);
    let element = std::mem::replace(element, null());
    select.projection = vec![SelectItem::UnnamedExpr(call("array_agg", element))];
    Some(Expr::Subquery(query.clone()))
}

fn unnested_column(select: &Select) -> Option<Expr> {
    let [from] = select.from.as_slice() else { return None };
    match &from.relation {
        TableFactor::UNNEST { array_exprs, .. } => array_exprs.first().cloned(),
        TableFactor::Table { name, args: Some(args), .. } if name.to_string().to_lowercase().ends_with("unnest") => {
            match args.args.first() {
                Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(array))) => Some(array.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A scalar subquery that isn't an aggregate gets a `max(...)`: it has at most one row, which DataFusion can't know.
fn at_most_one_row(query: &mut Query) {
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let is_plain = matches!(&select.group_by, GroupByExpr::Expressions(columns, _) if columns.is_empty());
    let reads_tables = !select.from.is_empty();
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice()
    else {
        return;
    };
    if is_plain && reads_tables && !contains_call(expr, AGGREGATES) {
        let inner = std::mem::replace(expr, null());
        *expr = call("max", inner);
        query.order_by = None;
    }
}

const AGGREGATES: &[&str] =
    &["count", "sum", "max", "min", "avg", "array_agg", "string_agg", "bool_or", "bool_and", "unnest"];

fn contains_call(expr: &mut Expr, names: &[&str]) -> bool {
    struct Finder<'a> {
        names: &'a [&'a str],
    }
    impl VisitorMut for Finder<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if self.names.contains(&function.name.to_string().to_lowercase().as_str()) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    VisitMut::visit(expr, &mut Finder { names }).is_break()
}

/// `= ANY ('{r,v}')`: the literal as an array.
fn array_literal(expr: &Expr) -> Option<Expr> {
    let text = match expr {
        Expr::Value(value) => value.value.clone().into_string()?,
        Expr::Cast { kind: CastKind::DoubleColon, expr, .. } | Expr::Nested(expr) => return array_literal(expr),
        _ => return None,
    };
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let element = |text: &str| Expr::Value(Value::SingleQuotedString(text.trim().trim_matches('"').to_owned()).into());
    let elem = if inner.trim().is_empty() { Vec::new() } else { inner.split(',').map(element).collect() };
    Some(Expr::Array(Array { elem, named: true }))
}

/// `LIKE 'a/_b' ESCAPE '/'`: DataFusion knows only the backslash.
fn backslash_escape(pattern: &mut Expr, escape: &mut Option<datafusion::sql::sqlparser::ast::ValueWithSpan>) {
    let character =
        escape.as_ref().and_then(|value| value.value.clone().into_string()).and_then(|text| text.chars().next());
    let (Some(character), Expr::Value(value)) = (character, pattern) else { return };
    let Some(text) = value.value.clone().into_string().filter(|_| character != '\\') else { return };
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(next) = characters.next() {
        match next {
            next if next == character => {
                escaped.push('\\');
                escaped.extend(characters.next());
            }
            '\\' => escaped.push_str("\\\\"),
            other => escaped.push(other),
        }
    }
    value.value = Value::SingleQuotedString(escaped);
    *escape = None;
}
