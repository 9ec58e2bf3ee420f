//! `Circuit`: one task's copy of a plan, run batch by batch.
//!
//! Stateful operators stand behind an exchange that sends each row to the task owning its key, so that a row's retraction
//! always meets its insertion. Exchanges are placed here, not in the plan: they are the same for every task, in node order.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinType;
use datafusion::physical_expr::PhysicalExpr;

use crate::aggregate::{AggregateOperator, InputForm, PartialAggregate};
use crate::exchange::{Exchange, TaskPlace, owned_rows, partition_noting};
use crate::filter::FilterOperator;
use crate::join::JoinOperator;
use crate::operator::{Operate, RowError, StateTable, Step};
use crate::plan::{AggregatePlan, CircuitPlan, Node, OnClose, Operator, RelationId};
use crate::project::ProjectOperator;
use crate::top_n::TopNOperator;
use crate::union::UnionOperator;
use crate::unnest::UnnestOperator;
use crate::values::ValuesOperator;
use crate::{Delta, Error, Result, WeightedBatch};

/// One task's copy of a plan.
pub struct Circuit {
    nodes: Vec<Running>,
    /// Per state table of the circuit: the node and the table within it.
    tables: Vec<(usize, usize, StateTable)>,
    append_only: bool,
    windowed: bool,
}

struct Running {
    work: Work,
    inputs: Vec<usize>,
    /// Place of the node's first state table among the circuit's.
    first_table: usize,
}

enum Work {
    Input { relation: RelationId, projection: Option<Vec<usize>> },
    Operator(Box<dyn Operate>),
    Exchange { key: Vec<Arc<dyn PhysicalExpr>> },
}

/// What a step did.
#[derive(Debug, Default)]
pub struct StepOutput {
    /// Changes of the relation the circuit keeps.
    pub delta: Delta,
    /// Rows for the circuit's state tables, by place in [`Circuit::tables`].
    pub changes: Vec<(usize, RecordBatch)>,
    /// Rows on which an expression failed.
    pub errors: Vec<RowError>,
}

/// Which node of the plan yields only insertions, given which relations do.
pub fn append_only_nodes(plan: &CircuitPlan, relation: &dyn Fn(RelationId) -> bool) -> Vec<bool> {
    let mut known: Vec<bool> = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let inputs = node.inputs.iter().all(|&input| known[input]);
        known.push(match &node.operator {
            Operator::Input { relation: id, .. } => relation(*id),
            Operator::Aggregate(aggregate) => inputs && grows(aggregate),
            Operator::Join(join) => {
                inputs && matches!(join.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi)
            }
            Operator::TopN(_) => false,
            _ => inputs,
        });
    }
    known
}

/// Whether an aggregate over growing input only ever adds rows.
fn grows(aggregate: &AggregatePlan) -> bool {
    let final_only = aggregate.window.as_ref().is_some_and(|window| window.on_close == OnClose::Emit);
    let distinct = aggregate.aggregates.is_empty() && !aggregate.group.is_empty();
    final_only || distinct
}

impl Circuit {
    /// Makes a task's copy of a plan. `append_only` says which relations only grow.
    pub fn new(plan: &CircuitPlan, tasks: usize, append_only: &dyn Fn(RelationId) -> bool) -> Result<Circuit> {
        let grows = append_only_nodes(plan, append_only);
        let mut builder = Builder { nodes: Vec::new(), tables: Vec::new(), tasks, windowed: false };
        let mut places = Vec::with_capacity(plan.nodes.len());
        for node in &plan.nodes {
            let inputs: Vec<usize> = node.inputs.iter().map(|&input| places[input]).collect();
            let place = builder.add(plan, node, inputs, &grows)?;
            places.push(place);
        }
        let append_only = grows.last().copied().unwrap_or(true);
        Ok(Circuit { nodes: builder.nodes, tables: builder.tables, append_only, windowed: builder.windowed })
    }

    /// Whether the output only ever grows.
    pub fn is_append_only(&self) -> bool {
        self.append_only
    }

