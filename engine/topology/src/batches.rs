//! `Batches`: tuples gathered per task they are for, until a batch is full or it is time to send them.
//!
//! Tuples to one task share a buffer whatever their stream, so that they arrive in the order they were emitted. Nothing here waits: full
//! batches are put in `ready`, and the executor sends those before it calls the component again.

use std::collections::VecDeque;

use crate::Value;
use crate::anchor::{Anchor, Roots};
use crate::batch_limit::BatchLimit;
use crate::message::Message;
use crate::stream::TaskId;
use crate::tuple::TupleBatch;

/// A message and the task it is for.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub target: TaskId,
    pub message: Message,
}

/// The values of one copy of a tuple.
pub(crate) enum Copy<'a> {
    /// There will be more copies.
    More(&'a [Value]),
    /// The last copy gets the values themselves.
    Last(&'a mut Vec<Value>),
}

impl Copy<'_> {
    fn arity(&self) -> usize {
        match self {
            Copy::More(values) => values.len(),
            Copy::Last(values) => values.len(),
        }
    }
}

#[derive(Debug)]
struct Buffer {
    target: TaskId,
    stream: u32,
    arity: usize,
    len: usize,
    values: Vec<Value>,
    anchors: Vec<Anchor>,
}

/// Tuples gathered per task they are for.
#[derive(Debug)]
pub(crate) struct Batches {
    source: TaskId,
    buffers: Vec<Buffer>,
    /// Buffers that hold something.
    filled: Vec<u32>,
    limit: BatchLimit,
    /// Full batches, to be sent in this order.
    pub ready: VecDeque<Parcel>,
}

impl Batches {
    /// `targets` are all the tasks that anything can be for.
    pub fn new(source: TaskId, targets: &[TaskId], limit: BatchLimit) -> Batches {
        let buffer = |&target| Buffer { target, stream: 0, arity: 0, len: 0, values: Vec::new(), anchors: Vec::new() };
        let buffers = targets.iter().map(buffer).collect();
        Batches { source, buffers, filled: Vec::new(), limit, ready: VecDeque::new() }
    }

    /// The task in a place.
    #[inline]
    pub fn task(&self, place: u32) -> TaskId {
        self.buffers[place as usize].target
    }

    /// Adds a tuple for the task in a place.
    #[inline]
    pub fn push(&mut self, place: u32, stream: u32, row: Copy<'_>, roots: Roots) {
        if self.buffers[place as usize].stream != stream {
            self.seal(place);
        }
        let rows_max = self.limit.rows();
        let buffer = &mut self.buffers[place as usize];
        if buffer.len == 0 {
            (buffer.stream, buffer.arity) = (stream, row.arity());
            // What was full once will be again; a first batch starts small.
            if buffer.values.capacity() == 0 && rows_max <= 64 {
                buffer.values.reserve_exact(buffer.arity * rows_max);
            }
            self.filled.push(place);
        }
        match row {
            Copy::Last(values) => buffer.values.append(values),
            Copy::More(values) => buffer.values.extend_from_slice(values),
        }
        if !matches!(roots, Roots::None) {
            buffer.anchors.resize_with(buffer.len, Anchor::default);
            buffer.anchors.push(Anchor::of(roots));
        } else if !buffer.anchors.is_empty() {
            buffer.anchors.push(Anchor::default());
        }
        buffer.len += 1;
        if buffer.len >= rows_max {
            self.seal(place);
            self.limit.note_full();
        }
    }

    /// Makes what the task in a place is to get ready.
    fn seal(&mut self, place: u32) {
        let buffer = &mut self.buffers[place as usize];
        if buffer.len == 0 {
            return;
        }
        let (rows, tracked) = (buffer.values.len(), buffer.anchors.len());
        let batch = TupleBatch {
            stream: buffer.stream,
            source: self.source,
            arity: buffer.arity,
            len: std::mem::take(&mut buffer.len),
            // The next batch is likely to be as large.
            values: std::mem::replace(&mut buffer.values, Vec::with_capacity(rows)),
            anchors: std::mem::replace(&mut buffer.anchors, Vec::with_capacity(tracked)),
        };
        self.ready.push_back(Parcel { target: buffer.target, message: Message::Tuples(batch) });
        self.filled.retain(|&filled| filled != place);
    }

    /// Makes everything ready to be sent.
    pub fn flush(&mut self) {
        if self.filled.is_empty() {
            return;
        }
        self.limit.note_partial();
        while let Some(&place) = self.filled.first() {
            self.seal(place);
        }
    }

    /// Makes everything ready, and then a barrier for every task.
    pub fn barrier(&mut self, checkpoint: u64) {
        self.flush();
        for buffer in &self.buffers {
            let message = Message::Barrier { checkpoint, source: self.source };
            self.ready.push_back(Parcel { target: buffer.target, message });
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.filled.is_empty() && self.ready.is_empty()
    }
}
