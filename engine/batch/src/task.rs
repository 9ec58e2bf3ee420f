//! A task: one thread, one copy of every circuit, the key groups it owns.
//!
//! Knows nothing of txids or commits: it answers each command with what it did, and the driver makes a commit of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::{filter_record_batch, max};
use crossbeam_channel::{Receiver, Sender};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use monsoon_circuit::{Circuit, Delta, Exchange, RelationId, SingleTask, StepOutput, WeightedBatch, evaluate};

use crate::chunk::{encode, encode_state};
use crate::command::{Backfill, Command, LoadedRows, Output, Step, TaskKind, TaskSpec, table_id};
use crate::content::Content;
use crate::creation::inputs_of;
use crate::late::{microseconds, on_time};
use crate::peers::Peers;
use crate::relation::Watermark;
use crate::{Error, Result};

/// Rows of an input with which a new relation catches up in one step; more than comes in meanwhile, or it never would.
const CATCH_UP_ROWS: usize = 1 << 18;
/// Bytes of them.
const CATCH_UP_BYTES: usize = 64 << 20;

/// A task's state.
pub(crate) struct Task {
    peers: Peers,
    relations: BTreeMap<RelationId, Running>,
}

struct Running {
    spec: Arc<TaskSpec>,
    append_only: bool,
    content: Option<Content>,
    circuit: Option<Circuit>,
    /// The relations its circuit reads.
    inputs: Vec<RelationId>,
    /// While it is being filled: what its inputs have changed since it was added.
    held: Option<HashMap<RelationId, Delta>>,
}

impl Task {
    pub fn new(peers: Peers) -> Task {
        Task { peers, relations: BTreeMap::new() }
    }

    /// Works until the driver hangs up or something fails.
    pub fn run(mut self, commands: &Receiver<Command>, outputs: &Sender<Result<Output>>) {
        while let Ok(command) = commands.recv() {
            let answer = self.obey(command).transpose();
            let failed =
                matches!(&answer, Some(Err(error)) if error.stops_engine() || matches!(error, Error::Damaged(_)));
            if let Some(answer) = answer
                && outputs.send(answer).is_err()
            {
                return;
            }
            if failed {
                return;
            }
        }
    }

    /// `None` for commands that are not answered to the driver.
    fn obey(&mut self, command: Command) -> Result<Option<Output>> {
        match command {
            Command::Step(step) => self.step(step).map(Some),
            Command::Add { spec, is_new } => self.add(&spec, is_new).map(Some),
            Command::Backfill(backfill) => self.backfill(backfill).map(Some),
            Command::CatchUp(relation) => self.catch_up(relation).map(Some),
            Command::Join(relation) => {
                self.relations.get_mut(&relation).map(|running| running.held.take());
                Ok(None)
            }
            Command::Load { relation, table, chunk, rows } => self.load(relation, table, chunk, &rows).map(|()| None),
            Command::Loaded(relation) => self.loaded(relation).map(Some),
            Command::Remove(relations) => {
                relations.iter().for_each(|relation| drop(self.relations.remove(relation)));
                Ok(None)
            }
            Command::Read { relation, keys, reply } => {
                // A reader that has gone away is no error.
                let _ = reply.send(self.read(relation, keys.as_deref().map(Vec::as_slice)));
                Ok(None)
            }
            Command::Memory { reply } => {
                let _ = reply.send(self.relations.iter().map(|(&id, running)| (id, running.memory())).collect());
                Ok(None)
            }
        }
    }

    fn step(&mut self, mut step: Step) -> Result<Output> {
        let mut output = Output::default();
        let mut deltas: HashMap<RelationId, Delta> = HashMap::new();
        for (&id, running) in &mut self.relations {
            if let Some(held) = &mut running.held {
                for input in &running.inputs {
                    held.entry(*input).or_default().extend(deltas.get(input).cloned().unwrap_or_default());
                }
                continue;
            }
            let entered = step.inputs.remove(&id).unwrap_or_default();
            let spec = running.spec.clone();
            let delta = match &spec.kind {
                TaskKind::Stream { watermark, retained } => {
                    let delta = accept(id, entered, watermark.as_ref(), &step.watermarks, &mut output)?;
                    if *retained {
                        write_delta(id, &delta, &spec, &mut output)?;
                    } else {
                        output.rows.push((id, delta.len() as u64));
                    }
                    delta
                }
                TaskKind::Table { key } => running.write_table(key, entered, &mut self.peers, &mut output)?,
                TaskKind::View { ephemeral, .. } => {
                    let persist = if *ephemeral { Persist::Nothing } else { Persist::State };
                    let mut input = |from: RelationId| deltas.get(&from).cloned().unwrap_or_default();
                    running.run_circuit(&mut input, &mut self.peers, &step.watermarks, persist, &mut output)?
                }
                TaskKind::Sink { replayed, .. } => {
                    let mut input = |from: RelationId| deltas.get(&from).cloned().unwrap_or_default();
                    let delta = running.run_circuit(
                        &mut input,
                        &mut self.peers,
                        &step.watermarks,
                        Persist::State,
                        &mut output,
                    )?;
                    if *replayed {
                        write_delta(id, &delta, &spec, &mut output)?;
                    }
                    if !delta.is_empty() {
                        output.changes.push((id, delta));
                    }
                    continue;
                }
            };
            if step.wanted.contains(&id) && !delta.is_empty() {
                output.changes.push((id, delta.clone()));
            }
            deltas.insert(id, delta);
        }
        Ok(output)
    }

