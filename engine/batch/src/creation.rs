//! Relations coming to life: made known to the tasks, or restored from the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use monsoon_circuit::{Circuit, CircuitPlan, Operator, RelationId};
use monsoon_state::TxId;

use crate::chunk::{decode, decode_state};
use crate::command::{Command, LoadedRows, Output, TaskKind, TaskSpec, relation_of, table_id};
use crate::committer::Then;
use crate::driver::{Driver, EventTime, Relation, Role, SourceProgress, SourceRole, content_table};
use crate::merge::Merge;
use crate::relation::{RelationKind, RelationSpec, Watermark};
use crate::sink_writer::SinkWriter;
use crate::source_reader::SourceReader;
use crate::{Error, Result};

impl Driver {
    /// Makes a relation known to the tasks and to the driver, without any rows. One that `is_new` is going to be filled.
    pub fn add(&mut self, spec: RelationSpec, is_new: bool) -> Result<Output> {
        let id = spec.id;
        let (role, kind) = self.roles(id, spec.kind)?;
        let task_spec = Arc::new(TaskSpec { id, schema: spec.schema.clone(), kind });
        for task in &self.tasks {
            let _ = task.commands.send(Command::Add { spec: task_spec.clone(), is_new });
        }
        let output = self.gather()?;
        if output.windowed {
            self.windowed.insert(id);
        }
        self.list_tables(&task_spec)?;
        self.relations.insert(id, Relation { schema: spec.schema, role });
        Ok(output)
    }

    fn roles(&mut self, id: RelationId, kind: RelationKind) -> Result<(Role, TaskKind)> {
        Ok(match kind {
            RelationKind::Stream { watermark } => (
                Role::Stream { time_column: time_column(watermark.as_ref()) },
                TaskKind::Stream { watermark, retained: true },
            ),
            RelationKind::Source { open, watermark } => {
                let time_column = time_column(watermark.as_ref());
                let source = SourceRole { open, time_column, progress: SourceProgress::default(), reader: None };
                (Role::Source(source), TaskKind::Stream { watermark, retained: false })
            }
            RelationKind::Table { key } => (Role::Table, TaskKind::Table { key }),
            RelationKind::View { plan, ephemeral } => (Role::View, TaskKind::View { plan, ephemeral }),
            RelationKind::Sink { plan, open } => {
                let sink = open().map_err(|error| Error::Rejected(error.to_string()))?;
                let replayed = sink.needs_replay();
                self.opened_sinks.insert(id, sink);
                (Role::Sink, TaskKind::Sink { plan, replayed })
            }
        })
    }

    /// Tells the folder how the relation's chunks add up.
    fn list_tables(&self, spec: &TaskSpec) -> Result<()> {
        let mut kinds = self.shared.merge_kinds.lock();
        let mut append_only = matches!(spec.kind, TaskKind::Stream { .. });
        if let TaskKind::View { plan, .. } | TaskKind::Sink { plan, .. } = &spec.kind {
            let grows = |relation: RelationId| self.shared.is_append_only(relation);
            let circuit = Circuit::new(plan, 1, &grows)?;
            for (place, table) in circuit.tables().enumerate() {
                kinds.insert(table_id(spec.id, place as u16 + 1), Merge::Operator(table.kind));
            }
            append_only = circuit.is_append_only();
        }
        self.shared.note_append_only(spec.id, append_only);
        let content = match &spec.kind {
            TaskKind::Stream { retained: true, .. } => Some(Merge::Log),
            // Its rows have an order, by which it can be followed.
            TaskKind::View { ephemeral: false, .. } if append_only => Some(Merge::Log),
            TaskKind::Table { .. } | TaskKind::View { ephemeral: false, .. } => Some(Merge::Relation),
            _ => None,
        };
        if let Some(content) = content {
            kinds.insert(table_id(spec.id, 0), content);
        }
        Ok(())
    }

