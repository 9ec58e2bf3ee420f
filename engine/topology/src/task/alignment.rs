//! `Alignment`: which barriers of a checkpoint have come to a bolt, and what came behind them.
//!
//! What a sender sends behind its barrier belongs to the next checkpoint. Spouts pause, but a bolt may send of its own accord, such as on a tick.

use std::collections::{HashSet, VecDeque};

use crate::message::Message;
use crate::stream::TaskId;

/// Which barriers of a checkpoint have come, and what came behind them.
pub(super) struct Alignment {
    /// Tasks that send barriers.
    upstream: usize,
    from: HashSet<TaskId>,
    behind: VecDeque<Message>,
}

impl Alignment {
    pub fn new(upstream: usize) -> Alignment {
        Alignment { upstream, from: HashSet::new(), behind: VecDeque::new() }
    }

    /// A barrier has come. Returns whether all have.
    pub fn note(&mut self, source: TaskId) -> bool {
        self.from.insert(source);
        self.from.len() >= self.upstream
    }

    /// Whether what comes from this task now is behind its barrier.
    pub fn is_behind(&self, source: TaskId) -> bool {
        self.from.contains(&source)
    }

    /// Keeps what is behind a barrier until the checkpoint is taken.
    pub fn set_aside(&mut self, message: Message) {
        self.behind.push_back(message);
    }

    /// The checkpoint is taken: what was set aside goes before what else waits.
    pub fn release(&mut self, data: &mut VecDeque<Message>) {
        self.from.clear();
        self.behind.append(data);
        std::mem::swap(&mut self.behind, data);
    }

    /// Whether nothing is set aside.
    pub fn is_empty(&self) -> bool {
        self.behind.is_empty()
    }
}