    fn add(&mut self, spec: &Arc<TaskSpec>, is_new: bool) -> Result<Output> {
        let grows = |id: RelationId| self.relations.get(&id).is_some_and(|running| running.append_only);
        let tasks = self.peers.place().tasks;
        let circuit = match &spec.kind {
            TaskKind::View { plan, .. } | TaskKind::Sink { plan, .. } => Some(Circuit::new(plan, tasks, &grows)?),
            _ => None,
        };
        let append_only = match (&spec.kind, &circuit) {
            (TaskKind::Stream { .. }, _) => true,
            (_, Some(circuit)) => circuit.is_append_only(),
            _ => false,
        };
        let content = match &spec.kind {
            TaskKind::Table { key } => Some(Content::new(&spec.schema, &identity(key, &spec.schema), false)?),
            TaskKind::View { plan, .. } => Some(Content::new(&spec.schema, &plan.key, append_only)?),
            _ => None,
        };
        let windowed = circuit.as_ref().is_some_and(Circuit::is_windowed);
        let inputs = match &spec.kind {
            TaskKind::View { plan, .. } | TaskKind::Sink { plan, .. } => inputs_of(plan),
            _ => Vec::new(),
        };
        let held = is_new.then(HashMap::new);
        self.relations.insert(spec.id, Running { spec: spec.clone(), append_only, content, circuit, inputs, held });
        Ok(Output { windowed, ..Output::default() })
    }

    /// Runs the circuit of a new relation over rows its input had before.
    fn backfill(&mut self, backfill: Backfill) -> Result<Output> {
        let rows = match backfill.rows {
            Some(rows) => rows,
            None => self.read(backfill.input, None)?,
        };
        let mut delta = Delta::empty();
        rows.into_iter().for_each(|batch| delta.push(batch));
        self.fill(backfill.view, HashMap::from([(backfill.input, delta)]))
    }

    /// Runs the circuit of a new relation over some of what its inputs have changed since it was added.
    fn catch_up(&mut self, id: RelationId) -> Result<Output> {
        let held = self.relations.get_mut(&id).and_then(|running| running.held.as_mut());
        let mut piece = HashMap::new();
        let mut more = false;
        for (input, delta) in held.into_iter().flatten() {
            piece.insert(*input, first_batches(delta));
            more |= !delta.is_empty();
        }
        Ok(Output { more, ..self.fill(id, piece)? })
    }

    /// Runs the circuit of a new relation; windows stay open until its first ordinary step.
    fn fill(&mut self, id: RelationId, deltas: HashMap<RelationId, Delta>) -> Result<Output> {
        let mut output = Output::default();
        let Some(running) = self.relations.get_mut(&id) else {
            return Err(Error::bug("a relation is filled that was not added"));
        };
        let spec = running.spec.clone();
        let persist = match &spec.kind {
            TaskKind::View { ephemeral: true, .. } => Persist::Nothing,
            _ => Persist::State,
        };
        let mut give = |from: RelationId| deltas.get(&from).cloned().unwrap_or_default();
        let changes = running.run_circuit(&mut give, &mut self.peers, &HashMap::new(), persist, &mut output)?;
        // A sink that keeps nothing to be published has no past either.
        if let TaskKind::Sink { replayed: true, .. } = &spec.kind {
            write_delta(id, &changes, &spec, &mut output)?;
        }
        Ok(output)
    }