    /// Adds a relation that exists, with what the store holds of it.
    pub fn restore(&mut self, spec: RelationSpec) -> Result<()> {
        let id = spec.id;
        self.add(spec, false)?;
        self.restore_progress(id)?;
        let content_in_memory =
            matches!(self.relations.get(&id).map(|relation| &relation.role), Some(Role::Table | Role::View { .. }));
        for table in self.store.tables()?.into_iter().filter(|&table| relation_of(table) == id) {
            let is_content = table == content_table(id);
            if is_content && !content_in_memory {
                continue;
            }
            for (place, chunk) in self.store.chunks(table)?.enumerate() {
                let payload = chunk?.payload;
                let rows = if is_content {
                    LoadedRows::Relation(decode(&payload)?)
                } else {
                    LoadedRows::State(decode_state(&payload)?)
                };
                let rows = Arc::new(rows);
                let own_table = (table.0 & 0xffff) as u16;
                for task in &self.tasks {
                    let _ = task.commands.send(Command::Load {
                        relation: id,
                        table: own_table,
                        chunk: place,
                        rows: rows.clone(),
                    });
                }
            }
        }
        for task in &self.tasks {
            let _ = task.commands.send(Command::Loaded(id));
        }
        self.gather()?;
        if let Some(start) = self.start_sink(id) {
            start(Ok(self.last));
        }
        Ok(())
    }

    /// What lets a sink that was opened publish, once it is committed that there is one: rows of a CREATE SINK that fails are never
    /// published.
    pub fn start_sink(&mut self, id: RelationId) -> Option<Then> {
        let sink = self.opened_sinks.remove(&id)?;
        let (shared, store) = (self.shared.clone(), self.store.clone());
        Some(Box::new(move |committed: Result<TxId>| {
            if committed.is_err() {
                return;
            }
            let error = shared.connector_error(id);
            match SinkWriter::start(id, sink, store, error.clone()) {
                Ok(writer) => drop(shared.sinks.lock().insert(id, writer)),
                Err(reason) => *error.lock() = Some(format!("its thread can't be started: {reason}")),
            }
        }))
    }

    fn restore_progress(&mut self, id: RelationId) -> Result<()> {
        if let Some(time) = self.stored::<EventTime>(format!("e/watermark/{id}"))? {
            self.event_times.insert(id, time);
            self.refresh_watermarks();
        }
        let progress = self.stored::<SourceProgress>(format!("e/source/{id}"))?;
        if let (Some(progress), Some(Relation { role: Role::Source(source), .. })) =
            (progress, self.relations.get_mut(&id))
        {
            self.shared.note_position(id, &progress.position);
            source.progress = progress;
        }
        Ok(())
    }

    fn stored<T: serde::de::DeserializeOwned>(&self, key: String) -> Result<Option<T>> {
        match self.store.get(key.as_bytes())? {
            None => Ok(None),
            Some(value) => {
                serde_json::from_slice(&value).map(Some).map_err(|error| Error::corrupt(format!("{key}: {error}")))
            }
        }
    }

    pub fn start_sources(&mut self) {
        let ids: Vec<RelationId> = self.relations.keys().copied().collect();
        ids.into_iter().for_each(|id| self.start_source(id));
    }

    /// Lets a source be read, if the relation is one. That it can't be opened doesn't keep others from running; SHOW tells.
    pub fn start_source(&mut self, id: RelationId) {
        let rows_max = self.config.batch_rows;
        let requests = self.to_self.clone();
        let error = self.shared.connector_error(id);
        let Some(Relation { role: Role::Source(source), .. }) = self.relations.get_mut(&id) else { return };
        let position = source.progress.position.clone();
        match SourceReader::start(id, source.open.clone(), position, rows_max, requests, error.clone()) {
            Ok(reader) => source.reader = Some(reader),
            Err(reason) => *error.lock() = Some(reason),
        }
    }
}

fn time_column(watermark: Option<&Watermark>) -> Option<usize> {
    watermark.map(|watermark| watermark.column)
}

/// The relations a plan reads, each once.
pub(crate) fn inputs_of(plan: &CircuitPlan) -> Vec<RelationId> {
    let inputs = plan.nodes.iter().filter_map(|node| match &node.operator {
        Operator::Input { relation, .. } => Some(*relation),
        _ => None,
    });
    inputs.collect::<BTreeSet<_>>().into_iter().collect()
}
