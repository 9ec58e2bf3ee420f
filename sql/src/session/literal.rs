//! VALUES of plain literals, read without planning: what most INSERTs are.

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator, Value};

use super::parameter::{parameter_index, parameter_text};
use super::resolve::place_of;
use crate::error::Result;
use crate::pg_text::read_column;
use crate::statement::Statement;

/// The columns of some rows of literals, each read by the type of the column it goes to. `None`: there is something in them
/// that must be planned.
pub(super) fn literal_columns(
    statement: &Statement,
    rows: &[&[Expr]],
    fields: &[Field],
    parameters: &[ScalarValue],
    parameter_fields: &[arrow::datatypes::FieldRef],
) -> Result<Option<Vec<ArrayRef>>> {
    let mut columns = Vec::with_capacity(fields.len());
    for (place, field) in fields.iter().enumerate() {
        let mut texts: Vec<Option<String>> = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(expr) = row.get(place) else { return Ok(None) };
            match literal(expr, field, parameters, parameter_fields)? {
                Some(text) => texts.push(text),
                None => return Ok(None),
            }
        }
        let column = read_column(&StringArray::from(texts), field).map_err(|bad| {
            rows.get(bad.row)
                .and_then(|row| row.get(place))
                .map_or_else(|| bad.error.clone(), |expr| bad.error.clone().at_place(place_of(statement, expr)))
        })?;
        columns.push(column);
    }
    Ok(Some(columns))
}

/// A literal's text as the column's type reads it; inner `None` is NULL.
fn literal(
    expr: &Expr,
    field: &Field,
    parameters: &[ScalarValue],
    parameter_fields: &[arrow::datatypes::FieldRef],
) -> Result<Option<Option<String>>> {
    let text = |text: String| Ok(Some(Some(text)));
    match expr {
        Expr::Nested(inner) => literal(inner, field, parameters, parameter_fields),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) if number_fits(digits, field) => text(format!("-{digits}")),
                _ => Ok(None),
            },
            _ => Ok(None),
        },
        Expr::Value(value) => match &value.value {
            Value::Null => Ok(Some(None)),
            Value::Number(digits, _) if number_fits(digits, field) => text(digits.clone()),
            Value::SingleQuotedString(value)
            | Value::EscapedStringLiteral(value)
            | Value::NationalStringLiteral(value) => text(value.clone()),
            Value::DollarQuotedString(value) => text(value.value.clone()),
            Value::Boolean(value) if matches!(field.data_type(), DataType::Boolean | DataType::Utf8) => {
                text(value.to_string())
            }
            Value::Placeholder(name) => {
                let Some(index) = parameter_index(name) else { return Ok(None) };
                match (parameters.get(index), parameter_fields.get(index)) {
                    (Some(value), Some(given)) => parameter_text(value, given).map(Some),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Whether a number's text is one of the type. `1.5` for an integer is rounded, which the planned way does.
fn number_fits(digits: &str, field: &Field) -> bool {
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    match field.data_type() {
        data_type if data_type.is_integer() => is_whole,
        DataType::Decimal128(..) | DataType::Decimal256(..) | DataType::Float32 | DataType::Float64 => {
            !digits.starts_with("0x") && !digits.starts_with("0X")
        }
        DataType::Utf8 => is_whole,
        _ => false,
    }
}
