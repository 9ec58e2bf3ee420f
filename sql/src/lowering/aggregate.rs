//! GROUP BY and DISTINCT.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::physical_expr::aggregate::{AggregateFunctionExpr, LoweredAggregateBuilder};
use monsoon_circuit::{AggregateCall, AggregatePlan, NodeId, OnClose, Operator, WindowBound};

use super::builder::Builder;
use super::event_time::{self, EventTime};
use super::expression::{can_be_null, columns};
use super::relation::{Facts, Relation};
use super::window_bound::GroupEnd;
use crate::error::SqlError;

/// Name of the window's end in groups that only name its start.
const HIDDEN_END: &str = "__window_end";

/// Aggregates whose value depends on the order of rows.
const ORDERED: [&str; 6] = ["array_agg", "string_agg", "first_value", "last_value", "nth_value", "any_value"];

impl Builder<'_> {
    /// Lowers GROUP BY.
    pub fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Relation, SqlError> {
        let input = self.relation(&aggregate.input)?;
        if let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() {
            return self.grouping_sets(input, sets, aggregate);
        }
        if let Some(nested) = aggregate.group_expr.iter().find(|group| matches!(group, Expr::GroupingSet(_))) {
            return Err(self
                .refusals
                .at("GROUPING SETS beside other group expressions can't be kept up to date", [nested]));
        }
        let schema = Arc::clone(aggregate.schema.inner());
        let (node, bound) = self.push_aggregate(&input, &aggregate.group_expr, &aggregate.aggr_expr, &schema)?;
        let facts = aggregate_facts(&input, &aggregate.group_expr, &aggregate.aggr_expr, bound.as_ref());
        Ok(Relation { node, schema: Arc::clone(&aggregate.schema), facts })
    }

    /// Lowers SELECT DISTINCT: groups without aggregates. Rows that have a key are distinct already.
    pub fn distinct(&mut self, plan: &LogicalPlan) -> Result<Relation, SqlError> {
        let input = self.relation(plan)?;
        if input.facts.key.is_some() && !self.context.emit_on_window_close {
            return Ok(input);
        }
        let group: Vec<Expr> = input.schema.columns().into_iter().map(Expr::Column).collect();
        if group.is_empty() {
            return self.first_rows(input, &[], 0, 1);
        }
        let schema = Arc::clone(input.schema.inner());
        let (node, bound) = self.push_aggregate(&input, &group, &[], &schema)?;
        let facts = aggregate_facts(&input, &group, &[], bound.as_ref());
        Ok(Relation { node, schema: input.schema, facts })
    }

    /// Adds an aggregate node; `schema` has the names and types of its columns.
    pub fn push_aggregate(
        &mut self,
        input: &Relation,
        group: &[Expr],
        calls: &[Expr],
        schema: &SchemaRef,
    ) -> Result<(NodeId, Option<WindowBound>), SqlError> {
        let GroupEnd { window, hidden } = self.group_end(input, group)?;
        let groups: Vec<Expr> = group.iter().chain(&hidden).cloned().collect();
        let groups = self.physical_all(&groups, &input.schema)?;
        let aggregates =
            calls.iter().map(|call| self.aggregate_call(call, &input.schema)).collect::<Result<Vec<_>, _>>()?;
        let below = &self.nodes[input.node].schema;
        let mut fields: Vec<Field> = Vec::with_capacity(groups.len() + calls.len());
        for (expression, field) in groups.iter().zip(schema.fields()) {
            let nullable = field.is_nullable() || can_be_null(expression, below);
            fields.push(field.as_ref().clone().with_nullable(nullable));
        }
        fields.truncate(group.len());
        for end in &groups[group.len()..] {
            let data_type = end.data_type(input.schema.as_arrow()).map_err(|error| self.refusals.datafusion(error))?;
            fields.push(Field::new(HIDDEN_END, data_type, true));
        }
        let results = aggregates.iter().zip(&schema.fields()[group.len()..]);
        fields.extend(
            results.map(|(call, field)| field.as_ref().clone().with_nullable(field.is_nullable() || may_fail(call))),
        );
        let plan = AggregatePlan { group: groups, aggregates, window: window.clone() };
        let mut node = self.push(Operator::Aggregate(plan), vec![input.node], Arc::new(Schema::new(fields)));
        if hidden.is_some() {
            node = self.without_column(node, group.len());
        }
        Ok((node, window))
    }

    fn without_column(&mut self, node: NodeId, place: usize) -> NodeId {
        let schema = &self.nodes[node].schema;
        let mut expressions = columns(schema);
        expressions.remove(place);
        let mut fields = schema.fields().to_vec();
        fields.remove(place);
        self.push(Operator::Project { expressions }, vec![node], Arc::new(Schema::new(fields)))
    }

    fn aggregate_call(&mut self, call: &Expr, schema: &DFSchema) -> Result<AggregateCall, SqlError> {
        let lowered = LoweredAggregateBuilder::new(call, schema, schema.as_arrow(), &self.properties, &self.planning)
            .build()
            .map_err(|error| self.refusals.datafusion(error))?;
        // Some aggregates don't have every type that they accept.
        if let Err(error) = lowered.aggregate.create_accumulator() {
            let reason = format!("{} can't be computed: {}", lowered.aggregate.name(), error.strip_backtrace());
            return Err(self.refusals.at(reason, [call]));
        }
        self.notice_order(&lowered.aggregate);
        Ok(AggregateCall { function: lowered.aggregate, filter: lowered.filter })
    }
}

