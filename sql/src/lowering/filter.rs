//! WHERE, and the bounds it puts on a row number.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, LogicalPlan, Operator as Compare};
use datafusion::physical_expr::expressions::BinaryExpr as PhysicalBinary;
use monsoon_circuit::{Node, Operator};

use super::builder::Builder;
use super::relation::Relation;
use super::top_n::RowRange;
use crate::error::SqlError;

impl Builder<'_> {
    /// Lowers a filter. On top of a row number its bounds become a top-n.
    pub fn filter(&mut self, predicate: &Expr, input: &LogicalPlan) -> Result<Relation, SqlError> {
        match input {
            LogicalPlan::Window(window) => {
                let place = window.input.schema().fields().len();
                let (qualifier, field) = window.schema.qualified_field(place);
                let number = Column::from((qualifier, field));
                let (range, rest) = row_range(predicate, &number);
                let relation = self.window(window, Some(range))?;
                match rest {
                    Some(rest) => self.push_filter(relation, &rest),
                    None => Ok(relation),
                }
            }
            // What the optimiser left between the filter and the window is moved out of the way.
            LogicalPlan::SubqueryAlias(alias) if numbers_rows(&alias.input) => {
                let below = moved_below(predicate, &alias.schema, |place| {
                    Expr::from(alias.input.schema().qualified_field(place))
                });
                let relation = self.filter(&below?, &alias.input)?;
                Ok(Relation { schema: Arc::clone(&alias.schema), ..relation })
            }
            LogicalPlan::Projection(projection) if numbers_rows(&projection.input) => {
                let below =
                    moved_below(predicate, &projection.schema, |place| projection.expr[place].clone().unalias());
                let relation = self.filter(&below?, &projection.input)?;
                self.project(relation, &projection.expr, &projection.schema)
            }
            other => {
                let relation = self.relation(other)?;
                self.push_filter(relation, predicate)
            }
        }
    }

    /// Adds a filter node, or another condition to the one below.
    pub fn push_filter(&mut self, input: Relation, predicate: &Expr) -> Result<Relation, SqlError> {
        let compiled = self.physical(predicate, &input.schema)?;
        if let Some(Node { operator: Operator::Filter { predicate: below }, .. }) = self.last_mut(input.node) {
            *below = Arc::new(PhysicalBinary::new(Arc::clone(below), Compare::And, compiled));
            return Ok(input);
        }
        let schema = Arc::clone(&self.nodes[input.node].schema);
        let node = self.push(Operator::Filter { predicate: compiled }, vec![input.node], schema);
        Ok(Relation { node, ..input })
    }
}

fn numbers_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Window(_) => true,
        LogicalPlan::SubqueryAlias(alias) => numbers_rows(&alias.input),
        LogicalPlan::Projection(projection) => numbers_rows(&projection.input),
        _ => false,
    }
}

fn moved_below(predicate: &Expr, schema: &DFSchema, below: impl Fn(usize) -> Expr) -> Result<Expr, SqlError> {
    let moved = predicate.clone().transform_up(|part| {
        Ok(match &part {
            Expr::Column(column) => Transformed::yes(below(schema.index_of_column(column)?)),
            _ => Transformed::no(part),
        })
    });
    moved.map(|moved| moved.data).map_err(|error| SqlError::internal(error.strip_backtrace()))
}

/// Splits a predicate into bounds on the row number and the rest.
fn row_range(predicate: &Expr, number: &Column) -> (RowRange, Option<Expr>) {
    let mut range = RowRange::ALL;
    let mut rest = Vec::new();
    for part in split_conjunction(predicate) {
        match bounds(part, number) {
            Some(bounds) => range = range.intersect(bounds),
            None => rest.push(part.clone()),
        }
    }
    (range, conjunction(rest))
}

fn bounds(part: &Expr, number: &Column) -> Option<RowRange> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if is_number(left, number) {
                compared(*op, constant(right)?)
            } else if is_number(right, number) {
                compared(op.swap()?, constant(left)?)
            } else {
                None
            }
        }
        Expr::Between(Between { expr, negated: false, low, high }) if is_number(expr, number) => {
            Some(RowRange { first: constant(low)?, last: constant(high)? })
        }
        _ => None,
    }
}

fn compared(op: Compare, value: i128) -> Option<RowRange> {
    Some(match op {
        Compare::Eq => RowRange { first: value, last: value },
        Compare::Lt => RowRange { last: value - 1, ..RowRange::ALL },
        Compare::LtEq => RowRange { last: value, ..RowRange::ALL },
        Compare::Gt => RowRange { first: value + 1, ..RowRange::ALL },
        Compare::GtEq => RowRange { first: value, ..RowRange::ALL },
        _ => return None,
    })
}

fn is_number(expression: &Expr, number: &Column) -> bool {
    match expression {
        Expr::Column(column) => column == number,
        // Row numbers fit every integer type they are compared as.
        Expr::Cast(Cast { expr, field }) => field.data_type().is_integer() && is_number(expr, number),
        _ => false,
    }
}

fn constant(expression: &Expr) -> Option<i128> {
    let Expr::Literal(value, _) = expression else { return None };
    Some(match value {
        ScalarValue::Int8(Some(value)) => i128::from(*value),
        ScalarValue::Int16(Some(value)) => i128::from(*value),
        ScalarValue::Int32(Some(value)) => i128::from(*value),
        ScalarValue::Int64(Some(value)) => i128::from(*value),
        ScalarValue::UInt8(Some(value)) => i128::from(*value),
        ScalarValue::UInt16(Some(value)) => i128::from(*value),
        ScalarValue::UInt32(Some(value)) => i128::from(*value),
        ScalarValue::UInt64(Some(value)) => i128::from(*value),
        _ => return None,
    })
}
