//! EXPLAIN of a circuit: a tree of operators, with what decides the cost of each: what it keeps, and where rows move
//! between tasks.

use std::fmt::Write;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_expr_common::physical_expr::fmt_sql;
use monsoon_circuit::{
    AggregateCall, AggregatePlan, CircuitPlan, JoinPlan, Node, NodeId, OnClose, Operator, RelationId, TopNPlan,
    WindowBound, append_only_nodes,
};

/// What EXPLAIN says of an input.
#[derive(Debug, Clone)]
pub struct RelationLabel {
    /// Its name, as a user would write it.
    pub name: String,
    /// Whether rows are only ever inserted.
    pub append_only: bool,
}

/// The plan as lines of text, output first, inputs indented below. `exchange by` stands where rows must come to the task
/// that owns their key; `state` names what is kept; a node with several readers is written once and numbered.
pub fn explain(plan: &CircuitPlan, label: impl Fn(RelationId) -> RelationLabel) -> String {
    let Some(output) = plan.nodes.len().checked_sub(1) else { return String::new() };
    let mut explainer = Explainer {
        nodes: &plan.nodes,
        append_only: append_only_nodes(plan, &|relation| label(relation).append_only),
        readers: readers(&plan.nodes),
        written: vec![false; plan.nodes.len()],
        label: &label,
        text: String::new(),
    };
    let schema = &plan.nodes[output].schema;
    let key: Vec<&str> = plan.key.iter().map(|&column| schema.field(column).name().as_str()).collect();
    let by = if key.is_empty() { "the whole row".to_owned() } else { key.join(", ") };
    explainer.line(0, &format!("Materialize: key [{}]; exchange by {by}; state rows", key.join(", ")));
    explainer.node(output, 1);
    explainer.text
}

struct Explainer<'a, F> {
    nodes: &'a [Node],
    append_only: Vec<bool>,
    readers: Vec<usize>,
    written: Vec<bool>,
    label: &'a F,
    text: String,
}

impl<F: Fn(RelationId) -> RelationLabel> Explainer<'_, F> {
    fn line(&mut self, depth: usize, line: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "", indent = depth * 2);
    }

    fn node(&mut self, id: NodeId, depth: usize) {
        let nodes = self.nodes;
        let node = &nodes[id];
        let shared = if self.readers[id] > 1 { format!("#{id} ") } else { String::new() };
        if self.written[id] {
            self.line(depth, &format!("{shared}(see above)"));
            return;
        }
        self.written[id] = true;
        let append_only = if self.append_only[id] { "; append-only" } else { "" };
        let line = format!("{shared}{}{append_only}", self.describe(node));
        self.line(depth, &line);
        for &input in &node.inputs {
            self.node(input, depth + 1);
        }
    }

    fn describe(&self, node: &Node) -> String {
        match &node.operator {
            Operator::Input { relation, .. } => {
                format!("Input: {} [{}]", (self.label)(*relation).name, names(&node.schema).join(", "))
            }
            Operator::Values { rows } => format!("Values: {} rows", rows.num_rows()),
            Operator::Project { expressions } => {
                let columns: Vec<String> = expressions
                    .iter()
                    .zip(names(&node.schema))
                    .map(|(expression, name)| aliased(expression, name))
                    .collect();
                format!("Project: {}", columns.join(", "))
            }
            Operator::Filter { predicate } => format!("Filter: {}", sql(predicate)),
            Operator::Unnest { column, preserve_nulls } => {
                let nulls = if *preserve_nulls { ", keeping NULL lists" } else { "" };
                format!("Unnest: {}{nulls}", shown_name(self.input_schema(node, 0).field(*column).name()))
            }
            Operator::Union => "Union".to_owned(),
            Operator::Aggregate(aggregate) => self.aggregate(aggregate),
            Operator::Join(join) => self.join(join),
            Operator::TopN(top_n) => self.top_n(top_n),
        }
    }

    fn input_schema(&self, node: &Node, input: usize) -> &Schema {
        &self.nodes[node.inputs[input]].schema
    }

    fn aggregate(&self, aggregate: &AggregatePlan) -> String {
        let group = list(&aggregate.group);
        let verb = if aggregate.aggregates.is_empty() { "Distinct" } else { "Aggregate" };
        let mut line = format!("{verb}: by [{}]", group);
        if !aggregate.aggregates.is_empty() {
            let calls: Vec<String> = aggregate.aggregates.iter().map(call).collect();
            let _ = write!(line, " compute [{}]", calls.join(", "));
        }
        if let Some(window) = &aggregate.window {
            line.push_str(&self.window(window, aggregate.group.get(window.end)));
        }
        let _ = write!(line, "; exchange {}; state groups", exchange(&group));
        line
    }

    fn join(&self, join: &JoinPlan) -> String {
        let mut line = join_line(join);
        if let Some(window) = &join.window {
            line.push_str(&self.window(window, join.on.get(window.end).map(|(left, _)| left)));
        }
        let left: Vec<String> = join.on.iter().map(|(l, _)| sql(l)).collect();
        let right: Vec<String> = join.on.iter().map(|(_, r)| sql(r)).collect();
        let _ = if join.on.is_empty() {
            write!(line, "; exchange to one task; state left, right")
        } else {
            write!(line, "; exchange left by {}, right by {}; state left, right", left.join(", "), right.join(", "))
        };
        line
    }

    fn top_n(&self, top_n: &TopNPlan) -> String {
        let mut line = top_n_line(top_n);
        if let Some(window) = &top_n.window {
            line.push_str(&self.window(window, top_n.partition.get(window.end)));
        }
        let _ = write!(line, "; exchange {}; state partitions", exchange(&list(&top_n.partition)));
        line
    }

    fn window(&self, window: &WindowBound, end: Option<&Arc<dyn PhysicalExpr>>) -> String {
        let streams: Vec<String> = window.watermarks.iter().map(|stream| (self.label)(*stream).name).collect();
        let what = match window.on_close {
            OnClose::DropState => "drops state",
            OnClose::Emit => "emits",
        };
        let end = end.map(sql).unwrap_or_default();
        format!("; {what} when the watermark of {} passes {end}", streams.join(", "))
    }
}