impl Builder<'_> {
    /// Tells that what a function makes of its rows' order is not to be relied on, unless an order was given.
    fn notice_order(&mut self, function: &AggregateFunctionExpr) {
        let name = function.fun().name();
        if ORDERED.contains(&name) && function.order_bys().is_empty() {
            self.notice(format!(
                "{name}() without ORDER BY takes rows in an order of its own (by value, where rows can be deleted), not as they \
                 were inserted: write {name}(... ORDER BY ...) if the order matters"
            ));
        }
    }
}

/// Whether the aggregate can be NULL though DataFusion says it can't: where DataFusion fails to compute it. A count is ours.
fn may_fail(call: &AggregateCall) -> bool {
    call.function.fun().name() != "count"
}

/// What holds for the groups.
pub(super) fn aggregate_facts(input: &Relation, group: &[Expr], calls: &[Expr], bound: Option<&WindowBound>) -> Facts {
    let emits = bound.is_some_and(|bound| bound.on_close == OnClose::Emit);
    let group_time = |expression: &Expr| -> Option<EventTime> {
        let time = event_time::of_expression(expression, &input.schema, &input.facts.times)?;
        Some(EventTime { closed: time.closed || emits, ..time })
    };
    let mut times: Vec<Option<EventTime>> = group.iter().map(group_time).collect();
    times.resize(group.len() + calls.len(), None);
    Facts {
        key: Some((0..group.len()).collect()),
        // A group, once there, stays there; its aggregates change.
        append_only: emits || (input.facts.append_only && calls.is_empty()),
        emitted: emits || input.facts.emitted,
        times,
    }
}

/// The sets that ROLLUP, CUBE and GROUPING SETS stand for.
pub(super) fn sets_of(grouping: &GroupingSet) -> Vec<Vec<Expr>> {
    match grouping {
        GroupingSet::GroupingSets(sets) => sets.clone(),
        GroupingSet::Rollup(expressions) => {
            (0..=expressions.len()).rev().map(|length| expressions[..length].to_vec()).collect()
        }
        GroupingSet::Cube(expressions) => (0..1_usize << expressions.len())
            .map(|mask| {
                let inside = |place: &usize| mask >> place & 1 == 0;
                (0..expressions.len()).filter(inside).map(|place| expressions[place].clone()).collect()
            })
            .collect(),
    }
}
