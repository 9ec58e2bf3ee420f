//! Windows over batches, by processing time or by count, in each partition.
//!
//! A window takes up tuples when their batch commits, so in the order of txids; the results of the windows a batch
//! completes are emitted with that batch. When a commit is tried again, what its first try did is undone.

mod content;
mod kept;

use std::time::Duration;

use monsoon_topology::{Failure, Outcome};
use parking_lot::{Mutex, RwLock};

use super::{Column, Operation, Task, merged};
use crate::function::OperationContext;
use crate::state::StateContext;
use crate::tuple::{Collector, Row, Tuple};
use crate::window_store::WindowStore;
use crate::{Error, Result};
use content::Content;
use kept::Kept;

/// Which tuples a window holds, and when there is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowConfig {
    /// Every `slide` tuples, the last `length` tuples.
    Count {
        /// How many tuples a window holds at most.
        length: usize,
        /// After how many tuples there is a new one.
        slide: usize,
    },
    /// Every `slide`, the tuples that arrived within `length` before: its end excluded. Ends are multiples of the slide
    /// since 1970 UTC; a window without tuples is left out.
    Duration {
        /// How long a window is.
        length: Duration,
        /// After how long there is a new one.
        slide: Duration,
    },
}

impl WindowConfig {
    /// Each tuple is in one window of so many tuples.
    pub fn tumbling_count(length: usize) -> WindowConfig {
        WindowConfig::Count { length, slide: length }
    }

    /// A window of the last `length` tuples after every `slide`.
    pub fn sliding_count(length: usize, slide: usize) -> WindowConfig {
        WindowConfig::Count { length, slide }
    }

    /// Each tuple is in one window of such a duration.
    pub fn tumbling_duration(length: Duration) -> WindowConfig {
        WindowConfig::Duration { length, slide: length }
    }

    /// A window of the last `length` after every `slide`.
    pub fn sliding_duration(length: Duration, slide: Duration) -> WindowConfig {
        WindowConfig::Duration { length, slide }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let positive = match self {
            WindowConfig::Count { length, slide } => *length > 0 && *slide > 0,
            WindowConfig::Duration { length, slide } => length.as_millis() > 0 && slide.as_millis() > 0,
        };
        if positive {
            return Ok(());
        }
        Err(Error::invalid(format!("a window's length and slide must be at least 1 (tuple or millisecond): {self:?}")))
    }
}

/// Makes the store of a partition's windows.
pub(crate) type StoreFactory = Box<dyn Fn(&StateContext) -> Outcome<Box<dyn WindowStore>> + Send + Sync>;

/// The windows of one partition.
enum Partition {
    InMemory(Content),
    Kept(Kept),
}

/// Emits what a fold gives for each window.
pub(crate) struct WindowOperation {
    config: WindowConfig,
    column: Column,
    /// Where content is kept; `None` for in memory only.
    factory: Option<StoreFactory>,
    partitions: RwLock<Vec<Mutex<Partition>>>,
}

impl WindowOperation {
    pub(crate) fn new(config: WindowConfig, column: Column, factory: Option<StoreFactory>) -> WindowOperation {
        WindowOperation { config, column, factory, partitions: RwLock::default() }
    }

    fn windows(&self, task: &Task, rows: Vec<Row>) -> Outcome<Vec<Vec<Row>>> {
        let partitions = self.partitions.read();
        let partition = partitions.get(task.partition);
        let mut partition = partition.ok_or_else(|| Failure::new("a window was used before it was prepared"))?.lock();
        match &mut *partition {
            Partition::InMemory(content) => {
                content.begin(task.batch.txid, task.now_ms);
                Ok(content.add(self.config, rows))
            }
            Partition::Kept(kept) => kept.add(task.batch.txid, task.now_ms, rows),
        }
    }
}

impl Operation for WindowOperation {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        let mut partitions = self.partitions.write();
        for partition in partitions.len()..context.partitions {
            partitions.push(Mutex::new(match &self.factory {
                None => Partition::InMemory(Content::default()),
                Some(factory) => {
                    let store = factory(&StateContext { partition, partitions: context.partitions })?;
                    Partition::Kept(Kept::load(self.config, store)?)
                }
            }));
        }
        Ok(())
    }

    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut output = Vec::new();
        for window in self.windows(task, merged(inputs))? {
            let tuples: Vec<Tuple<'_>> = window.iter().map(|row| Tuple::new(&self.column.input, row)).collect();
            let mut out = Collector::new(self.column.arity);
            self.column.fold.fold(task.batch, &tuples, &mut out)?;
            output.extend(out.finish()?);
        }
        Ok(output)
    }
}
