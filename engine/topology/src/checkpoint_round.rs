//! `CheckpointRounds`: what is to be done next about a topology's checkpoints. Pure: events in, effects out; no thread, no clock, no store.
//!
//! Invariants:
//! - one round is open at most, and each has a number of its own: a part that comes late is never taken for one of a later round;
//! - with aligned checkpoints a failure that is told of before a round is complete ends it: tasks tell of failures before they hand in their
//!   parts, so no checkpoint is committed that lacks what failed before it;
//! - what bolts hand in is gone from them, so an aligned round that isn't committed leads back to the last checkpoint.

use crate::state::{Checkpoint, TaskCheckpoint};
use crate::stream::TaskId;
use crate::task::Report;
use crate::{Error, Result};

/// Something that has happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A checkpoint is due or asked for.
    Due,
    /// A task has told something.
    Report(Report),
    /// The open round has taken too long, or so these tasks have that haven't handed in their parts.
    Overdue { reason: String, tasks: Vec<TaskId> },
    /// What the store said to the checkpoint of [`Effect::Commit`].
    Committed(Result<()>),
}

/// Something to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Have spouts begin the checkpoint of this number.
    Begin(u64),
    /// Have spouts go on.
    Resume,
    /// Commit it, and tell of the outcome.
    Commit(Checkpoint),
    /// Tell spouts that the checkpoint of this number is durable.
    Durable(u64),
    /// Begin all tasks anew from the last durable checkpoint, because of these tasks; of none if it is no task's failure.
    Restore(Error, Vec<TaskId>),
    /// The checkpoint wasn't taken, because of these tasks; nothing is lost.
    GiveUp(Error, Vec<TaskId>),
}

/// What is to be done next about a topology's checkpoints.
#[derive(Debug)]
pub(crate) struct CheckpointRounds {
    /// Whether the state of bolts is part of checkpoints.
    aligned: bool,
    /// Tasks that hand in a part.
    awaited: usize,
    /// The number of the last durable checkpoint.
    durable: u64,
    /// The number of the last round begun.
    begun: u64,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Idle,
    /// Parts handed in so far.
    Collecting(Vec<TaskCheckpoint>),
    Committing,
}

impl CheckpointRounds {
    /// After the durable checkpoint of this number.
    pub fn new(aligned: bool, awaited: usize, durable: u64) -> CheckpointRounds {
        CheckpointRounds { aligned, awaited, durable, begun: durable, step: Step::Idle }
    }

    /// The number of the last durable checkpoint.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// The number of the last round begun.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// Whether parts are awaited, and that of this task among them: the one with this place among the component's.
    pub fn is_awaited(&self, component: &str, index: usize) -> bool {
        let is_its = |part: &TaskCheckpoint| part.component == component && part.index == index;
        matches!(&self.step, Step::Collecting(parts) if !parts.iter().any(is_its))
    }

    /// Whether a round is open.
    fn is_open(&self) -> bool {
        !matches!(self.step, Step::Idle)
    }

