//! Creating a relation, and filling a new view or sink with what its inputs hold, while the others go on.
//!
//! The cut is one instant between two batches. What tables and views hold then is fed at once; what streams hold is read
//! from their logs, a piece between two batches of the others. Meanwhile the tasks set aside what the inputs change, and
//! feed it at the end, in pieces too. Only then the relation takes part in batches, and the catalog's entry is committed: a crash before
//! leaves state without an entry, which the next start clears.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use monsoon_circuit::{RelationId, WeightedBatch};
use monsoon_state::{TxId, Write};

use crate::batch_input::shares;
use crate::command::{Backfill, Command, Output};
use crate::creation::inputs_of;
use crate::driver::{Driver, Role, answer};
use crate::log::{LogCursor, LogReader};
use crate::relation::{RelationKind, RelationSpec};
use crate::request::Reply;
use crate::{Error, Result};

/// Rows of a piece, about: small chunks of a log are fed together.
const PIECE_ROWS: usize = 16_384;
/// Bytes of state after which it is committed, still invisible.
const COMMIT_BYTES: usize = 32 << 20;
/// Memory is added up once in so many pieces.
const MEMORY_CHECK_PIECES: usize = 16;

/// A relation that somebody wants created.
pub(crate) struct Creation {
    pub spec: RelationSpec,
    /// Committed together with the relation's becoming visible.
    pub catalog: Vec<Write>,
    pub reply: Reply<TxId>,
}

/// A relation that is being filled from logs.
pub(crate) struct Building {
    id: RelationId,
    inputs: Vec<RelationId>,
    waiting: VecDeque<LogReader>,
    reading: Option<(RelationId, LogCursor)>,
    /// What isn't committed yet of what the tasks did.
    done: Output,
    pieces: usize,
    catalog: Vec<Write>,
    reply: Reply<TxId>,
}

impl Driver {
    /// Creates a relation, or lets it wait for the one that is being filled.
    pub fn create(&mut self, creation: Creation) {
        self.creations.push_back(creation);
        self.begin_waiting();
    }

    /// Begins what waits, until there is something to be filled.
    pub fn begin_waiting(&mut self) {
        while self.building.is_none()
            && let Some(creation) = self.creations.pop_front()
        {
            self.begin(creation);
        }
    }

    fn begin(&mut self, Creation { spec, catalog, reply }: Creation) {
        let id = spec.id;
        let inputs = match &spec.kind {
            RelationKind::View { plan, .. } | RelationKind::Sink { plan, .. } => Some(inputs_of(plan)),
            _ => None,
        };
        let begun = self.add_new(spec, inputs.is_some()).and_then(|done| match &inputs {
            Some(inputs) => self.feed_present(id, inputs, done),
            None => Ok((done, VecDeque::new())),
        });
        match (begun, inputs) {
            (Err(error), _) => self.give_up(id, reply, error),
            (Ok((done, _)), None) => self.finish(id, done, catalog, reply),
            (Ok((done, waiting)), Some(inputs)) => {
                self.building = Some(Building { id, inputs, waiting, reading: None, done, pieces: 0, catalog, reply });
            }
        }
    }

