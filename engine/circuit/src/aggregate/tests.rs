//! The aggregate operator as a whole: rows in, groups out, with restarts, by rows and by partial states.

mod average;
mod count;
mod float;
mod moment;
mod window;
mod zero;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::Column;

use super::{AggregateOperator, InputForm, PartialAggregate};
use crate::model::{reload, schema};
use crate::plan::{AggregateCall, AggregatePlan};
use crate::{Delta, Operate, RelationId, RowError, StateChange, Step, WeightedBatch, WindowBound};

/// The column at a place of the input, as an argument or a key.
fn column(place: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(&format!("c{place}"), place))
}

/// An input whose columns have these types.
fn input(types: &[DataType]) -> SchemaRef {
    let names: Vec<String> = (0..types.len()).map(|place| format!("c{place}")).collect();
    schema(&names.iter().map(String::as_str).zip(types.iter().cloned()).collect::<Vec<_>>())
}

/// An aggregate function over columns of the input.
fn function(
    udaf: &Arc<AggregateUDF>,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    input: &SchemaRef,
    distinct: bool,
) -> Arc<AggregateFunctionExpr> {
    let builder = AggregateExprBuilder::new(Arc::clone(udaf), arguments).schema(Arc::clone(input)).alias(udaf.name());
    Arc::new(if distinct { builder.distinct() } else { builder }.build().unwrap())
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn double(value: f64) -> ScalarValue {
    ScalarValue::Float64(Some(value))
}

/// An operator, and what it has yielded so far.
struct Running {
    plan: AggregatePlan,
    input: SchemaRef,
    output: SchemaRef,
    append_only: bool,
    form: InputForm,
    operator: AggregateOperator,
    changes: Vec<StateChange>,
    content: HashMap<Vec<ScalarValue>, i64>,
    watermarks: HashMap<RelationId, i64>,
}

impl Running {
    /// Groups by some columns; over `input` by rows, that only grows if it is said to.
    fn new(input: &SchemaRef, group: &[usize], functions: &[Arc<AggregateFunctionExpr>], append_only: bool) -> Running {
        Running::of_form(input, group, functions, append_only, InputForm::Rows)
    }

    fn of_form(
        input: &SchemaRef,
        group: &[usize],
        functions: &[Arc<AggregateFunctionExpr>],
        append_only: bool,
        form: InputForm,
    ) -> Running {
        let aggregates =
            functions.iter().map(|function| AggregateCall { function: Arc::clone(function), filter: None }).collect();
        let plan = AggregatePlan { group: group.iter().copied().map(column).collect(), aggregates, window: None };
        let mut fields: Vec<Field> = group.iter().map(|&place| input.field(place).clone()).collect();
        fields.extend(functions.iter().map(|function| function.field().as_ref().clone().with_nullable(true)));
        let output = Arc::new(Schema::new(fields));
        let operator = AggregateOperator::new(&plan, input, &output, append_only, form).unwrap();
        Running {
            plan,
            input: Arc::clone(input),
            output,
            append_only,
            form,
            operator,
            changes: Vec::new(),
            content: HashMap::new(),
            watermarks: HashMap::new(),
        }
    }

    /// With groups that end.
    fn closing(mut self, window: WindowBound) -> Running {
        self.plan.window = Some(window);
        self.restart();
        self
    }

    /// One batch, in pieces of equal rank: in partial form each piece is what one task combines. Returns the row errors.
    fn step_pieces(&mut self, pieces: Vec<(Vec<ArrayRef>, Option<Vec<i64>>)>) -> Vec<RowError> {
        let mut step =
            Step { watermarks: &self.watermarks, owns_keyless: true, changes: Vec::new(), errors: Vec::new() };
        let mut delta = Delta::empty();
        for (columns, weights) in pieces {
            let rows = RecordBatch::try_new(Arc::clone(&self.input), columns).unwrap();
            let piece = Delta::of(WeightedBatch { rows, weights: weights.map(Int64Array::from) });
            delta.extend(match self.form {
                InputForm::Rows => piece,
                InputForm::Partial => {
                    let partial = PartialAggregate::new(&self.plan, &self.input, self.append_only).unwrap();
                    partial.expect("states that merge").step(vec![piece], &mut step).unwrap()
                }
            });
        }
        let output = self.operator.step(vec![delta], &mut step).unwrap();
        self.changes.extend(step.changes);
        for batch in &output.batches {
            for row in 0..batch.len() {
                let cells = batch
                    .rows
                    .columns()
                    .iter()
                    .map(|column| ScalarValue::try_from_array(column, row).unwrap())
                    .collect();
                *self.content.entry(cells).or_insert(0) += batch.weight(row);
            }
        }
        self.content.retain(|_, count| *count != 0);
        step.errors
    }

    /// One batch without errors.
    fn step(&mut self, columns: Vec<ArrayRef>, weights: Option<Vec<i64>>) {
        assert_eq!(self.step_pieces(vec![(columns, weights)]), []);
    }

    /// A new operator with the state of the old one.
    fn restart(&mut self) {
        self.operator =
            AggregateOperator::new(&self.plan, &self.input, &self.output, self.append_only, self.form).unwrap();
        reload(&mut self.operator, &self.changes);
    }

    /// The only row there is.
    fn row(&self) -> Vec<ScalarValue> {
        let rows: Vec<_> = self.content.iter().collect();
        assert!(matches!(rows[..], [(_, 1)]), "not one row: {rows:?}");
        rows[0].0.clone()
    }
}
