//! Parameters: their types, their values in a plan, and as literals in a syntax tree.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{CastKind, Expr, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Result, SqlError};
use crate::parser::parse_data_type;
use crate::pg_text::value_text;
use crate::pg_type::{field_of_oid, pg_type, sql_name};
use crate::sql_text::SqlText;
use crate::statement::Statement;

/// Most parameters a statement may have; the protocol counts them in 16 bits.
const PARAMETERS_MAX: usize = 65_535;

/// The place of `$n`, from 0.
pub(super) fn parameter_index(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < PARAMETERS_MAX)
}

/// How many parameters a syntax tree has: the highest number.
pub(super) fn parameter_count(tree: &impl Visit) -> usize {
    struct Counter(usize);
    impl Visitor for Counter {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) = expr {
                self.0 = self.0.max(parameter_index(name).map_or(0, |index| index + 1));
            }
            ControlFlow::Continue(())
        }
    }
    let mut counter = Counter(0);
    let _ = Visit::visit(tree, &mut counter);
    counter.0
}

/// The parameters of a plan. What the client says counts first, then what the plan wants; text where neither knows.
pub(super) fn plan_parameters(
    plan: &LogicalPlan,
    count: usize,
    oids: &[u32],
) -> datafusion::common::Result<Vec<FieldRef>> {
    let inferred = plan.get_parameter_fields()?;
    Ok((0..count)
        .map(|index| {
            let name = format!("${}", index + 1);
            let wanted = inferred.get(&name).cloned().flatten();
            parameter_field(index, oids, wanted)
        })
        .collect())
}

/// One parameter.
pub(super) fn parameter_field(index: usize, oids: &[u32], wanted: Option<FieldRef>) -> FieldRef {
    let name = format!("${}", index + 1);
    let given = oids.get(index).copied().filter(|oid| *oid != 0).and_then(|oid| field_of_oid(&name, oid));
    let field = given
        .or_else(|| wanted.map(|field| field.as_ref().clone()).filter(|field| field.data_type() != &DataType::Null));
    Arc::new(field.unwrap_or_else(|| Field::new(&name, DataType::Utf8, true)).with_name(name).with_nullable(true))
}

/// A parameter's value as Postgres writes it; `None` is NULL.
pub(super) fn parameter_text(value: &ScalarValue, field: &Field) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    let failed = |error: String| SqlError::internal(format!("parameter: {error}"));
    let array = value.to_array().map_err(|error| failed(error.to_string()))?;
    let fitting = if array.data_type() == field.data_type() {
        field.clone()
    } else {
        Field::new(field.name(), array.data_type().clone(), true)
    };
    value_text(&array, &fitting, 0).map_err(|error| failed(error.to_string()))
}

/// 42P02 at the first `$n` in a statement's text.
pub(super) fn no_parameter(statement: &Statement) -> SqlError {
    let text = SqlText::new(&statement.sql);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text.as_str()).tokenize_with_location().unwrap_or_default();
    let first = tokens.iter().find_map(|token| match &token.token {
        Token::Placeholder(name) => Some((name.as_str(), statement.offset + text.char_offset(token.span.start) + 1)),
        _ => None,
    });
    let name = first.map_or("$1", |(name, _)| name);
    SqlError::new("42P02", format!("there is no parameter {name}")).at_place(first.map(|(_, position)| position))
}

/// Puts values in the place of `$n`: text literals, cast to the parameter's type.
pub(super) fn substitute(tree: &mut impl VisitMut, values: &[ScalarValue], fields: &[FieldRef]) -> Result<()> {
    struct Substitution(Vec<Expr>);
    impl VisitorMut for Substitution {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) = expr
                && let Some(value) = parameter_index(name).and_then(|index| self.0.get(index))
            {
                *expr = value.clone();
            }
            ControlFlow::Continue(())
        }
    }
    if values.is_empty() {
        return Ok(());
    }
    let literals = values.iter().zip(fields).map(|(value, field)| literal(value, field)).collect::<Result<_>>()?;
    let _ = VisitMut::visit(tree, &mut Substitution(literals));
    Ok(())
}

fn literal(value: &ScalarValue, field: &Field) -> Result<Expr> {
    let text = parameter_text(value, field)?;
    let type_name = match pg_type(field).name {
        // A cast to a length would cut what the column must refuse.
        "varchar" | "bpchar" => "text".to_owned(),
        _ => sql_name(field),
    };
    let value = text.map_or(Value::Null, Value::SingleQuotedString);
    Ok(Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::Value(value.with_empty_span())),
        data_type: parse_data_type(&type_name)?,
        array: false,
        format: None,
    })
}