    fn add_new(&mut self, spec: RelationSpec, has_inputs: bool) -> Result<Output> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let RelationKind::Source { open, .. } = &spec.kind {
            open().map_err(|error| Error::Rejected(error.to_string()))?;
        }
        // Logs are read from the store, and a back-fill of the same number that failed may have left state there.
        self.wait_for_commits();
        let leftovers = self.removals(spec.id)?;
        let output = self.add(spec, has_inputs)?;
        if leftovers.iter().any(|write| matches!(write, Write::Clear { .. })) {
            self.commit(leftovers, Output::default(), Vec::new());
        }
        Ok(output)
    }

    /// Feeds what is in memory; answers with the logs that are to be read.
    fn feed_present(
        &mut self,
        id: RelationId,
        inputs: &[RelationId],
        mut done: Output,
    ) -> Result<(Output, VecDeque<LogReader>)> {
        let mut logs = VecDeque::new();
        // A step without rows, at least: what a query answers to nothing (a count of 0) is there even if its stream is empty,
        // and a view of nothing but constants has no input at all.
        let inputs = if inputs.is_empty() { &[id] } else { inputs };
        for &input in inputs {
            if let Some(Role::Stream { .. } | Role::Source(_)) =
                self.relations.get(&input).map(|relation| &relation.role)
            {
                logs.push_back(self.log_reader(input));
            }
            done.absorb(self.feed(id, input, None)?);
        }
        Ok((done, logs))
    }

    /// Feeds one piece, or ends the building.
    pub fn build_on(&mut self) {
        let Some(mut building) = self.building.take() else { return };
        match self.feed_piece(&mut building) {
            Ok(Progress::More) => self.building = Some(building),
            Ok(Progress::Level) => {
                let Building { id, done, catalog, reply, .. } = building;
                for task in &self.tasks {
                    let _ = task.commands.send(Command::Join(id));
                }
                self.finish(id, done, catalog, reply);
            }
            Err(error) => self.give_up(building.id, building.reply, error),
        }
        self.begin_waiting();
    }

    fn feed_piece(&mut self, building: &mut Building) -> Result<Progress> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let (input, rows) = building.next_piece()?;
        let output = match input {
            Some(input) => self.feed(building.id, input, Some(rows))?,
            None => self.catch_up(building.id)?,
        };
        let is_level = input.is_none() && !output.more;
        building.done.absorb(output);
        self.shared.note_row_errors(std::mem::take(&mut building.done.errors));
        building.pieces += 1;
        if building.pieces.is_multiple_of(MEMORY_CHECK_PIECES) && self.measure_memory() {
            return Err(self.out_of_memory());
        }
        if building.done.chunk_bytes() > COMMIT_BYTES {
            self.commit(Vec::new(), std::mem::take(&mut building.done), Vec::new());
        }
        Ok(if is_level { Progress::Level } else { Progress::More })
    }

    /// One step of the new relation's circuit on every task; without rows: with what the tasks hold of the input.
    fn feed(&mut self, view: RelationId, input: RelationId, rows: Option<Vec<RecordBatch>>) -> Result<Output> {
        let mut shared: Option<Vec<Vec<WeightedBatch>>> = rows.as_ref().map(|_| vec![Vec::new(); self.tasks.len()]);
        for batch in rows.into_iter().flatten() {
            for (task, share) in shares(batch, self.tasks.len(), &mut self.turn).into_iter().enumerate() {
                if let (Some(shared), Some(rows)) = (&mut shared, share) {
                    shared[task].push(WeightedBatch::inserted(rows));
                }
            }
        }
        for (place, task) in self.tasks.iter().enumerate() {
            let rows = shared.as_mut().map(|shared| std::mem::take(&mut shared[place]));
            let _ = task.commands.send(Command::Backfill(Backfill { view, input, rows }));
        }
        self.gather()
    }

    fn catch_up(&mut self, id: RelationId) -> Result<Output> {
        for task in &self.tasks {
            let _ = task.commands.send(Command::CatchUp(id));
        }
        self.gather()
    }

    fn finish(&mut self, id: RelationId, done: Output, catalog: Vec<Write>, reply: Reply<TxId>) {
        // Windows that are already over close with the next batch; at a restart, once every relation is there.
        self.close_due |= self.started && self.windowed.contains(&id);
        let start_sink = self.start_sink(id);
        self.commit(catalog, done, start_sink.into_iter().chain([answer(reply)]).collect());
        if self.started {
            self.start_source(id);
        }
        if self.over_memory {
            // What was held is state now, which may be much less.
            self.measure_memory();
            self.let_sources_go_on();
        }
    }

    fn give_up(&mut self, id: RelationId, reply: Reply<TxId>, error: Error) {
        if error.stops_engine() {
            self.fail(error.clone());
        }
        self.forget(&[id]);
        if self.failed.is_none() {
            self.wait_for_commits();
            // If the store can't be asked now, the next start clears what is there.
            let removals = self.removals(id).unwrap_or_default();
            if removals.iter().any(|write| matches!(write, Write::Clear { .. })) {
                self.commit(removals, Output::default(), Vec::new());
            }
        }
        drop(reply.send(Err(error)));
    }

    /// Relations are going: what is being filled from one of them can't be.
    pub fn give_up_building(&mut self, gone: &[RelationId]) {
        let concerned = |building: &mut Building| {
            gone.iter().copied().find(|id| building.id == *id || building.inputs.contains(id))
        };
        let Some(missing) = self.building.as_mut().and_then(concerned) else { return };
        if let Some(building) = self.building.take() {
            self.give_up(building.id, building.reply, Error::NoRelation(missing.0));
        }
    }
}

enum Progress {
    More,
    /// Nothing is left, neither in the logs nor of what the tasks set aside.
    Level,
}

impl Building {
    /// The next rows of one input; no input when all logs are read.
    fn next_piece(&mut self) -> Result<(Option<RelationId>, Vec<RecordBatch>)> {
        let mut rows = Vec::new();
        loop {
            if self.reading.is_none() {
                let Some(reader) = self.waiting.pop_front() else { return Ok((None, rows)) };
                self.reading = Some((reader.relation, reader.open()?));
            }
            let Some((input, cursor)) = &mut self.reading else { continue };
            let input = *input;
            while let Some(batch) = cursor.next()? {
                rows.push(batch);
                if rows.iter().map(RecordBatch::num_rows).sum::<usize>() >= PIECE_ROWS {
                    return Ok((Some(input), rows));
                }
            }
            self.reading = None;
            if !rows.is_empty() {
                return Ok((Some(input), rows));
            }
        }
    }
}
