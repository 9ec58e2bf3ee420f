//! `WindowCollector`: what a windowed bolt emits through.

use super::anchors::WindowAnchors;
use crate::Outcome;
use crate::collector::BoltCollector;
use crate::stream::TaskId;
use crate::tuple::Row;

/// What a windowed bolt emits through: everything is anchored to all tuples of the window.
pub struct WindowCollector<'a> {
    anchors: WindowAnchors<'a>,
    collector: &'a mut BoltCollector,
}

impl<'a> WindowCollector<'a> {
    pub(super) fn new(anchors: WindowAnchors<'a>, collector: &'a mut BoltCollector) -> WindowCollector<'a> {
        WindowCollector { anchors, collector }
    }

    /// Emits a tuple on the default stream. Returns the tasks that get a copy.
    pub fn emit(&mut self, row: impl Row) -> Outcome<&[TaskId]> {
        self.collector.emit(self.anchors, row)
    }

    /// Emits a tuple on a stream.
    pub fn emit_on(&mut self, stream: &str, row: impl Row) -> Outcome<&[TaskId]> {
        self.collector.emit_on(stream, self.anchors, row)
    }

    /// Emits a tuple on a direct stream to one task.
    pub fn emit_direct(&mut self, task: TaskId, stream: &str, row: impl Row) -> Outcome {
        self.collector.emit_direct(task, stream, self.anchors, row)
    }

    /// Tells the operator of the topology of an error, without failing the window.
    pub fn report_error(&mut self, message: impl Into<String>) {
        self.collector.report_error(message);
    }
}
