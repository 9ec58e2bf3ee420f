//! A stable text of a plan: equal texts mean that state built by one fits the other.
//!
//! Names that planning makes up are left out; what decides the content of any state table is in.

use std::fmt::Write;
use std::sync::Arc;

use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use monsoon_circuit::{AggregateCall, CircuitPlan, Node, Operator, WindowBound};

use super::expression::nameless;

/// Changes whenever the text's meaning does.
const VERSION: u32 = 2;

/// The text: a line per node, with its inputs, operator, expressions and types, then the output's names and key.
pub fn fingerprint(plan: &CircuitPlan) -> String {
    let mut text = format!("plan {VERSION}\n");
    for (id, node) in plan.nodes.iter().enumerate() {
        let types: Vec<String> = node.schema.fields().iter().map(|field| column_type(field)).collect();
        // Writing to a String can't fail.
        let _ = writeln!(text, "{id} {:?} {} -> {}", node.inputs, operator(node, plan), types.join(", "));
    }
    let names = plan
        .nodes
        .last()
        .map(|node| node.schema.fields().iter().map(|field| format!("{:?}", field.name())).collect::<Vec<_>>());
    let _ = writeln!(text, "output {} key {:?}", names.unwrap_or_default().join(", "), plan.key);
    text
}

fn column_type(field: &arrow::datatypes::Field) -> String {
    format!("{}{}", field.data_type(), if field.is_nullable() { "" } else { " not null" })
}

fn operator(node: &Node, plan: &CircuitPlan) -> String {
    let input = |place: usize| node.inputs.get(place).map(|&input| &plan.nodes[input]);
    let typed = |expression: &Arc<dyn PhysicalExpr>, place: usize| typed(expression, input(place));
    let all = |expressions: &[Arc<dyn PhysicalExpr>]| {
        expressions.iter().map(|expression| typed(expression, 0)).collect::<Vec<_>>().join(", ")
    };
    match &node.operator {
        Operator::Input { relation, projection } => format!("input {relation} {projection:?}"),
        Operator::Values { rows } => format!("values {:?}", rows.columns()),
        Operator::Project { expressions } => format!("project {}", all(expressions)),
        Operator::Filter { predicate } => format!("filter {}", typed(predicate, 0)),
        Operator::Unnest { column, preserve_nulls } => format!("unnest {column} {preserve_nulls}"),
        Operator::Union => "union".to_owned(),
        Operator::Aggregate(aggregate) => {
            let calls: Vec<String> = aggregate.aggregates.iter().map(|call| call_text(call, input(0))).collect();
            format!("aggregate by {} compute {} {}", all(&aggregate.group), calls.join(", "), window(&aggregate.window))
        }
        Operator::Join(join) => {
            let pairs: Vec<String> =
                join.on.iter().map(|(l, r)| format!("{} = {}", typed(l, 0), typed(r, 1))).collect();
            let filter = join.filter.as_ref().map(|filter| nameless(filter).to_string());
            format!(
                "join {:?} on {} filter {filter:?} nulls {} aware {} {}",
                join.join_type,
                pairs.join(", "),
                join.null_equals_null,
                join.null_aware,
                window(&join.window)
            )
        }
        Operator::TopN(top_n) => format!(
            "top-n by {} order {} offset {} limit {} rank {} {}",
            all(&top_n.partition),
            order(&top_n.order, input(0)),
            top_n.offset,
            top_n.limit,
            top_n.with_rank,
            window(&top_n.window)
        ),
    }
}

fn window(bound: &Option<WindowBound>) -> String {
    let bound = bound.as_ref().map(|bound| (bound.end, &bound.watermarks, bound.on_close));
    format!("window {bound:?}")
}

fn call_text(call: &AggregateCall, input: Option<&Node>) -> String {
    let function = &call.function;
    let arguments: Vec<String> = function.expressions().iter().map(|expression| typed(expression, input)).collect();
    let filter = call.filter.as_ref().map(|filter| nameless(filter).to_string());
    format!(
        "{}({}) distinct {} ignore-nulls {} reversed {} order {} filter {filter:?}",
        function.fun().name(),
        arguments.join(", "),
        function.is_distinct(),
        function.ignore_nulls(),
        function.is_reversed(),
        order(function.order_bys(), input)
    )
}

fn order(order: &[PhysicalSortExpr], input: Option<&Node>) -> String {
    let part = |part: &PhysicalSortExpr| {
        format!(
            "{} desc {} nulls-first {}",
            typed(&part.expr, input),
            part.options.descending,
            part.options.nulls_first
        )
    };
    order.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// The expression with its type: a literal's text doesn't tell one.
fn typed(expression: &Arc<dyn PhysicalExpr>, input: Option<&Node>) -> String {
    let data_type = input.and_then(|input| expression.data_type(&input.schema).ok());
    match data_type {
        Some(data_type) => format!("{}:{data_type}", nameless(expression)),
        None => nameless(expression).to_string(),
    }
}