    /// Something has happened: what to do, in this order.
    pub fn on(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Due if self.is_open() => Vec::new(),
            Event::Due => self.begin(),
            Event::Report(Report::Checkpoint { number, part }) if number == self.begun => self.add(part),
            Event::Report(Report::Checkpoint { .. }) => Vec::new(),
            Event::Report(Report::Failed { task, reason }) if self.aligned => {
                self.broken(Error::Checkpoint(format!("task {task}: {reason}")), vec![task])
            }
            Event::Report(Report::TimedOut { task }) if self.aligned => {
                let reason = format!("task {task}: a tuple isn't acked within the message time-out");
                self.broken(Error::Checkpoint(reason), vec![task])
            }
            Event::Report(Report::Failed { .. } | Report::TimedOut { .. }) => Vec::new(),
            Event::Overdue { .. } if !self.is_open() => Vec::new(),
            Event::Overdue { reason, tasks } => self.broken(Error::Checkpoint(reason), tasks),
            Event::Committed(Ok(())) => {
                self.step = Step::Idle;
                self.durable = self.begun;
                vec![Effect::Durable(self.durable)]
            }
            Event::Committed(Err(error)) => self.broken(error, Vec::new()),
        }
    }

    fn begin(&mut self) -> Vec<Effect> {
        self.begun += 1;
        self.step = Step::Collecting(Vec::new());
        vec![Effect::Begin(self.begun)]
    }

    fn add(&mut self, part: TaskCheckpoint) -> Vec<Effect> {
        let Step::Collecting(parts) = &mut self.step else { return Vec::new() };
        parts.push(part);
        if parts.len() < self.awaited {
            return Vec::new();
        }
        let mut tasks = std::mem::take(parts);
        tasks.retain(|part| !part.state.is_empty() || part.position.is_some());
        self.step = Step::Committing;
        let commit = Effect::Commit(Checkpoint { number: self.begun, tasks });
        match self.aligned {
            true => vec![Effect::Resume, commit],
            false => vec![commit],
        }
    }

    fn broken(&mut self, error: Error, tasks: Vec<TaskId>) -> Vec<Effect> {
        self.step = Step::Idle;
        match self.aligned {
            true => vec![Effect::Restore(error, tasks)],
            false => vec![Effect::GiveUp(error, tasks)],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::state::StateChanges;

    fn part(number: u64, index: usize) -> Event {
        let part = TaskCheckpoint {
            component: "a".into(),
            index,
            state: Default::default(),
            position: Some(vec![number as u8, index as u8]),
        };
        Event::Report(Report::Checkpoint { number, part })
    }

    fn failed() -> Event {
        Event::Report(Report::Failed { task: TaskId(1), reason: "no".into() })
    }

    #[test]
    fn a_round_commits_when_all_parts_are_in() {
        let mut rounds = CheckpointRounds::new(true, 2, 4);
        assert!(matches!(rounds.on(Event::Due)[..], [Effect::Begin(5)]));
        assert!(rounds.on(part(5, 0)).is_empty());
        let effects = rounds.on(part(5, 1));
        let [Effect::Resume, Effect::Commit(checkpoint)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((checkpoint.number, checkpoint.tasks.len()), (5, 2));
        assert!(matches!(rounds.on(Event::Committed(Ok(())))[..], [Effect::Durable(5)]));
        assert!(!rounds.is_open());
    }

    #[test]
    fn a_part_is_kept_for_what_the_store_does_beside() {
        let mut rounds = CheckpointRounds::new(true, 2, 0);
        rounds.on(Event::Due);
        let state = StateChanges { changes: Vec::new(), beside: vec![Arc::new(7)] };
        let of = |index, state| TaskCheckpoint { component: "a".into(), index, state, position: None };
        let report = |part| Event::Report(Report::Checkpoint { number: 1, part });
        rounds.on(report(of(0, state)));
        let effects = rounds.on(report(of(1, StateChanges::default())));
        let [Effect::Resume, Effect::Commit(checkpoint)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(checkpoint.tasks.iter().map(|part| part.index).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_failure_before_the_last_part_leads_back() {
        let mut rounds = CheckpointRounds::new(true, 2, 0);
        rounds.on(Event::Due);
        rounds.on(part(1, 0));
        assert!(!rounds.is_awaited("a", 0) && rounds.is_awaited("a", 1));
        assert!(matches!(&rounds.on(failed())[..], [Effect::Restore(_, of)] if of == &[TaskId(1)]));
        assert!(!rounds.is_awaited("a", 1));
        assert!(rounds.on(part(1, 1)).is_empty());
        assert_eq!(rounds.durable(), 0);
    }

    #[test]
    fn without_state_a_failed_round_is_given_up_and_its_parts_are_not_taken_for_the_next_ones() {
        let mut rounds = CheckpointRounds::new(false, 2, 0);
        rounds.on(Event::Due);
        let overdue = Event::Overdue { reason: "late".into(), tasks: vec![TaskId(2)] };
        assert!(matches!(&rounds.on(overdue)[..], [Effect::GiveUp(_, of)] if of == &[TaskId(2)]));
        rounds.on(Event::Due);
        assert!(rounds.on(part(1, 0)).is_empty());
        assert!(rounds.on(part(2, 0)).is_empty());
        assert!(rounds.on(failed()).is_empty());
        assert!(matches!(rounds.on(part(2, 1))[..], [Effect::Commit(_)]));
    }

    #[test]
    fn what_cannot_be_committed_leads_back() {
        let mut rounds = CheckpointRounds::new(true, 1, 0);
        rounds.on(Event::Due);
        rounds.on(part(1, 0));
        let full = Error::Checkpoint("disk full".into());
        assert!(matches!(rounds.on(Event::Committed(Err(full)))[..], [Effect::Restore(..)]));
        assert!(matches!(rounds.on(Event::Due)[..], [Effect::Begin(2)]));
    }
}