    fn load(&mut self, relation: RelationId, table: u16, chunk: usize, rows: &LoadedRows) -> Result<()> {
        let place = self.peers.place();
        let Some(running) = self.relations.get_mut(&relation) else { return Ok(()) };
        match rows {
            LoadedRows::State(rows) => match &mut running.circuit {
                Some(circuit) => Ok(circuit.load(usize::from(table) - 1, rows.clone(), place)?),
                None => Err(Error::corrupt("state of a relation that has no circuit")),
            },
            LoadedRows::Relation(batch) => {
                let Some(content) = &mut running.content else { return Ok(()) };
                if running.append_only {
                    // Rows that never go may lie on any task.
                    return if chunk % place.tasks == place.task { content.apply(batch) } else { Ok(()) };
                }
                let owned = own_rows(batch, &running.distribution(), place)?;
                if owned.is_empty() { Ok(()) } else { content_apply(running, &owned) }
            }
        }
    }

    fn loaded(&mut self, relation: RelationId) -> Result<Output> {
        if let Some(circuit) = self.relations.get_mut(&relation).and_then(|running| running.circuit.as_mut()) {
            circuit.loaded()?;
        }
        Ok(Output::default())
    }

    fn read(
        &self,
        relation: RelationId,
        keys: Option<&[Vec<datafusion::common::ScalarValue>]>,
    ) -> Result<Vec<WeightedBatch>> {
        let running = self.relations.get(&relation).ok_or(Error::NoRelation(relation.0))?;
        let Some(content) = &running.content else { return Ok(Vec::new()) };
        match keys {
            Some(keys) if running.has_key() => content.lookup(keys),
            _ => content.rows(),
        }
    }
}

fn content_apply(running: &mut Running, batch: &WeightedBatch) -> Result<()> {
    match &mut running.content {
        Some(content) => content.apply(batch),
        None => Ok(()),
    }
}

/// What of a circuit's work goes into the commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Persist {
    State,
    Nothing,
}

impl Running {
    fn memory(&self) -> u64 {
        let circuit = self.circuit.as_ref().map_or(0, Circuit::memory);
        let content = self.content.as_ref().map_or(0, Content::memory);
        let held = self.held.iter().flat_map(HashMap::values).flat_map(|delta| &delta.batches);
        let held: usize = held.map(|batch| rows_bytes(&batch.rows)).sum();
        (circuit + content + held) as u64
    }

    fn has_key(&self) -> bool {
        match &self.spec.kind {
            TaskKind::Table { key } => !key.is_empty(),
            TaskKind::View { plan, .. } => !plan.key.is_empty(),
            _ => false,
        }
    }

    /// The columns whose hash says which task holds a row of the content.
    fn distribution(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        let key = match &self.spec.kind {
            TaskKind::Table { key } => key.as_slice(),
            TaskKind::View { plan, .. } => plan.key.as_slice(),
            _ => &[],
        };
        let schema = &self.spec.schema;
        let place = |place: usize| Arc::new(Column::new(schema.field(place).name(), place)) as Arc<dyn PhysicalExpr>;
        identity(key, schema).into_iter().map(place).collect()
    }

    fn write_table(
        &mut self,
        key: &[usize],
        entered: Vec<WeightedBatch>,
        peers: &mut Peers,
        output: &mut Output,
    ) -> Result<Delta> {
        let mut delta = Delta::empty();
        entered.into_iter().for_each(|batch| delta.push(batch));
        let mine = exchange(delta, &self.distribution(), peers)?;
        let spec = self.spec.clone();
        let Some(content) = &mut self.content else { return Err(Error::bug("table without content")) };
        let mut changes = Delta::empty();
        for batch in &mine.batches {
            changes.extend(if key.is_empty() { content.add(batch)? } else { content.upsert(batch)? });
        }
        write_delta(spec.id, &changes, &spec, output)?;
        Ok(changes)
    }

    fn run_circuit(
        &mut self,
        input: &mut dyn FnMut(RelationId) -> Delta,
        peers: &mut Peers,
        watermarks: &HashMap<RelationId, i64>,
        persist: Persist,
        output: &mut Output,
    ) -> Result<Delta> {
        let id = self.spec.id;
        let Some(circuit) = &mut self.circuit else { return Err(Error::bug("view without circuit")) };
        let StepOutput { mut delta, changes, errors } = match peers.place().tasks {
            1 => circuit.step(input, &mut SingleTask, watermarks)?,
            _ => circuit.step(input, peers, watermarks)?,
        };
        output.errors.extend(errors.into_iter().map(|error| (id, error)));
        if persist == Persist::State {
            for (table, rows) in changes {
                output.chunks.push((table_id(id, table as u16 + 1), encode_state(&rows)?));
            }
        }
        if self.content.is_some() {
            if !self.append_only {
                delta = exchange(delta, &self.distribution(), peers)?;
            }
            for batch in &delta.batches {
                content_apply(self, batch)?;
            }
            if persist == Persist::State {
                let spec = self.spec.clone();
                write_delta(id, &delta, &spec, output)?;
            }
        }
        Ok(delta)
    }
}