    /// Whether a watermark that advances can change the output without input.
    pub fn is_windowed(&self) -> bool {
        self.windowed
    }

    /// The state tables of all operators, in a fixed order.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = &StateTable> {
        self.tables.iter().map(|(_, _, table)| table)
    }

    /// Runs one batch. `input` gives the delta of a relation, and is asked once per input node.
    pub fn step(
        &mut self,
        input: &mut dyn FnMut(RelationId) -> Delta,
        exchange: &mut dyn Exchange,
        watermarks: &HashMap<RelationId, i64>,
    ) -> Result<StepOutput> {
        let place = exchange.place();
        let mut output = StepOutput::default();
        let mut step = Step { watermarks, owns_keyless: place.task == 0, changes: Vec::new(), errors: Vec::new() };
        let mut readers = self.count_readers();
        let mut deltas: Vec<Delta> = Vec::with_capacity(self.nodes.len());
        for node in &mut self.nodes {
            let inputs = node.inputs.iter().map(|&from| take_delta(&mut deltas, &mut readers, from)).collect();
            let delta = match &mut node.work {
                Work::Input { relation, projection } => project_input(input(*relation), projection.as_deref())?,
                Work::Operator(operator) => operator.step(inputs, &mut step)?,
                Work::Exchange { key } => {
                    let all = inputs.into_iter().next().unwrap_or_default();
                    let parts = partition_noting(all, key, place.tasks, &mut step.errors)?;
                    exchange.exchange(parts)?
                }
            };
            let first = node.first_table;
            output.changes.extend(step.changes.drain(..).map(|change| (first + change.table, change.rows)));
            deltas.push(delta);
        }
        output.errors = step.errors;
        output.delta = deltas.pop().unwrap_or_default();
        Ok(output)
    }

    fn count_readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.nodes.len()];
        for node in &self.nodes {
            node.inputs.iter().for_each(|&input| readers[input] += 1);
        }
        readers
    }

    /// Takes a chunk of a state table at restart: rows other tasks own are left out.
    pub fn load(&mut self, table: usize, rows: RecordBatch, place: TaskPlace) -> Result<()> {
        let (node, own_table, description) = &self.tables[table];
        let rows = owned_rows(&description.distribution, rows, place)?;
        if description.distribution.is_empty() && place.task != 0 {
            return Ok(());
        }
        match &mut self.nodes[*node].work {
            Work::Operator(operator) => operator.load(*own_table, rows),
            _ => Err(Error::Bug { operator: "circuit".into(), reason: "state table of a node without state".into() }),
        }
    }

    /// All chunks are loaded.
    pub fn loaded(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            if let Work::Operator(operator) = &mut node.work {
                operator.loaded()?;
            }
        }
        Ok(())
    }

    /// State held in memory, in bytes.
    pub fn memory(&self) -> usize {
        let of = |node: &Running| if let Work::Operator(operator) = &node.work { operator.memory() } else { 0 };
        self.nodes.iter().map(of).sum()
    }
}

/// The delta of a node for one of its readers: moved to the last one, shared with the others.
fn take_delta(deltas: &mut [Delta], readers: &mut [usize], from: usize) -> Delta {
    readers[from] -= 1;
    if readers[from] == 0 { std::mem::take(&mut deltas[from]) } else { deltas[from].clone() }
}

fn project_input(delta: Delta, projection: Option<&[usize]>) -> Result<Delta> {
    let Some(projection) = projection else { return Ok(delta) };
    let mut projected = Delta::empty();
    for batch in delta.batches {
        projected.push(WeightedBatch { rows: batch.rows.project(projection)?, weights: batch.weights });
    }
    Ok(projected)
}

struct Builder {
    nodes: Vec<Running>,
    tables: Vec<(usize, usize, StateTable)>,
    tasks: usize,
    windowed: bool,
}

