//! What the driver tells the tasks, and what they answer.
//!
//! Every task gets the same commands in the same order: that order is what makes reads consistent and exchanges meet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use monsoon_circuit::{CircuitPlan, Delta, RelationId, RowError, WeightedBatch};
use monsoon_state::TableId;
use tokio::sync::mpsc::UnboundedSender;

use crate::Result;
use crate::relation::Watermark;

/// A command to a task.
pub(crate) enum Command {
    /// Run one batch. Answered with an [`Output`].
    Step(Step),
    /// Add a relation; answered with an [`Output`] that may hold an error. A view or sink that is `new` takes part in steps only after
    /// [`Command::Join`].
    Add { spec: Arc<TaskSpec>, is_new: bool },
    /// Feed a new view what its inputs held when it was added. Answered with an [`Output`].
    Backfill(Backfill),
    /// Feed a new view some of what has come since it was added. Answered with an [`Output`] that says whether there is more.
    CatchUp(RelationId),
    /// A new view has caught up on every task: from the next step on it is one of the others.
    Join(RelationId),
    /// Restore rows of a state chunk.
    Load { relation: RelationId, table: u16, chunk: usize, rows: Arc<LoadedRows> },
    /// All chunks of a relation are loaded. Answered with an [`Output`].
    Loaded(RelationId),
    /// Forget relations.
    Remove(Vec<RelationId>),
    /// Send rows to a reader, then nothing more.
    Read {
        relation: RelationId,
        keys: Option<Arc<Vec<Vec<ScalarValue>>>>,
        reply: UnboundedSender<Result<Vec<WeightedBatch>>>,
    },
    /// Report the memory of every relation's state.
    Memory { reply: UnboundedSender<Vec<(RelationId, u64)>> },
}

/// A decoded chunk.
pub(crate) enum LoadedRows {
    /// Rows of a relation.
    Relation(WeightedBatch),
    /// Rows of an operator's state table.
    State(RecordBatch),
}

/// One batch, as one task sees it.
pub(crate) struct Step {
    /// This task's share of what entered streams and tables, in order.
    pub inputs: HashMap<RelationId, Vec<WeightedBatch>>,
    /// Watermarks committed before this batch, in microseconds.
    pub watermarks: Arc<HashMap<RelationId, i64>>,
    /// Relations whose changes somebody subscribes to.
    pub wanted: Arc<HashSet<RelationId>>,
}

/// Rows for a view that is being created.
pub(crate) struct Backfill {
    /// The view.
    pub view: RelationId,
    /// The input these rows belong to.
    pub input: RelationId,
    /// This task's share of a stream's rows; `None` means the task's own content of the input.
    pub rows: Option<Vec<WeightedBatch>>,
}

/// What a task has to know of a relation.
pub(crate) struct TaskSpec {
    pub id: RelationId,
    pub schema: SchemaRef,
    pub kind: TaskKind,
}

/// How a task runs a relation.
pub(crate) enum TaskKind {
    /// Rows pass through; `retained` ones are written to the log.
    Stream { watermark: Option<Watermark>, retained: bool },
    /// Rows are written.
    Table { key: Vec<usize> },
    /// Kept by a circuit.
    View { plan: CircuitPlan, ephemeral: bool },
    /// Published.
    Sink { plan: CircuitPlan, replayed: bool },
}

/// What a task did for a command.
#[derive(Default)]
pub(crate) struct Output {
    /// Chunks for the commit.
    pub chunks: Vec<(TableId, Bytes)>,
    /// Changes of wanted relations and of sinks.
    pub changes: Vec<(RelationId, Delta)>,
    /// Largest watermark implied by this task's rows.
    pub watermarks: Vec<(RelationId, i64)>,
    /// Late rows dropped.
    pub late: Vec<(RelationId, u64)>,
    /// Rows in, by relation.
    pub rows: Vec<(RelationId, u64)>,
    /// Rows on which an expression failed.
    pub errors: Vec<(RelationId, RowError)>,
    /// Whether an open window may close when the watermark advances.
    pub windowed: bool,
    /// Whether a new view has more to catch up with.
    pub more: bool,
}

/// The state table of a relation: 0 is its content or log, others are its circuit's.
pub(crate) fn table_id(relation: RelationId, table: u16) -> TableId {
    TableId(u64::from(relation.0) << 16 | u64::from(table))
}

/// The relation a state table belongs to.
pub(crate) fn relation_of(table: TableId) -> RelationId {
    RelationId((table.0 >> 16) as u32)
}

impl Output {
    /// Adds what another task, or another step, did.
    pub fn absorb(&mut self, other: Output) {
        self.chunks.extend(other.chunks);
        self.changes.extend(other.changes);
        self.watermarks.extend(other.watermarks);
        self.late.extend(other.late);
        self.rows.extend(other.rows);
        self.errors.extend(other.errors);
        self.windowed |= other.windowed;
        self.more |= other.more;
    }

    /// Bytes of chunks, for bounding a commit.
    pub fn chunk_bytes(&self) -> usize {
        self.chunks.iter().map(|(_, payload)| payload.len()).sum()
    }
}