/// Takes batches from the front of a delta, at least one, and not many more rows than make a batch of the engine.
fn first_batches(delta: &mut Delta) -> Delta {
    let (mut rows, mut bytes) = (0, 0);
    let taken = delta.batches.iter().take_while(|batch| {
        let goes_on = rows < CATCH_UP_ROWS && bytes < CATCH_UP_BYTES;
        rows += batch.len();
        bytes += rows_bytes(&batch.rows);
        goes_on
    });
    let taken = taken.count();
    Delta { batches: delta.batches.drain(..taken).collect() }
}

/// Bytes of the rows alone, where they are a slice of a larger batch.
fn rows_bytes(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

/// The key, or every column when there is none.
fn identity(key: &[usize], schema: &arrow::datatypes::SchemaRef) -> Vec<usize> {
    if key.is_empty() { (0..schema.fields().len()).collect() } else { key.to_vec() }
}

fn exchange(delta: Delta, key: &[Arc<dyn PhysicalExpr>], peers: &mut Peers) -> Result<Delta> {
    let tasks = peers.place().tasks;
    if tasks == 1 {
        return Ok(delta);
    }
    let parts = monsoon_circuit::partition(delta, key, tasks)?;
    Ok(peers.exchange(parts)?)
}

fn own_rows(
    batch: &WeightedBatch,
    key: &[Arc<dyn PhysicalExpr>],
    place: monsoon_circuit::TaskPlace,
) -> Result<WeightedBatch> {
    if place.tasks == 1 {
        return Ok(batch.clone());
    }
    let parts = monsoon_circuit::partition(Delta::of(batch.clone()), key, place.tasks)?;
    let mine = parts.into_iter().nth(place.task).unwrap_or_default();
    Ok(mine
        .into_single(&batch.rows.schema())?
        .unwrap_or_else(|| WeightedBatch { rows: batch.rows.slice(0, 0), weights: None }))
}

fn write_delta(id: RelationId, delta: &Delta, spec: &TaskSpec, output: &mut Output) -> Result<()> {
    output.rows.push((id, delta.len() as u64));
    if let Some(batch) = delta.clone().into_single(&spec.schema)? {
        output.chunks.push((table_id(id, 0), encode(&batch)?));
    }
    Ok(())
}

/// Drops late rows of a stream, and notes the watermark the others imply.
fn accept(
    id: RelationId,
    entered: Vec<WeightedBatch>,
    watermark: Option<&Watermark>,
    watermarks: &HashMap<RelationId, i64>,
    output: &mut Output,
) -> Result<Delta> {
    let mut delta = Delta::empty();
    for batch in entered {
        let Some(watermark) = watermark else {
            delta.push(batch);
            continue;
        };
        let kept = drop_late(&batch, watermark, watermarks.get(&id).copied())?;
        if kept.len() < batch.len() {
            output.late.push((id, (batch.len() - kept.len()) as u64));
        }
        if let Some(implied) = implied_watermark(id, &kept, watermark, output)? {
            output.watermarks.push((id, implied));
        }
        delta.push(kept);
    }
    Ok(delta)
}

fn drop_late(batch: &WeightedBatch, watermark: &Watermark, passed: Option<i64>) -> Result<WeightedBatch> {
    let Some(passed) = passed else { return Ok(batch.clone()) };
    match on_time(batch.rows.column(watermark.column), passed)? {
        None => Ok(batch.clone()),
        Some(keep) => Ok(WeightedBatch::inserted(filter_record_batch(&batch.rows, &keep).map_err(Error::bug)?)),
    }
}

fn implied_watermark(
    id: RelationId,
    batch: &WeightedBatch,
    watermark: &Watermark,
    output: &mut Output,
) -> Result<Option<i64>> {
    if batch.is_empty() {
        return Ok(None);
    }
    let mut errors = Vec::new();
    let implied = evaluate(&watermark.expression, &batch.rows, &mut errors)?;
    output.errors.extend(errors.into_iter().map(|error| (id, error)));
    Ok(max(&microseconds(&implied)?))
}
