//! GROUPING SETS, ROLLUP and CUBE: one aggregate per set over the same input, and their union.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::{Aggregate, Expr};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use monsoon_circuit::{NodeId, Operator};

use super::aggregate::sets_of;
use super::builder::{Builder, with_nullability};
use super::relation::{Facts, Relation};
use crate::error::SqlError;

/// More sets than this are a mistake (CUBE of seven columns has 128).
const SETS_MAX: usize = 64;

impl Builder<'_> {
    /// Output columns: every expression of any set (NULL where a set hasn't it), DataFusion's grouping id, the aggregates.
    pub fn grouping_sets(
        &mut self,
        input: Relation,
        grouping: &GroupingSet,
        aggregate: &Aggregate,
    ) -> Result<Relation, SqlError> {
        let expressions: Vec<&Expr> = grouping.distinct_expr();
        if expressions.len() > SETS_MAX
            || (matches!(grouping, GroupingSet::Cube(_)) && 1 << expressions.len().min(32) > SETS_MAX)
        {
            return Err(self.too_many(&expressions));
        }
        let sets = sets_of(grouping);
        if sets.len() > SETS_MAX {
            return Err(self.too_many(&expressions));
        }
        let ids = grouping_ids(&expressions, &sets);
        let mut inputs = Vec::with_capacity(sets.len());
        let mut emitted = false;
        for (set, id) in sets.iter().zip(ids) {
            let (node, emits) = self.one_set(&input, &expressions, set, id, aggregate)?;
            emitted |= emits;
            inputs.push(node);
        }
        let columns = aggregate.schema.fields().len();
        let facts = Facts {
            // The id tells the sets apart, the group columns the groups.
            key: Some((0..=expressions.len()).collect()),
            append_only: emitted,
            emitted: emitted || input.facts.emitted,
            times: vec![None; columns],
        };
        let node = self.push_union(inputs, Arc::clone(aggregate.schema.inner()));
        Ok(Relation { node, schema: Arc::clone(&aggregate.schema), facts })
    }

    fn one_set(
        &mut self,
        input: &Relation,
        expressions: &[&Expr],
        set: &[Expr],
        id: u64,
        aggregate: &Aggregate,
    ) -> Result<(NodeId, bool), SqlError> {
        let schema = aggregate.schema.inner();
        let place_of = |expression: &Expr| expressions.iter().position(|other| *other == expression);
        let mut set_fields: Vec<Arc<Field>> =
            set.iter().filter_map(place_of).map(|place| Arc::clone(&schema.fields()[place])).collect();
        set_fields.extend(schema.fields()[expressions.len() + 1..].iter().cloned());
        let set_schema = Arc::new(Schema::new(set_fields));
        let (node, bound) = self.push_aggregate(input, set, &aggregate.aggr_expr, &set_schema)?;

        let column =
            |place: usize| -> Arc<dyn PhysicalExpr> { Arc::new(Column::new(set_schema.field(place).name(), place)) };
        let mut output: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(schema.fields().len());
        for (expression, field) in expressions.iter().zip(schema.fields()) {
            output.push(match set.iter().position(|other| other == *expression) {
                Some(place) => column(place),
                None => Arc::new(Literal::new(null_of(field.data_type())?)),
            });
        }
        output.push(Arc::new(Literal::new(id_value(id, schema.field(expressions.len()).data_type())?)));
        output.extend((set.len()..set_schema.fields().len()).map(column));
        // Group columns are nullable already, the id never is, aggregates are what the node says.
        let calls = self.nodes[node].schema.fields()[set.len()..].iter().map(|field| field.is_nullable());
        let nullable: Vec<bool> = std::iter::repeat_n(false, expressions.len() + 1).chain(calls).collect();
        let schema = with_nullability(&aggregate.schema, nullable);
        let node = self.push(Operator::Project { expressions: output }, vec![node], schema);
        Ok((node, bound.is_some() && self.context.emit_on_window_close))
    }

    fn too_many(&self, expressions: &[&Expr]) -> SqlError {
        let text = format!("more than {SETS_MAX} grouping sets in a view: each is an aggregate with its own state");
        self.refusals.at(text, expressions.iter().copied())
    }
}

/// DataFusion's `__grouping_id`: a bit per expression, the last one lowest, set where the expression is missing; above them,
/// how many equal sets came before.
fn grouping_ids(expressions: &[&Expr], sets: &[Vec<Expr>]) -> Vec<u64> {
    let mask = |set: &Vec<Expr>| {
        expressions.iter().fold(0_u64, |mask, expression| mask << 1 | u64::from(!set.contains(expression)))
    };
    let masks: Vec<u64> = sets.iter().map(mask).collect();
    let duplicate = |place: usize| masks[..place].iter().filter(|&&mask| mask == masks[place]).count() as u64;
    let width = expressions.len() as u32;
    (0..masks.len()).map(|place| masks[place] | duplicate(place).checked_shl(width).unwrap_or(0)).collect()
}

fn null_of(data_type: &DataType) -> Result<ScalarValue, SqlError> {
    ScalarValue::try_from(data_type).map_err(|error| SqlError::internal(error.strip_backtrace()))
}

fn id_value(id: u64, data_type: &DataType) -> Result<ScalarValue, SqlError> {
    ScalarValue::UInt64(Some(id)).cast_to(data_type).map_err(|error| SqlError::internal(error.strip_backtrace()))
}
