//! `Outputs`: what one task emits, and who gets it.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::anchor::{EdgeIds, Roots};
use crate::batches::{Batches, Copy};
use crate::grouping::Grouper;
use crate::stream::{DEFAULT_STREAM, StreamInfo, TaskId};
use crate::tuple::Row;
use crate::{Failure, Outcome, Value};

/// A stream of the task's component, and who reads it.
pub(crate) struct OutStream {
    pub info: Arc<StreamInfo>,
    /// Place in the topology's table of streams.
    pub place: u32,
    pub subscriptions: Vec<Subscription>,
}

/// One subscriber of a stream.
pub(crate) struct Subscription {
    pub grouper: Grouper,
    /// Its tasks, as places among the batches.
    pub targets: Vec<u32>,
    /// Whether it takes the tuples that are sent to a task of its.
    pub direct: bool,
}

/// What one task emits, and who gets it.
pub(crate) struct Outputs {
    streams: Vec<OutStream>,
    /// The place of the default stream.
    default: Option<usize>,
    pub batches: Batches,
    edges: EdgeIds,
    row: Vec<Value>,
    places: Vec<u32>,
    receivers: Vec<TaskId>,
    /// Tuples emitted, and copies of them for tasks.
    pub emitted: u64,
    pub transferred: u64,
}

impl Outputs {
    pub fn new(streams: Vec<OutStream>, batches: Batches, seed: u64) -> Outputs {
        let edges = EdgeIds::new(seed);
        let (row, places, receivers) = (Vec::new(), Vec::new(), Vec::new());
        let default = streams.iter().position(|stream| stream.info.stream == DEFAULT_STREAM);
        Outputs { streams, default, batches, edges, row, places, receivers, emitted: 0, transferred: 0 }
    }

    /// The place of a stream among the component's.
    pub fn stream(&self, name: &str) -> Outcome<usize> {
        let found = self.streams.iter().position(|stream| stream.info.stream == name);
        found.ok_or_else(|| {
            let names: Vec<&SmolStr> = self.streams.iter().map(|stream| &stream.info.stream).collect();
            Failure::new(format!("stream {name:?} is not declared; declared are {names:?}"))
        })
    }

    /// The place of the default stream.
    #[inline]
    pub fn default_stream(&self) -> Outcome<usize> {
        self.default.map_or_else(|| self.stream(DEFAULT_STREAM), Ok)
    }

    /// Emits a tuple, to the subscribers as they wish, or to one task on a direct stream. `child` makes the place of each copy in its
    /// trees. Returns the tasks that get one.
    #[inline]
    pub fn emit(
        &mut self,
        stream: usize,
        task: Option<TaskId>,
        row: impl Row,
        mut child: impl FnMut(&mut EdgeIds) -> Roots,
    ) -> Outcome<&[TaskId]> {
        self.take_row(stream, row)?;
        self.receivers.clear();
        if self.streams[stream].info.direct || task.is_some() {
            self.emit_direct(stream, task, &mut child)?;
        } else {
            self.emit_to_subscribers(stream, &mut child);
        }
        self.emitted += 1;
        self.transferred += self.receivers.len() as u64;
        Ok(&self.receivers)
    }

    #[inline]
    fn emit_to_subscribers(&mut self, stream: usize, child: &mut impl FnMut(&mut EdgeIds) -> Roots) {
        let Outputs { streams, batches, edges, row, places, receivers, .. } = self;
        let OutStream { place: stream, subscriptions, .. } = &mut streams[stream];
        let subscribers = subscriptions.len();
        for (subscriber, subscription) in subscriptions.iter_mut().enumerate() {
            places.clear();
            subscription.grouper.choose(row, places);
            let copies = places.len();
            for (copy, &place) in places.iter().enumerate() {
                let roots = child(edges);
                let target = subscription.targets[place as usize];
                receivers.push(batches.task(target));
                let last = subscriber + 1 == subscribers && copy + 1 == copies;
                let values = if last { Copy::Last(row) } else { Copy::More(row) };
                batches.push(target, *stream, values, roots);
            }
        }
    }

    fn emit_direct(
        &mut self,
        stream: usize,
        task: Option<TaskId>,
        child: &mut impl FnMut(&mut EdgeIds) -> Roots,
    ) -> Outcome {
        let OutStream { info, place, subscriptions } = &self.streams[stream];
        let task = match (info.direct, task) {
            (true, Some(task)) => task,
            (true, None) => {
                return Err(Failure::new(format!(
                    "stream {:?} is direct: name the task that gets a tuple",
                    info.stream
                )));
            }
            (false, _) => return Err(Failure::new(format!("stream {:?} is not declared direct", info.stream))),
        };
        let readers = subscriptions.iter().filter(|subscription| subscription.direct);
        let target = readers.flat_map(|reader| &reader.targets).find(|&&target| self.batches.task(target) == task);
        if let Some(&target) = target {
            let roots = child(&mut self.edges);
            self.batches.push(target, *place, Copy::Last(&mut self.row), roots);
            self.receivers.push(task);
        }
        Ok(())
    }

    #[inline]
    fn take_row(&mut self, stream: usize, row: impl Row) -> Outcome {
        self.row.clear();
        row.write(&mut self.row);
        let info = &self.streams[stream].info;
        if self.row.len() == info.fields.len() {
            return Ok(());
        }
        let (given, fields) = (self.row.len(), &info.fields);
        let stream = &info.stream;
        Err(Failure::new(format!(
            "a tuple of stream {stream:?} has the fields {fields:?}, but {given} values were emitted"
        )))
    }

    /// Tells groupings that go by load how full the queues of their targets are.
    pub fn refresh_load(&mut self, load: impl Fn(TaskId) -> f64) {
        for subscription in self.streams.iter_mut().flat_map(|stream| &mut stream.subscriptions) {
            if subscription.grouper.wants_load() {
                let loads: Vec<f64> =
                    subscription.targets.iter().map(|&target| load(self.batches.task(target))).collect();
                subscription.grouper.refresh_load(&loads);
            }
        }
    }
}