impl Builder {
    fn add(&mut self, plan: &CircuitPlan, node: &Node, inputs: Vec<usize>, grows: &[bool]) -> Result<usize> {
        let input_schema = |place: usize| -> SchemaRef { plan.nodes[node.inputs[place]].schema.clone() };
        let input_grows = |place: usize| grows[node.inputs[place]];
        let output = node.schema.clone();
        let operator: Box<dyn Operate> = match &node.operator {
            Operator::Input { relation, projection } => {
                return Ok(self.push(Work::Input { relation: *relation, projection: projection.clone() }, inputs));
            }
            Operator::Values { rows } => Box::new(ValuesOperator::new(rows.clone())),
            Operator::Project { expressions } => Box::new(ProjectOperator { expressions: expressions.clone(), output }),
            Operator::Filter { predicate } => Box::new(FilterOperator { predicate: predicate.clone() }),
            Operator::Unnest { column, preserve_nulls } => {
                Box::new(UnnestOperator { column: *column, preserve_nulls: *preserve_nulls, output })
            }
            Operator::Union => Box::new(UnionOperator { output }),
            Operator::Aggregate(aggregate) => {
                self.windowed |= aggregate.window.is_some();
                return self.add_aggregate(aggregate, inputs, input_schema(0), output, input_grows(0));
            }
            Operator::Join(join) => {
                // NOT IN has to know of NULLs and emptiness on the whole right side: one task does it.
                let on = if join.null_aware { &[][..] } else { join.on.as_slice() };
                let (left, right): (Vec<_>, Vec<_>) = on.iter().cloned().unzip();
                let left = self.exchange(inputs[0], left);
                let right = self.exchange(inputs[1], right);
                let append_only = [input_grows(0), input_grows(1)];
                let operator = JoinOperator::new(join, input_schema(0), input_schema(1), output, append_only)?;
                return Ok(self.push(Work::Operator(Box::new(operator)), vec![left, right]));
            }
            Operator::TopN(top_n) => {
                let from = self.exchange(inputs[0], top_n.partition.clone());
                let operator = TopNOperator::new(top_n, input_schema(0), output, input_grows(0))?;
                return Ok(self.push(Work::Operator(Box::new(operator)), vec![from]));
            }
        };
        Ok(self.push(Work::Operator(operator), inputs))
    }

    fn add_aggregate(
        &mut self,
        plan: &AggregatePlan,
        inputs: Vec<usize>,
        input: SchemaRef,
        output: SchemaRef,
        append_only: bool,
    ) -> Result<usize> {
        let partial = if self.tasks > 1 { PartialAggregate::new(plan, &input, append_only)? } else { None };
        let (from, form) = match partial {
            Some(partial) => {
                let keys = plan.group.len();
                let key = (0..keys).map(|place| column(partial.schema(), place)).collect();
                let combined = self.push(Work::Operator(Box::new(partial)), inputs);
                (self.exchange(combined, key), InputForm::Partial)
            }
            None => (self.exchange(inputs[0], plan.group.clone()), InputForm::Rows),
        };
        let operator = AggregateOperator::new(plan, &input, &output, append_only, form)?;
        Ok(self.push(Work::Operator(Box::new(operator)), vec![from]))
    }

    /// An exchange in front of a stateful operator; nothing to move with one task.
    fn exchange(&mut self, from: usize, key: Vec<Arc<dyn PhysicalExpr>>) -> usize {
        if self.tasks == 1 { from } else { self.push(Work::Exchange { key }, vec![from]) }
    }

    fn push(&mut self, work: Work, inputs: Vec<usize>) -> usize {
        let place = self.nodes.len();
        let first_table = self.tables.len();
        if let Work::Operator(operator) = &work {
            let tables = operator.tables().into_iter().enumerate();
            self.tables.extend(tables.map(|(own, table)| (place, own, table)));
        }
        self.nodes.push(Running { work, inputs, first_table });
        place
    }
}

fn column(schema: &SchemaRef, place: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(datafusion::physical_expr::expressions::Column::new(schema.field(place).name(), place))
}
