//! `Run`: one attempt at one batch, on its way through the stages of a plan.
//!
//! A stage is ready when all its parents are through; then each of its partitions is a job. Rows wait in inboxes by the
//! partition that sent them, so a replay sees them in the same order. A run reports once for each phase, and reports a
//! failure only when none of its jobs is queued or running.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use monsoon_topology::Outcome;
use parking_lot::Mutex;

use super::guarded;
use super::pool::{Job, Pool};
use crate::batch::BatchId;
use crate::graph::{NodeId, Origin, Source, routed};
use crate::operation::Task;
use crate::plan::{Phase, Plan, Stage, StageId, Target};
use crate::topology::Clock;
use crate::tuple::Row;

/// What a run tells about itself.
#[derive(Debug)]
pub(super) enum Report {
    /// The processing phase is through.
    Processed { batch: BatchId, tuples: u64 },
    /// The commit phase is through.
    Committed(BatchId),
    /// The answer of a DRPC request.
    Answered(Vec<Row>),
    /// This attempt is over.
    Failed { batch: BatchId, reason: String },
}

/// By parent of the stage's root, then by the sending partition.
type Inbox = Vec<Vec<Vec<Row>>>;

struct Progress {
    phase: Phase,
    /// By stage, then by partition.
    inboxes: Vec<Vec<Inbox>>,
    /// By stage: the parents and sources that aren't through.
    inputs_left: Vec<usize>,
    /// By stage: the partitions that aren't through.
    jobs_left: Vec<usize>,
    /// The stages of the phase that aren't through.
    stages_left: usize,
    /// The jobs that are queued or running.
    jobs: usize,
    tuples: u64,
    /// By the partition that sent it.
    answer: BTreeMap<usize, Vec<Row>>,
    failure: Option<String>,
    failure_reported: bool,
}

/// What does not change from batch to batch.
pub(super) struct Workshop {
    pub(super) plan: Plan,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
}

pub(super) struct Run {
    pub(super) batch: BatchId,
    workshop: Arc<Workshop>,
    origin: Origin,
    progress: Mutex<Progress>,
    cancelled: AtomicBool,
    report: Box<dyn Fn(Report) + Send + Sync>,
}

/// The rows of one job for one target.
enum Sent {
    Rows { stage: StageId, parent: usize, by_partition: Vec<Vec<Row>> },
    Answer(Vec<Row>),
}

fn empty_inbox(plan: &Plan, stage: &Stage) -> Inbox {
    let senders = |parent: &StageId| vec![Vec::new(); plan.stages[*parent].partitions];
    match stage.source {
        Some(_) => vec![vec![Vec::new()]],
        None => stage.parents.iter().map(senders).collect(),
    }
}

impl Run {
    pub(super) fn new(
        batch: BatchId,
        origin: Origin,
        workshop: Arc<Workshop>,
        report: impl Fn(Report) + Send + Sync + 'static,
    ) -> Arc<Run> {
        let plan = &workshop.plan;
        let inboxes = |stage: &Stage| vec![empty_inbox(plan, stage); stage.partitions];
        let progress = Progress {
            phase: Phase::Process,
            inboxes: plan.stages.iter().map(inboxes).collect(),
            inputs_left: plan.stages.iter().map(|stage| stage.parents.len().max(1)).collect(),
            jobs_left: plan.stages.iter().map(|stage| stage.partitions).collect(),
            stages_left: count_stages(plan, origin, Phase::Process),
            jobs: 0,
            tuples: 0,
            answer: BTreeMap::new(),
            failure: None,
            failure_reported: false,
        };
        let (progress, cancelled) = (Mutex::new(progress), AtomicBool::new(false));
        Arc::new(Run { batch, workshop, origin, progress, cancelled, report: Box::new(report) })
    }

    /// Stops the work at the next occasion. What it reports from now on counts no more.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Takes a source's rows, by the partitions of its stage.
    pub(super) fn deliver(self: &Arc<Run>, source: Source, by_partition: Vec<Vec<Row>>) {
        let mut progress = self.progress.lock();
        progress.tuples += by_partition.iter().map(|rows| rows.len() as u64).sum::<u64>();
        let Some(stage) = self.workshop.plan.stages.iter().position(|stage| stage.source == Some(source)) else {
            return;
        };
        for (inbox, rows) in progress.inboxes[stage].iter_mut().zip(by_partition) {
            inbox[0][0] = rows;
        }
        self.input_is_through(&mut progress, stage);
    }

    /// Begins the commit phase of a run that is processed.
    pub(super) fn commit(self: &Arc<Run>) {
        let plan = &self.workshop.plan;
        let mut progress = self.progress.lock();
        progress.phase = Phase::Commit;
        progress.stages_left = count_stages(plan, self.origin, Phase::Commit);
        for (id, stage) in plan.stages.iter().enumerate() {
            if stage.phase == Phase::Commit && stage.origin == self.origin && progress.inputs_left[id] == 0 {
                self.submit(&mut progress, id);
            }
        }
        self.report_if_due(progress);
    }

    /// Gives the attempt up for a reason outside its jobs.
    pub(super) fn fail(&self, reason: String) {
        let mut progress = self.progress.lock();
        progress.failure.get_or_insert(reason);
        self.report_if_due(progress);
    }

