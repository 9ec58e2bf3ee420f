//! How much state there is, and what waits while it is too much: inserts are refused, and sources aren't read.

use std::collections::HashMap;

use monsoon_circuit::RelationId;
use tokio::sync::mpsc::unbounded_channel;

use crate::Error;
use crate::command::Command;
use crate::driver::{Driver, Relation, Role};

/// The memory of all state is added up once in so many batches; after each while it is too much.
const CHECK_BATCHES: u64 = 64;

impl Driver {
    /// A batch has been run.
    pub fn check_memory(&mut self) {
        self.batches += 1;
        if self.over_memory || self.batches.is_multiple_of(CHECK_BATCHES) {
            self.measure_memory();
        }
    }

    /// Lets the sources read on whose rows were taken, unless there is too much state.
    pub fn let_sources_go_on(&mut self) {
        if self.over_memory {
            return;
        }
        for relation in std::mem::take(&mut self.owed) {
            if let Some(Relation { role: Role::Source(source), .. }) = self.relations.get(&relation)
                && let Some(reader) = &source.reader
            {
                reader.taken();
            }
        }
    }

    /// Adds up the memory of all state; answers whether it is too much.
    pub fn measure_memory(&mut self) -> bool {
        let (reply, mut receiver) = unbounded_channel();
        for task in &self.tasks {
            let _ = task.commands.send(Command::Memory { reply: reply.clone() });
        }
        drop(reply);
        let mut total = 0;
        let mut by_relation: HashMap<RelationId, u64> = HashMap::new();
        while let Some(report) = receiver.blocking_recv() {
            for (relation, bytes) in report {
                *by_relation.entry(relation).or_default() += bytes;
                total += bytes;
            }
        }
        self.shared.note_memory(by_relation);
        let over = total > self.config.memory_limit_bytes;
        if over && !self.over_memory {
            tracing::warn!(
                "state takes {} MB, more than memory_limit: writes are refused, and sources wait",
                total >> 20
            );
        }
        self.over_memory = over;
        over
    }

    pub fn out_of_memory(&self) -> Error {
        Error::OutOfMemory { limit_mb: self.config.memory_limit_bytes >> 20 }
    }
}
