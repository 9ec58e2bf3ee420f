//! Projections, with the small savings: none where columns only change names, one where two follow each other, and the
//! input's own projection where columns are only picked.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{DFSchemaRef, HashSet};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::cast;
use monsoon_circuit::{Node, NodeId, Operator, TopNPlan};

use super::builder::{Builder, with_nullability};
use super::event_time;
use super::expression::{as_column, can_be_null, column_uses, has_lambda, is_trivial, with_columns};
use super::relation::{Facts, Relation};
use super::unique;
use crate::error::SqlError;

impl Builder<'_> {
    /// Computes `expressions` over `input`.
    pub fn project(
        &mut self,
        input: Relation,
        expressions: &[Expr],
        schema: &DFSchemaRef,
    ) -> Result<Relation, SqlError> {
        let mut compiled = self.physical_all(expressions, &input.schema)?;
        for (expression, field) in compiled.iter_mut().zip(schema.fields()) {
            *expression = cast(Arc::clone(expression), input.schema.as_arrow(), field.data_type().clone())
                .map_err(|error| self.refusals.datafusion(error))?;
        }
        let places: Vec<Option<usize>> = compiled.iter().map(as_column).collect();
        let facts = Facts {
            key: input.facts.key.as_ref().and_then(|key| unique::projected(key, &places)),
            append_only: input.facts.append_only,
            emitted: input.facts.emitted,
            times: expressions
                .iter()
                .map(|expression| event_time::of_expression(expression, &input.schema, &input.facts.times))
                .collect(),
        };
        let node = self.push_project(input.node, compiled, schema)?;
        Ok(Relation { node, schema: Arc::clone(schema), facts })
    }

    fn push_project(
        &mut self,
        input: NodeId,
        expressions: Vec<Arc<dyn PhysicalExpr>>,
        schema: &DFSchemaRef,
    ) -> Result<NodeId, SqlError> {
        if let Some((below, merged)) = self.merged_with_project(input, &expressions)? {
            self.nodes.truncate(input);
            return self.push_project(below, merged, schema);
        }
        self.drop_unused_rank(input, &expressions);
        let places: Option<Vec<usize>> = expressions.iter().map(as_column).collect();
        if let Some(places) = places {
            if is_identity(&places, self.nodes[input].schema.fields().len()) {
                return Ok(input);
            }
            if self.picked_by_input(input, &places) {
                return Ok(input);
            }
        }
        let below = &self.nodes[input].schema;
        let nullable: Vec<bool> = expressions.iter().map(|expression| can_be_null(expression, below)).collect();
        let schema = with_nullability(schema, nullable);
        Ok(self.push(Operator::Project { expressions }, vec![input], schema))
    }

    /// If `input` is a projection nobody else reads: its own input, and the expressions over that. Not where it would compute
    /// something twice.
    fn merged_with_project(
        &mut self,
        input: NodeId,
        outer: &[Arc<dyn PhysicalExpr>],
    ) -> Result<Option<(NodeId, Vec<Arc<dyn PhysicalExpr>>)>, SqlError> {
        let Some(Node { operator: Operator::Project { expressions: inner }, inputs, .. }) = self.last_mut(input) else {
            return Ok(None);
        };
        let uses = column_uses(outer);
        let once = |(place, expression)| is_trivial(expression) || uses.get(&place).is_none_or(|&uses| uses <= 1);
        if !inner.iter().enumerate().all(once) || outer.iter().chain(inner.iter()).any(has_lambda) {
            return Ok(None);
        }
        let merged = outer
            .iter()
            .map(|expression| with_columns(expression, |column| inner.get(column.index()).cloned()))
            .collect::<Result<Vec<_>, _>>()?;
        // A projection's own input was made just before it, so it is the last node once the projection is gone.
        let below = inputs[0];
        Ok((below + 1 == input).then_some((below, merged)))
    }

    /// Whether `input` reads a relation, and now reads only these columns of it.
    fn picked_by_input(&mut self, input: NodeId, places: &[usize]) -> bool {
        let distinct: HashSet<usize> = places.iter().copied().collect();
        if distinct.len() < places.len() {
            return false;
        }
        let Some(Node { operator: Operator::Input { projection, .. }, schema, .. }) = self.last_mut(input) else {
            return false;
        };
        let Some(picked) = picked_schema(schema, places) else { return false };
        *projection = Some(match projection {
            Some(projection) => places.iter().map(|&place| projection[place]).collect(),
            None => places.to_vec(),
        });
        *schema = picked;
        true
    }

    /// A top-n whose rank nobody reads need not keep ranks up to date; there may be a filter in between.
    fn drop_unused_rank(&mut self, input: NodeId, expressions: &[Arc<dyn PhysicalExpr>]) {
        let mut read = column_uses(expressions);
        let mut node = input;
        if let Some(Node { operator: Operator::Filter { predicate }, inputs, .. }) = self.last_mut(input) {
            read.extend(column_uses(std::slice::from_ref(predicate)));
            node = inputs[0];
        } else if input + 1 != self.nodes.len() {
            return;
        }
        let rank = self.nodes[node].schema.fields().len().saturating_sub(1);
        let Operator::TopN(TopNPlan { with_rank: with_rank @ true, .. }) = &mut self.nodes[node].operator else {
            return;
        };
        if read.contains_key(&rank) {
            return;
        }
        *with_rank = false;
        let schema = Arc::new(Schema::new(self.nodes[node].schema.fields()[..rank].to_vec()));
        for node in [node, input] {
            self.nodes[node].schema = Arc::clone(&schema);
        }
    }
}

fn is_identity(places: &[usize], columns: usize) -> bool {
    places.len() == columns && places.iter().enumerate().all(|(to, &from)| to == from)
}

fn picked_schema(schema: &SchemaRef, places: &[usize]) -> Option<SchemaRef> {
    schema.project(places).ok().map(Arc::new)
}