    /// Does a job.
    pub(super) fn execute(self: &Arc<Run>, stage: StageId, partition: usize) {
        let inbox = {
            let mut progress = self.progress.lock();
            let skip = progress.failure.is_some() || self.is_cancelled();
            (!skip).then(|| std::mem::take(&mut progress.inboxes[stage][partition]))
        };
        let sent = inbox.map(|inbox| guarded(|| self.run_stage(stage, partition, inbox)));
        let mut progress = self.progress.lock();
        progress.jobs -= 1;
        match sent {
            None => {}
            Some(Err(reason)) => drop(progress.failure.get_or_insert(reason)),
            Some(Ok(sent)) => {
                sent.into_iter().for_each(|sent| store(&mut progress, partition, sent));
                progress.jobs_left[stage] -= 1;
                if progress.jobs_left[stage] == 0 {
                    self.stage_is_through(&mut progress, stage);
                }
            }
        }
        self.report_if_due(progress);
    }

    fn run_stage(&self, stage: StageId, partition: usize, inbox: Inbox) -> Outcome<Vec<Sent>> {
        let plan = &self.workshop.plan;
        let stage = &plan.stages[stage];
        let now_ms = (self.workshop.clock)();
        let task = Task { batch: self.batch, partition, partitions: stage.partitions, now_ms };
        let root = inbox.into_iter().map(|senders| senders.into_iter().flatten().collect()).collect();
        let mut inputs: Vec<Vec<Vec<Row>>> = vec![Vec::new(); stage.nodes.len()];
        inputs[0] = root;
        let mut sent = Vec::new();
        for place in 0..stage.nodes.len() {
            let node = stage.nodes[place];
            let rows = plan.nodes[node].operation.run(&task, std::mem::take(&mut inputs[place]))?;
            let children: Vec<usize> =
                (place + 1..stage.nodes.len()).filter(|child| plan.is_parent(node, stage.nodes[*child])).collect();
            let targets: Vec<&Target> = targets(stage, node).collect();
            self.hand_on(rows, &children, &targets, &mut inputs, &task, &mut sent)?;
        }
        Ok(sent)
    }

    /// Gives a node's rows to all that read them; the last gets the rows themselves, the others copies.
    fn hand_on(
        &self,
        rows: Vec<Row>,
        children: &[usize],
        targets: &[&Target],
        inputs: &mut [Vec<Vec<Row>>],
        task: &Task,
        sent: &mut Vec<Sent>,
    ) -> Outcome {
        let mut readers_left = children.len() + targets.len();
        let mut rows = Some(rows);
        let mut next = || {
            readers_left -= 1;
            if readers_left == 0 { rows.take().unwrap_or_default() } else { rows.clone().unwrap_or_default() }
        };
        for child in children {
            inputs[*child] = vec![next()];
        }
        for target in targets {
            sent.push(self.addressed(target, next(), task)?);
        }
        Ok(())
    }

    fn addressed(&self, target: &Target, rows: Vec<Row>, task: &Task) -> Outcome<Sent> {
        match target {
            Target::Answer => Ok(Sent::Answer(rows)),
            Target::Stage { stage, parent, partitioning } => {
                let partitions = self.workshop.plan.stages[*stage].partitions;
                let by_partition = routed(partitioning, rows, task.partition, task.batch.txid, partitions)?;
                Ok(Sent::Rows { stage: *stage, parent: *parent, by_partition })
            }
        }
    }

    fn stage_is_through(self: &Arc<Run>, progress: &mut Progress, stage: StageId) {
        progress.stages_left -= 1;
        for (_, target) in &self.workshop.plan.stages[stage].outputs {
            if let Target::Stage { stage, .. } = target {
                self.input_is_through(progress, *stage);
            }
        }
    }

    fn input_is_through(self: &Arc<Run>, progress: &mut Progress, stage: StageId) {
        progress.inputs_left[stage] -= 1;
        if progress.inputs_left[stage] == 0 && self.workshop.plan.stages[stage].phase == progress.phase {
            self.submit(progress, stage);
        }
    }

    fn submit(self: &Arc<Run>, progress: &mut Progress, stage: StageId) {
        let partitions = self.workshop.plan.stages[stage].partitions;
        progress.jobs += partitions;
        let job = |partition| Job { run: self.clone(), stage, partition };
        self.workshop.pool.submit((0..partitions).map(job));
    }

    fn report_if_due(&self, mut progress: parking_lot::MutexGuard<'_, Progress>) {
        if progress.jobs > 0 || progress.failure_reported {
            return;
        }
        let report = match (&progress.failure, progress.phase) {
            (Some(reason), _) => {
                let reason = reason.clone();
                progress.failure_reported = true;
                Report::Failed { batch: self.batch, reason }
            }
            _ if progress.stages_left > 0 => return,
            (None, Phase::Process) => match self.origin {
                Origin::Spouts => Report::Processed { batch: self.batch, tuples: progress.tuples },
                Origin::Drpc(_) => {
                    Report::Answered(std::mem::take(&mut progress.answer).into_values().flatten().collect())
                }
            },
            (None, Phase::Commit) => Report::Committed(self.batch),
        };
        drop(progress);
        (self.report)(report);
    }
}

fn count_stages(plan: &Plan, origin: Origin, phase: Phase) -> usize {
    plan.stages.iter().filter(|stage| stage.origin == origin && stage.phase == phase).count()
}

fn targets(stage: &Stage, node: NodeId) -> impl Iterator<Item = &Target> {
    stage.outputs.iter().filter(move |(from, _)| *from == node).map(|(_, target)| target)
}

fn store(progress: &mut Progress, sender: usize, sent: Sent) {
    match sent {
        Sent::Answer(rows) => drop(progress.answer.insert(sender, rows)),
        Sent::Rows { stage, parent, by_partition } => {
            for (inbox, rows) in progress.inboxes[stage].iter_mut().zip(by_partition) {
                inbox[parent][sender] = rows;
            }
        }
    }
}
