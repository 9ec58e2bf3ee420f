//! `Wire`: how messages get from task to task.

use std::sync::Arc;

use crate::inbox::{Inbox, Signal};
use crate::message::{Acks, Message};
use crate::stream::TaskId;

/// How messages get from task to task. Messages of one sender to one receiver stay in order.
pub(crate) trait Wire: Send + Sync {
    /// Hands a message over, or gives it back when the receiver is full; then `sender` is woken when there is room.
    fn offer(&self, target: TaskId, message: Message, sender: &Arc<Signal>) -> Result<(), Message>;

    /// Hands a message over although the receiver may be full.
    fn force(&self, target: TaskId, message: Message);

    /// Tells a spout task, by its place among them, of its roots.
    fn ack(&self, spout: usize, acks: Acks);

    /// How full a task's queue is: 0 empty, 1 full.
    fn load(&self, task: TaskId) -> f64;
}

/// The inboxes of all the tasks of one process.
pub(crate) struct Inboxes {
    by_task: Vec<Arc<Inbox>>,
    spouts: Vec<TaskId>,
}

impl Inboxes {
    /// `by_task` in the order of the tasks' numbers; `spouts` in the order of their places.
    pub fn new(by_task: Vec<Arc<Inbox>>, spouts: Vec<TaskId>) -> Inboxes {
        Inboxes { by_task, spouts }
    }

    pub fn inbox(&self, task: TaskId) -> &Arc<Inbox> {
        &self.by_task[task.index()]
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Inbox>> {
        self.by_task.iter()
    }

    pub fn spouts(&self) -> &[TaskId] {
        &self.spouts
    }
}

impl Wire for Inboxes {
    fn offer(&self, target: TaskId, message: Message, sender: &Arc<Signal>) -> Result<(), Message> {
        self.inbox(target).offer(message, Some(sender))
    }

    fn force(&self, target: TaskId, message: Message) {
        self.inbox(target).force(message);
    }

    fn ack(&self, spout: usize, acks: Acks) {
        self.inbox(self.spouts[spout]).acks(acks);
    }

    fn load(&self, task: TaskId) -> f64 {
        self.inbox(task).load()
    }
}
