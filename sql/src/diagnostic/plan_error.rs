//! What DataFusion says in words only.

use super::arrow_error;
use super::type_name::{sql_type_name, sql_type_names};
use super::{Classified, lower_first};

/// An error of planning.
pub(super) fn classify_plan(message: &str) -> Classified {
    not_found(message)
        .or_else(|| function(message))
        .or_else(|| operator(message))
        .or_else(|| grouping(message))
        .or_else(|| subquery(message))
        .unwrap_or_else(|| Classified::new("42000", lower_first(message)))
}

/// The text between the first pair of `quote`s after `prefix`.
fn quoted<'a>(message: &'a str, prefix: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(prefix)?;
    rest.split_once('\'').map(|(value, _)| value)
}

fn not_found(message: &str) -> Option<Classified> {
    if let Some(name) = quoted(message, "table function '") {
        return Some(Classified::new("42883", format!("function {name}(...) does not exist")).naming(name));
    }
    let name = quoted(message, "table '").filter(|_| message.contains("not found"))?;
    // The name is qualified with catalog and schema even if the user gave neither.
    let parts: Vec<&str> = name.split('.').collect();
    let shown = match parts.as_slice() {
        [.., "public", table] | [table] => (*table).to_owned(),
        [.., schema, table] => format!("{schema}.{table}"),
        [] => name.to_owned(),
    };
    Some(Classified::new("42P01", format!("relation \"{shown}\" does not exist")).naming(shown))
}

fn function(message: &str) -> Option<Classified> {
    if let Some(name) = quoted(message, "Invalid function '") {
        let classified = Classified::new("42883", format!("function {name}(...) does not exist")).naming(name);
        return Some(match quoted(message, "Did you mean '") {
            Some(other) => classified.hint(format!("perhaps you meant {other}")),
            None => classified,
        });
    }
    // "... the given name and argument types 'round(Float64, Float64)'. You might need ..."
    let (_, rest) = message.split_once("argument types '")?;
    let (call, _) = rest.split_once("'. You might").or_else(|| rest.rsplit_once('\''))?;
    let (name, types) = call.split_once('(')?;
    let types = sql_type_names(types.strip_suffix(')').unwrap_or(types));
    let classified = Classified::new("42883", format!("function {name}({types}) does not exist")).naming(name);
    Some(
        classified
            .hint("no function matches the given name and argument types; you might need to add explicit type casts"),
    )
}

fn operator(message: &str) -> Option<Classified> {
    let hint = "no operator matches the given name and argument types; you might need to add explicit type casts";
    if let Some((_, rest)) = message.split_once("Cannot coerce arithmetic expression ") {
        let expression = rest.split_once(" to valid types").map_or(rest, |(expression, _)| expression);
        return Some(Classified::new("42883", operator_message(expression)).hint(hint));
    }
    if let Some((_, rest)) = message.split_once("Cannot infer common argument type for ") {
        let expression = rest.split_once("operation ").map_or(rest, |(_, expression)| expression);
        return Some(Classified::new("42883", operator_message(expression)).hint(hint));
    }
    if let Some((_, rest)) = message.split_once("Invalid comparison operation: ") {
        return Some(Classified::new("42883", operator_message(rest)).hint(hint));
    }
    let type_mismatch = message.contains("cannot be used with")
        || message.contains("Cannot automatically convert")
        || message.contains("is not compatible")
        || message.contains("boolean expression")
        || message.contains("must be boolean")
        || message.contains("Cannot create filter with non-boolean");
    type_mismatch.then(|| Classified::new("42804", lower_first(message)))
}

/// `Utf8 + Int64` -> `operator does not exist: text + bigint`.
fn operator_message(expression: &str) -> String {
    let parts: Vec<&str> = expression.split(' ').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [left, operator, right] => {
            format!("operator does not exist: {} {operator} {}", sql_type_name(left), sql_type_name(right))
        }
        _ => format!("operator does not exist: {expression}"),
    }
}

fn grouping(message: &str) -> Option<Classified> {
    if !message.contains("must appear in the GROUP BY clause") && !message.contains("must be in GROUP BY") {
        return nested_aggregate(message);
    }
    let column = message.split_once("column \"").and_then(|(_, rest)| rest.split_once('"')).map(|(column, _)| column);
    let column = column.unwrap_or("?");
    let text = format!("column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function");
    Some(Classified::new("42803", text).naming(column))
}

fn nested_aggregate(message: &str) -> Option<Classified> {
    let is_misplaced = message.contains("Aggregate functions are not allowed")
        || (message.contains("ggregate") && message.contains("nested"))
        || message.contains("Invalid aggregate");
    is_misplaced.then(|| Classified::new("42803", lower_first(message)))
}

fn subquery(message: &str) -> Option<Classified> {
    if message.contains("different number of columns") {
        let operation =
            message.split(' ').find(|word| matches!(*word, "UNION" | "INTERSECT" | "EXCEPT")).unwrap_or("UNION");
        return Some(Classified::new("42601", format!("each {operation} query must have the same number of columns")));
    }
    if message.contains("subquery should only return one column") {
        return Some(Classified::new("42601", "subquery must return only one column"));
    }
    None
}

/// An error of running.
pub(super) fn classify_execution(message: &str) -> Classified {
    let lower = message.to_lowercase();
    if lower.contains("divide by zero") || lower.contains("division by zero") {
        return Classified::new("22012", "division by zero");
    }
    if lower.contains("returned more than one row") {
        return Classified::new("21000", "more than one row returned by a subquery used as an expression");
    }
    if message.contains("Cannot cast string")
        || message.contains("Can't cast value")
        || message.contains("Error parsing timestamp")
    {
        return arrow_error::cast(message);
    }
    if lower.contains("overflow") || lower.contains("out of range") {
        let mut classified = Classified::new("22003", "value out of range");
        classified.error = classified.error.with_detail(lower_first(message));
        return classified;
    }
    if lower.contains("parse") || lower.contains("invalid") {
        return Classified::new("22P02", lower_first(message));
    }
    Classified::new("22000", lower_first(message))
}