fn call(call: &AggregateCall) -> String {
    let function = &call.function;
    let distinct = if function.is_distinct() { "DISTINCT " } else { "" };
    let mut text = format!("{}({distinct}{})", function.fun().name(), list(&function.expressions()));
    if !function.order_bys().is_empty() {
        let _ = write!(text, " ORDER BY [{}]", order(function.order_bys()));
    }
    if let Some(filter) = &call.filter {
        let _ = write!(text, " FILTER ({})", sql(filter));
    }
    text
}

fn join_line(join: &JoinPlan) -> String {
    let kind = match join.join_type {
        JoinType::Inner if join.on.is_empty() && join.filter.is_none() => "Cross".to_owned(),
        other => other.to_string(),
    };
    let mut line = format!("Join: {kind}");
    if !join.on.is_empty() {
        let equals = if join.null_equals_null { "IS NOT DISTINCT FROM" } else { "=" };
        let pairs: Vec<String> = join.on.iter().map(|(l, r)| format!("{} {equals} {}", sql(l), sql(r))).collect();
        let _ = write!(line, " on {}", pairs.join(" and "));
    }
    if let Some(filter) = &join.filter {
        let _ = write!(line, " where {}", sql(filter));
    }
    if join.null_aware {
        line.push_str(", NULL-aware");
    }
    line
}

fn top_n_line(top_n: &TopNPlan) -> String {
    let partition = list(&top_n.partition);
    let mut line = format!("TopN: by [{partition}] order [{}]", order(&top_n.order));
    if top_n.offset > 0 {
        let _ = write!(line, " offset {}", top_n.offset);
    }
    match top_n.limit {
        limit if limit == usize::MAX - top_n.offset => line.push_str(" without limit"),
        limit => {
            let _ = write!(line, " limit {limit}");
        }
    }
    if top_n.with_rank {
        line.push_str(" with row number");
    }
    line
}

fn exchange(by: &str) -> String {
    if by.is_empty() { "to one task".to_owned() } else { format!("by {by}") }
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|field| shown_name(field.name())).collect()
}

fn aliased(expression: &Arc<dyn PhysicalExpr>, name: &str) -> String {
    let text = sql(expression);
    if text == name { text } else { format!("{text} as {name}") }
}

fn list(expressions: &[Arc<dyn PhysicalExpr>]) -> String {
    expressions.iter().map(sql).collect::<Vec<_>>().join(", ")
}

fn order(order: &[PhysicalSortExpr]) -> String {
    let part = |part: &PhysicalSortExpr| {
        let direction = if part.options.descending { " desc" } else { "" };
        // Postgres's default is left out: NULLs count as largest.
        let nulls = match (part.options.descending, part.options.nulls_first) {
            (true, true) | (false, false) => "",
            (_, true) => " nulls first",
            (_, false) => " nulls last",
        };
        format!("{}{direction}{nulls}", sql(&part.expr))
    };
    order.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn sql(expression: &Arc<dyn PhysicalExpr>) -> String {
    let readable = Arc::clone(expression).transform_up(|part| {
        let text = match (part.downcast_ref::<Literal>(), part.downcast_ref::<Column>()) {
            (Some(literal), _) => literal_text(literal.value()),
            (_, Some(column)) => Some(shown_name(column.name()).to_owned()),
            _ => None,
        };
        Ok(match text {
            Some(text) => Transformed::yes(Arc::new(Column::new(&text, 0)) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(part),
        })
    });
    let readable = readable.map_or_else(|_| Arc::clone(expression), |readable| readable.data);
    fmt_sql(readable.as_ref()).to_string()
}

/// Constants as a user writes them, where DataFusion shows them otherwise.
fn literal_text(value: &ScalarValue) -> Option<String> {
    if let Some(Some(text)) = value.try_as_str() {
        return Some(format!("'{}'", text.replace('\'', "''")));
    }
    let ScalarValue::IntervalMonthDayNano(Some(interval)) = value else { return None };
    let seconds = interval.nanoseconds / 1_000_000_000;
    let parts = [(i64::from(interval.months), "months"), (i64::from(interval.days), "days"), (seconds, "seconds")];
    let mut parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count != 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    let rest_ns = interval.nanoseconds % 1_000_000_000;
    if rest_ns != 0 || parts.is_empty() {
        parts.push(format!("{rest_ns} nanoseconds"));
    }
    Some(format!("INTERVAL '{}'", parts.join(" ")))
}

/// A column's name without what planning wrote into it.
fn shown_name(name: &str) -> &str {
    if name.starts_with("__unnest_placeholder(") {
        return "unnested";
    }
    if name.starts_with("row_number() ") {
        return "row_number";
    }
    name
}

fn readers(nodes: &[Node]) -> Vec<usize> {
    let mut readers = vec![0; nodes.len()];
    for &input in nodes.iter().flat_map(|node| &node.inputs) {
        readers[input] += 1;
    }
    readers
}
