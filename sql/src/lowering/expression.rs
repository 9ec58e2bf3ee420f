//! Questions about physical expressions, and small rewrites of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::execution::context::ExecutionProps;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::higher_order_function::HigherOrderFunctionExpr;

use crate::error::SqlError;

/// What expressions of views are compiled with: never the user's settings.
pub(super) fn view_properties() -> ExecutionProps {
    let mut options = ConfigOptions::default();
    options.execution.time_zone = Some("UTC".to_owned());
    let mut properties = ExecutionProps::new();
    properties.config_options = Some(Arc::new(options));
    properties
}

/// The place of the column, if the expression is just a column.
pub(super) fn as_column(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    expression.downcast_ref::<Column>().map(Column::index)
}

/// All columns of a schema, as expressions.
pub(super) fn columns(schema: &SchemaRef) -> Vec<Arc<dyn PhysicalExpr>> {
    let column = |(place, field): (usize, &Arc<arrow::datatypes::Field>)| -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(field.name(), place))
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// Whether it costs nothing to evaluate.
pub(super) fn is_trivial(expression: &Arc<dyn PhysicalExpr>) -> bool {
    expression.is::<Column>() || expression.is::<Literal>()
}

/// Whether the value can be NULL on rows of a node with this schema. An expression that fails on a row is NULL there, so
/// anything but a column or a literal can.
pub(super) fn can_be_null(expression: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    if let Some(place) = as_column(expression) {
        return schema.fields().get(place).is_none_or(|field| field.is_nullable());
    }
    match expression.downcast_ref::<Literal>() {
        Some(literal) => literal.value().is_null(),
        None => true,
    }
}

/// How often each column is read.
pub(super) fn column_uses(expressions: &[Arc<dyn PhysicalExpr>]) -> HashMap<usize, usize> {
    let mut uses = HashMap::new();
    for expression in expressions {
        // The closure never fails.
        let _ = expression.apply(|part| {
            if let Some(place) = as_column(part) {
                *uses.entry(place).or_insert(0) += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
    uses
}

/// Whether the expression contains a lambda, whose columns aren't all columns of the input.
pub(super) fn has_lambda(expression: &Arc<dyn PhysicalExpr>) -> bool {
    expression.exists(|part| Ok(part.is::<HigherOrderFunctionExpr>())).unwrap_or(true)
}

/// The expression with each column replaced by what `replacement` gives for its place.
pub(super) fn with_columns(
    expression: &Arc<dyn PhysicalExpr>,
    replacement: impl Fn(&Column) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>, SqlError> {
    let replaced = Arc::clone(expression).transform_up(|part| {
        Ok(match part.downcast_ref::<Column>().and_then(&replacement) {
            Some(other) => Transformed::yes(other),
            None => Transformed::no(part),
        })
    });
    replaced.map(|replaced| replaced.data).map_err(|error| SqlError::internal(error.strip_backtrace()))
}

/// The expression without column names: two that compute the same from the same places are equal.
pub(super) fn nameless(expression: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    if has_lambda(expression) {
        return Arc::clone(expression);
    }
    let nameless = with_columns(expression, |column| Some(Arc::new(Column::new("", column.index()))));
    nameless.unwrap_or_else(|_| Arc::clone(expression))
}
