//! `->`, `->>`, `#>`, `#>>`, `?`: JSON operators on text that holds JSON.
//!
//! `->` gives JSON text, so that it can be chained and shown; DataFusion's own function for it gives a union type, which no
//! client knows.

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, lit};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion_functions_json::udfs::{json_as_text_udf, json_contains_udf, json_get_json_udf};

/// Plans the operators as calls of functions.
#[derive(Debug)]
pub(super) struct JsonOperators;

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match expr.op {
            BinaryOperator::Arrow | BinaryOperator::HashArrow => json_get_json_udf(),
            BinaryOperator::LongArrow | BinaryOperator::HashLongArrow => json_as_text_udf(),
            BinaryOperator::Question => json_contains_udf(),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let is_path = matches!(expr.op, BinaryOperator::HashArrow | BinaryOperator::HashLongArrow);
        let steps = if is_path { path_steps(&expr.right) } else { Some(vec![expr.right.clone()]) };
        let Some(steps) = steps else { return Ok(PlannerResult::Original(expr)) };
        let mut arguments = vec![expr.left];
        arguments.extend(steps);
        Ok(PlannerResult::Planned(function.call(arguments)))
    }
}

/// The steps of `'{a,0}'`: numbers are places in an array.
fn path_steps(path: &Expr) -> Option<Vec<Expr>> {
    let Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) = path else {
        return None;
    };
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let step = |step: &str| match step.trim().parse::<i64>() {
        Ok(place) => lit(place),
        Err(_) => lit(step.trim().trim_matches('"').to_owned()),
    };
    Some(inner.split(',').map(step).collect())
}
