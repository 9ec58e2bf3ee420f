//! Windows over batches, by processing time or by count, in each partition.
//!
//! A window takes up tuples when their batch commits, so in the order of txids; the results of the windows a batch
//! completes are emitted with that batch. When a commit is tried again, what its first try did is undone.

use std::collections::VecDeque;
use std::time::Duration;

use monsoon_topology::{Failure, Outcome};
use parking_lot::{Mutex, RwLock};

use super::{Column, Operation, Task, merged};
use crate::function::OperationContext;
use crate::tuple::{Collector, Row, Tuple};
use crate::{Error, Result};

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

type Item = (u64, Row);

/// The numbers that change with the content.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    /// Tuples since the last window, of a count window.
    since_window: usize,
    /// The end of the next window, of a duration window; `None` before the first tuple.
    next_end_ms: Option<u64>,
    now_ms: u64,
}

/// How the content was before a txid.
struct Undo {
    txid: u64,
    count: usize,
    evicted: Vec<Item>,
    marks: Marks,
}

/// The tuples of one partition that later windows need.
#[derive(Default)]
struct Content {
    items: VecDeque<Item>,
    marks: Marks,
    undo: Option<Undo>,
}

impl Content {
    /// Takes back what an earlier try of the txid did, and starts to note what this one does.
    fn begin(&mut self, txid: u64) {
        if let Some(undo) = self.undo.take().filter(|undo| undo.txid == txid) {
            undo.evicted.into_iter().rev().for_each(|item| self.items.push_front(item));
            self.items.truncate(undo.count);
            self.marks = undo.marks;
        }
        self.undo = Some(Undo { txid, count: self.items.len(), evicted: Vec::new(), marks: self.marks });
    }

    fn evict_first(&mut self) {
        if let (Some(item), Some(undo)) = (self.items.pop_front(), &mut self.undo) {
            undo.evicted.push(item);
        }
    }

    fn add_by_count(&mut self, length: usize, slide: usize, row: Row) -> Option<Vec<Row>> {
        self.items.push_back((self.marks.now_ms, row));
        while self.items.len() > length {
            self.evict_first();
        }
        self.marks.since_window += 1;
        if self.marks.since_window < slide {
            return None;
        }
        self.marks.since_window = 0;
        Some(self.items.iter().map(|(_, row)| row.clone()).collect())
    }

    /// The windows that end until now. What arrives now is later than all of them.
    fn ended(&mut self, length_ms: u64, slide_ms: u64) -> Vec<Vec<Row>> {
        let mut windows = Vec::new();
        while let (Some(end), Some((first, _))) = (self.marks.next_end_ms, self.items.front()) {
            if *first >= end {
                // Windows without tuples are left out in one step.
                self.marks.next_end_ms = Some(end_after(*first, slide_ms));
                continue;
            }
            if end > self.marks.now_ms {
                break;
            }
            let within = |item: &&Item| item.0 < end && item.0.saturating_add(length_ms) >= end;
            let window: Vec<Row> = self.items.iter().filter(within).map(|(_, row)| row.clone()).collect();
            if !window.is_empty() {
                windows.push(window);
            }
            let next = end.saturating_add(slide_ms);
            self.marks.next_end_ms = Some(next);
            while self.items.front().is_some_and(|(at, _)| at.saturating_add(length_ms) < next) {
                self.evict_first();
            }
        }
        windows
    }

    fn add_by_time(&mut self, length_ms: u64, slide_ms: u64, rows: Vec<Row>) -> Vec<Vec<Row>> {
        let windows = self.ended(length_ms, slide_ms);
        let now = self.marks.now_ms;
        if !rows.is_empty() && self.items.is_empty() {
            self.marks.next_end_ms = Some(end_after(now, slide_ms));
        }
        self.items.extend(rows.into_iter().map(|row| (now, row)));
        windows
    }
}

/// The first end of a window that holds this time.
fn end_after(at_ms: u64, slide_ms: u64) -> u64 {
    (at_ms / slide_ms + 1).saturating_mul(slide_ms)
}

/// Emits what a fold gives for each window.
pub(crate) struct WindowOperation {
    pub(crate) config: WindowConfig,
    pub(crate) column: Column,
    partitions: RwLock<Vec<Mutex<Content>>>,
}

impl WindowOperation {
    pub(crate) fn new(config: WindowConfig, column: Column) -> WindowOperation {
        WindowOperation { config, column, partitions: RwLock::default() }
    }

    fn windows(&self, task: &Task, rows: Vec<Row>) -> Outcome<Vec<Vec<Row>>> {
        let partitions = self.partitions.read();
        let content = partitions.get(task.partition);
        let mut content = content.ok_or_else(|| Failure::new("a window was used before it was prepared"))?.lock();
        content.begin(task.batch.txid);
        content.marks.now_ms = content.marks.now_ms.max(task.now_ms);
        Ok(match self.config {
            WindowConfig::Count { length, slide } => {
                rows.into_iter().filter_map(|row| content.add_by_count(length, slide, row)).collect()
            }
            WindowConfig::Duration { length, slide } => {
                content.add_by_time(length.as_millis() as u64, slide.as_millis() as u64, rows)
            }
        })
    }
}

impl Operation for WindowOperation {
    fn prepare(&self, context: &OperationContext) -> Outcome {
        self.partitions.write().resize_with(context.partitions, Mutex::default);
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

#[cfg(test)]
#[path = "window/tests.rs"]
mod tests;
