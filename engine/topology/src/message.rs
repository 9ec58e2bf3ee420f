//! What tasks send each other.

use crate::anchor::Roots;
use crate::stream::TaskId;
use crate::tuple::TupleBatch;

/// A message to a task. Those of one sender to one receiver arrive in order.
#[derive(Debug)]
pub(crate) enum Message {
    /// Tuples.
    Tuples(TupleBatch),
    /// Every tuple of `source` before it belongs to the checkpoint.
    Barrier { checkpoint: u64, source: TaskId },
}

impl Message {
    /// What it counts towards the receiver's capacity.
    pub fn tuples(&self) -> usize {
        match self {
            Message::Tuples(batch) => batch.len,
            Message::Barrier { .. } => 0,
        }
    }
}

/// What bolts tell a spout task about its roots, by number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Acks {
    /// What to add to the ledger of each root.
    pub sums: Vec<(u64, u64)>,
    /// Roots that failed.
    pub fails: Vec<u64>,
    /// Roots whose time begins anew.
    pub resets: Vec<u64>,
}

impl Acks {
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty() && self.fails.is_empty() && self.resets.is_empty()
    }
}

/// Acks on their way, by the spout task they are for.
#[derive(Debug)]
pub(crate) struct AckBuffer {
    by_spout: Vec<Acks>,
    waiting: usize,
}

impl AckBuffer {
    pub fn new(spout_tasks: usize) -> AckBuffer {
        AckBuffer { by_spout: std::iter::repeat_with(Acks::default).take(spout_tasks).collect(), waiting: 0 }
    }

    /// Entries that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    pub fn ack(&mut self, roots: Roots) {
        match roots {
            Roots::None | Roots::Gone => {}
            Roots::One(root, sum) => self.add(root.spout(), root.number(), sum),
            Roots::Many(many) => many.iter().for_each(|(root, sum)| self.add(root.spout(), root.number(), *sum)),
        }
    }

    /// Neighbours of one root become one entry: the words of a sentence cost the spout what one does.
    fn add(&mut self, spout: usize, number: u64, sum: u64) {
        let sums = &mut self.by_spout[spout].sums;
        match sums.last_mut() {
            Some((last, last_sum)) if *last == number => *last_sum ^= sum,
            _ => {
                sums.push((number, sum));
                self.waiting += 1;
            }
        }
    }

    pub fn fail(&mut self, roots: Roots) {
        match roots {
            Roots::None | Roots::Gone => {}
            Roots::One(root, _) => self.add_fail(root.spout(), root.number()),
            Roots::Many(many) => many.iter().for_each(|(root, _)| self.add_fail(root.spout(), root.number())),
        }
    }

    fn add_fail(&mut self, spout: usize, number: u64) {
        self.by_spout[spout].fails.push(number);
        self.waiting += 1;
    }

    pub fn reset(&mut self, spout: usize, number: u64) {
        self.by_spout[spout].resets.push(number);
        self.waiting += 1;
    }

    /// Empties it: acks by the place of their spout task.
    pub fn drain(&mut self) -> impl Iterator<Item = (usize, Acks)> {
        self.waiting = 0;
        let taken = self.by_spout.iter_mut().map(std::mem::take).enumerate();
        taken.filter(|(_, acks)| !acks.is_empty())
    }
}

/// What the engine asks of a task, beside its tuples.
#[derive(Debug)]
pub(crate) enum Control {
    /// For a spout: news of its roots.
    Acks(Acks),
    /// For a spout: emit, or don't.
    SetActive(bool),
    /// For a spout: where it stands is part of this checkpoint. If that is aligned, what has been emitted so far belongs to it, and no more
    /// is emitted until [`Control::Resume`].
    Checkpoint { number: u64, aligned: bool },
    /// Every task has taken the checkpoint: go on.
    Resume,
    /// For a spout: this checkpoint is durable.
    Durable(u64),
}
