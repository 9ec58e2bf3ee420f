//! Equal nodes become one, and nodes nobody reads go: a query that names the same part twice keeps its state once.

use std::sync::Arc;

use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use monsoon_circuit::{AggregateCall, AggregatePlan, CircuitPlan, JoinPlan, Node, NodeId, Operator, TopNPlan};

use super::expression::nameless;

/// The plan with each node once, in topological order.
pub(super) fn share(plan: CircuitPlan) -> CircuitPlan {
    let CircuitPlan { nodes, key } = plan;
    let read = reachable(&nodes);
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    let mut places: Vec<NodeId> = Vec::with_capacity(nodes.len());
    let last = nodes.len().saturating_sub(1);
    for (id, mut node) in nodes.into_iter().enumerate() {
        if !read[id] {
            places.push(NodeId::MAX);
            continue;
        }
        for input in &mut node.inputs {
            *input = places[*input];
        }
        // The output stays a node of its own, the last one.
        let twin = if id == last { None } else { kept.iter().position(|other| same_node(other, &node)) };
        places.push(twin.unwrap_or(kept.len()));
        if twin.is_none() {
            kept.push(node);
        }
    }
    CircuitPlan { nodes: kept, key }
}

fn reachable(nodes: &[Node]) -> Vec<bool> {
    let mut read = vec![false; nodes.len()];
    if let Some(last) = read.last_mut() {
        *last = true;
    }
    for id in (0..nodes.len()).rev() {
        if read[id] {
            for &input in &nodes[id].inputs {
                read[input] = true;
            }
        }
    }
    read
}

/// Whether two nodes yield the same rows. Names of columns don't matter: readers go by place.
fn same_node(left: &Node, right: &Node) -> bool {
    let (l, r) = (left.schema.fields(), right.schema.fields());
    left.inputs == right.inputs
        && l.len() == r.len()
        && l.iter().zip(r).all(|(l, r)| l.data_type() == r.data_type() && l.is_nullable() == r.is_nullable())
        && same_operator(&left.operator, &right.operator)
}

fn same_operator(left: &Operator, right: &Operator) -> bool {
    match (left, right) {
        (Operator::Input { relation: l, projection: lp }, Operator::Input { relation: r, projection: rp }) => {
            l == r && lp == rp
        }
        (Operator::Project { expressions: l }, Operator::Project { expressions: r }) => same_all(l, r),
        (Operator::Filter { predicate: l }, Operator::Filter { predicate: r }) => same(l, r),
        (Operator::Unnest { column: l, preserve_nulls: lp }, Operator::Unnest { column: r, preserve_nulls: rp }) => {
            l == r && lp == rp
        }
        (Operator::Union, Operator::Union) => true,
        (Operator::Aggregate(l), Operator::Aggregate(r)) => same_aggregate(l, r),
        (Operator::Join(l), Operator::Join(r)) => same_join(l, r),
        (Operator::TopN(l), Operator::TopN(r)) => same_top_n(l, r),
        _ => false,
    }
}

fn same_aggregate(left: &AggregatePlan, right: &AggregatePlan) -> bool {
    left.window == right.window
        && same_all(&left.group, &right.group)
        && left.aggregates.len() == right.aggregates.len()
        && left.aggregates.iter().zip(&right.aggregates).all(|(l, r)| same_call(l, r))
}

fn same_call(left: &AggregateCall, right: &AggregateCall) -> bool {
    let (l, r) = (&left.function, &right.function);
    l.fun() == r.fun()
        && l.is_distinct() == r.is_distinct()
        && l.ignore_nulls() == r.ignore_nulls()
        && l.is_reversed() == r.is_reversed()
        && l.field().data_type() == r.field().data_type()
        && same_all(&l.expressions(), &r.expressions())
        && same_order(l.order_bys(), r.order_bys())
        && match (&left.filter, &right.filter) {
            (None, None) => true,
            (Some(l), Some(r)) => same(l, r),
            _ => false,
        }
}

fn same_join(left: &JoinPlan, right: &JoinPlan) -> bool {
    left.join_type == right.join_type
        && left.null_equals_null == right.null_equals_null
        && left.null_aware == right.null_aware
        && left.window == right.window
        && left.on.len() == right.on.len()
        && left.on.iter().zip(&right.on).all(|(l, r)| same(&l.0, &r.0) && same(&l.1, &r.1))
        && match (&left.filter, &right.filter) {
            (None, None) => true,
            (Some(l), Some(r)) => same(l, r),
            _ => false,
        }
}

fn same_top_n(left: &TopNPlan, right: &TopNPlan) -> bool {
    same_all(&left.partition, &right.partition)
        && left.window == right.window
        && same_order(&left.order, &right.order)
        && (left.offset, left.limit, left.with_rank) == (right.offset, right.limit, right.with_rank)
}

fn same_order(left: &[PhysicalSortExpr], right: &[PhysicalSortExpr]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| l.options == r.options && same(&l.expr, &r.expr))
}

fn same_all(left: &[Arc<dyn PhysicalExpr>], right: &[Arc<dyn PhysicalExpr>]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
}

fn same(left: &Arc<dyn PhysicalExpr>, right: &Arc<dyn PhysicalExpr>) -> bool {
    nameless(left) == nameless(right)
}
