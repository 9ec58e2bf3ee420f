//! `PropagateEmpty`: DataFusion's rule that drops inputs without rows, but for one of its cases.
//!
//! Of a union that has one input left, DataFusion (55.2) makes a projection that names the union's columns, where the input
//! may have others. Here it selects the input's columns by place.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union};
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule.
#[derive(Debug, Default)]
pub(super) struct PropagateEmpty(PropagateEmptyRelation);

impl OptimizerRule for PropagateEmpty {
    fn name(&self) -> &str {
        "propagate_empty"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Union(union) = &plan
            && let Some(input) = only_input(union)
        {
            return Ok(Transformed::yes(renamed(input.clone(), union)?));
        }
        self.0.rewrite(plan, config)
    }
}

/// The input that may have rows, if it is the only one.
fn only_input(union: &Union) -> Option<&LogicalPlan> {
    let is_empty = |input: &LogicalPlan| matches!(input, LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row);
    let mut inputs = union.inputs.iter().map(AsRef::as_ref).filter(|input| !is_empty(input));
    let first = inputs.next()?;
    if inputs.next().is_some() { None } else { Some(first) }
}

fn renamed(input: LogicalPlan, union: &Union) -> Result<LogicalPlan> {
    let columns = input.schema().columns().into_iter().zip(union.schema.iter());
    let columns: Vec<Expr> = columns
        .map(|(column, (qualifier, field))| Expr::Column(column).alias_qualified(qualifier.cloned(), field.name()))
        .collect();
    LogicalPlanBuilder::from(input).project(columns)?.build()
}
