//! `SqlBolt`: a query over the tuples it is given, kept up to date; it emits the rows that are new or have changed.
//!
//! Where state is exactly once it runs its circuit over all tuples that wait; nothing needs an anchor then. Otherwise it runs it per tuple, because
//! what it emits must be anchored to the tuple that caused it.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use monsoon_batch::SoloCircuit;
use monsoon_circuit::{CircuitPlan, RelationId, WeightedBatch};
use monsoon_topology::{
    Anchors, Bolt, BoltCollector, Failure, Guarantee, Moment, Outcome, StateChanges, Streams, TaskContext, Tuple, Value,
};

use super::rows;

/// Tuples that the circuit is given at a time.
const TUPLES_MAX: usize = 8192;

/// A planned query over the tuples of a bolt.
#[derive(Clone)]
pub(crate) struct BoltQuery {
    pub plan: Arc<CircuitPlan>,
    /// The number the tuples go by in the plan.
    pub input: RelationId,
    pub input_schema: SchemaRef,
    pub output_schema: SchemaRef,
}

impl BoltQuery {
    /// A new run of the query.
    pub fn circuit(&self) -> Outcome<SoloCircuit> {
        Ok(SoloCircuit::new(&self.plan, self.input)?)
    }

    /// What state built by it fits.
    pub fn fingerprint(&self) -> String {
        crate::lowering::fingerprint(&self.plan)
    }

    /// The names of the columns it emits.
    pub fn fields(&self) -> impl Iterator<Item = &String> {
        self.output_schema.fields().iter().map(|field| field.name())
    }

    /// Tuples as rows of its input.
    pub fn rows(&self, tuples: &[&[Value]]) -> Outcome<RecordBatch> {
        rows::batch(&self.input_schema, tuples).map_err(|error| Failure::new(error.message))
    }
}

/// A query over the tuples it is given.
pub(crate) struct SqlBolt {
    query: BoltQuery,
    circuit: Option<SoloCircuit>,
    guarantee: Guarantee,
    waiting: Vec<Vec<Value>>,
}

impl SqlBolt {
    pub fn new(query: BoltQuery) -> SqlBolt {
        SqlBolt { query, circuit: None, guarantee: Guarantee::AtLeastOnce, waiting: Vec::new() }
    }

    /// Runs the circuit over tuples and emits what is new.
    fn run(&mut self, tuples: &[&[Value]], anchors: impl Anchors + Copy, collector: &mut BoltCollector) -> Outcome {
        let Some(circuit) = &mut self.circuit else { return Ok(()) };
        let (changes, errors) = circuit.step(self.query.rows(tuples)?)?;
        for error in errors {
            collector.report_error(format!("{}: {} in {}", error.expression, error.reason, error.row));
        }
        for batch in changes {
            let rows = inserted(&batch)?;
            let values = rows::values(&rows).map_err(|error| Failure::new(error.message))?;
            let width = rows.num_columns();
            for row in 0..rows.num_rows() {
                collector.emit(anchors, &values[row * width..(row + 1) * width])?;
            }
        }
        Ok(())
    }

    fn run_waiting(&mut self, collector: &mut BoltCollector) -> Outcome {
        let waiting = std::mem::take(&mut self.waiting);
        let tuples: Vec<&[Value]> = waiting.iter().map(Vec::as_slice).collect();
        match self.run(&tuples, (), collector) {
            Ok(()) => Ok(()),
            // One bad tuple must not take the others with it.
            Err(_) if tuples.len() > 1 => {
                for tuple in tuples {
                    if let Err(failure) = self.run(&[tuple], (), collector) {
                        collector.report_error(format!("tuple {tuple:?}: {failure}"));
                    }
                }
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }
}

/// The rows that are new or have changed.
fn inserted(batch: &WeightedBatch) -> Outcome<RecordBatch> {
    if batch.weights.is_none() {
        return Ok(batch.rows.clone());
    }
    let is_new: BooleanArray = (0..batch.len()).map(|row| Some(batch.weight(row) > 0)).collect();
    Ok(filter_record_batch(&batch.rows, &is_new)?)
}

impl Bolt for SqlBolt {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(self.query.fields());
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.guarantee = context.guarantee();
        self.circuit = Some(self.query.circuit()?);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        if tuple.is_tick() {
            collector.ack(tuple);
            return Ok(());
        }
        if self.guarantee == Guarantee::ExactlyOnceState {
            self.waiting.push(tuple.values().to_vec());
            if self.waiting.len() >= TUPLES_MAX {
                self.run_waiting(collector)?;
            }
        } else {
            // A tuple that the query can't take would fail again: it is told, and done with.
            self.run(&[tuple.values()], tuple, collector).unwrap_or_else(|failure| collector.report_error(failure.0));
        }
        collector.ack(tuple);
        Ok(())
    }

    fn poll(&mut self, _: Moment, collector: &mut BoltCollector) -> Outcome {
        self.run_waiting(collector)
    }

    /// At once when tuples wait.
    fn next_poll(&self) -> Option<Moment> {
        (!self.waiting.is_empty()).then_some(Moment(0))
    }

    fn settled(&self) -> bool {
        self.waiting.is_empty()
    }

    fn stateful(&self) -> bool {
        // Made without a task to ask: what the plan keeps is known before it runs.
        self.circuit.as_ref().map_or_else(|| self.query.circuit().is_ok_and(|c| c.has_state()), SoloCircuit::has_state)
    }

    fn checkpoint(&mut self, collector: &mut BoltCollector) -> Option<StateChanges> {
        let changes = self.circuit.as_mut()?.take_changes();
        match changes {
            Ok(changes) => Some(StateChanges::of(changes)),
            Err(error) => {
                // Without its changes the checkpoint would lie: the topology goes back to the last one.
                collector.report_error(error.to_string());
                collector.fail(());
                None
            }
        }
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        match &mut self.circuit {
            Some(circuit) => Ok(circuit.restore(state)?),
            None => Ok(()),
        }
    }
}
