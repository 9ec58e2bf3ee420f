//! From a topology to its tasks: who reads whom, and what each task is given.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::attempts::Attempts;
use crate::batch_limit::BatchLimit;
use crate::batches::Batches;
use crate::builder::{Component, Factory, Topology};
use crate::clock::Clock;
use crate::collector::{BoltCollector, RemoteCollector, SpoutCollector, Waker};
use crate::context::{ComponentInfo, Guarantee, TaskContext, TopologyInfo};
use crate::error_log::ErrorLog;
use crate::grouping::{Grouper, GrouperPlace, Grouping};
use crate::hook::Resources;
use crate::inbox::{Inbox, Signal};
use crate::ledger::Ledger;
use crate::message::AckBuffer;
use crate::metrics::TaskMetrics;
use crate::outputs::{OutStream, Outputs, Subscription};
use crate::skipping::Skipping;
use crate::state::{CheckpointStore, TaskState};
use crate::stream::{SYSTEM_COMPONENT, StreamInfo, TICK_STREAM, TaskId};
use crate::task::{BoltTask, Report, SpoutTask, Task, Wiring};
use crate::wire::{Inboxes, Wire};
use crate::{Fields, Result};

/// What outlives the tasks of one start.
pub(crate) struct Shared {
    pub clock: Arc<dyn Clock>,
    pub resources: Resources,
    /// Per component.
    pub errors: Vec<Arc<ErrorLog>>,
    /// Per task.
    pub metrics: Vec<Arc<TaskMetrics>>,
    /// Per component: how often tuples have failed, if that is counted.
    pub attempts: Vec<Option<Arc<Attempts>>>,
    pub seed: u64,
}

impl Shared {
    /// For the tasks of a topology.
    pub fn new(topology: &Topology, clock: Arc<dyn Clock>, resources: Resources, seed: u64) -> Shared {
        let components = &topology.info.components;
        let tasks = components.iter().map(|component| component.tasks.len()).sum();
        let attempts = |component: &Component| {
            let settings = &component.settings;
            let replayed_after = settings.checkpoint_interval.saturating_mul(2);
            settings.error_attempts.map(|max| Arc::new(Attempts::new(max, replayed_after, seed)))
        };
        Shared {
            clock,
            resources,
            errors: components.iter().map(|component| Arc::new(ErrorLog::new(component.name.clone()))).collect(),
            metrics: std::iter::repeat_with(Arc::<TaskMetrics>::default).take(tasks).collect(),
            attempts: topology.components.iter().map(attempts).collect(),
            seed,
        }
    }
}

/// The tasks of a topology, ready to run.
pub(crate) struct Plan {
    pub tasks: Vec<Task>,
    pub inboxes: Arc<Inboxes>,
}

/// Everything that tasks are made from.
struct Maker<'a> {
    topology: &'a Topology,
    shared: &'a Shared,
    checkpoints: Option<&'a dyn CheckpointStore>,
    guarantee: Guarantee,
    inboxes: Arc<Inboxes>,
    wire: Arc<dyn Wire>,
    streams: Arc<[Arc<StreamInfo>]>,
    tick_stream: Arc<StreamInfo>,
    reports: Sender<Report>,
}

/// Makes the tasks. `wire` puts something between the tasks and their inboxes if it wants to.
pub(crate) fn plan(
    topology: &Topology,
    shared: &Shared,
    checkpoints: Option<&dyn CheckpointStore>,
    guarantee: Guarantee,
    reports: Sender<Report>,
    wire: impl FnOnce(Arc<Inboxes>) -> Arc<dyn Wire>,
) -> Result<Plan> {
    let info = &topology.info;
    let inbox = |component: &Component| Arc::new(Inbox::new(component.settings.queue_tuples));
    let components = info.components.iter().zip(&topology.components);
    let by_task = components.clone().flat_map(|(info, component)| info.tasks.iter().map(move |_| inbox(component)));
    let spouts = components.filter(|(_, component)| matches!(component.factory, Factory::Spout(_)));
    let spouts = spouts.flat_map(|(info, _)| info.tasks.iter().copied()).collect();
    let inboxes = Arc::new(Inboxes::new(by_task.collect(), spouts));
    let streams = info.components.iter().flat_map(|component| component.streams.iter().cloned()).collect();
    let tick = StreamInfo {
        component: SYSTEM_COMPONENT.into(),
        stream: TICK_STREAM.into(),
        fields: Fields::new(["rate_secs"])?,
        direct: false,
    };
    let maker = Maker {
        topology,
        shared,
        checkpoints,
        guarantee,
        wire: wire(inboxes.clone()),
        inboxes: inboxes.clone(),
        streams,
        tick_stream: Arc::new(tick),
        reports,
    };
    let all = (0..info.components.len())
        .flat_map(|place| info.components[place].tasks.iter().map(move |&task| (place, task)));
    let tasks = all.map(|(component, task)| maker.task(component, task)).collect::<Result<_>>()?;
    Ok(Plan { tasks, inboxes })
}

impl Maker<'_> {
    fn task(&self, place: usize, task: TaskId) -> Result<Task> {
        let component = &self.topology.components[place];
        let signal = Signal::new();
        let waker = Waker::new(signal.clone());
        let context = self.context(place, task, waker.clone());
        let state = match self.checkpoints {
            Some(checkpoints) => self.load(checkpoints, &context)?,
            None => TaskState::default(),
        };
        let wiring = self.wiring(task, context, signal);
        let outputs = self.outputs(place, task, component)?;
        let (errors, hooks) = (wiring.errors.clone(), self.topology.task_hooks.iter().map(|make| make()).collect());
        let (now, settings) = (self.shared.clock.now(), component.settings.clone());
        Ok(match &component.factory {
            Factory::Spout(make) => {
                let spout = self.inboxes.spouts().iter().position(|&spout| spout == task).unwrap_or_default();
                let ledger = settings.acking.then(Ledger::default);
                let collector =
                    SpoutCollector { outputs, ledger, spout, done: Default::default(), now, errors, hooks, mishaps: 0 };
                Task::Spout(Box::new(SpoutTask::new(wiring, settings, make.clone(), collector, state.position)))
            }
            Factory::Bolt(make) => {
                let acks = AckBuffer::new(self.inboxes.spouts().len());
                let remote = RemoteCollector::new(waker, wiring.inbox.clone());
                let skipping = self.skipping(place, task).map(Box::new);
                let collector = BoltCollector {
                    outputs,
                    acks,
                    now,
                    errors,
                    hooks,
                    remote,
                    acked: 0,
                    failed: 0,
                    skipped: 0,
                    mishaps: 0,
                    skipping,
                    lost: None,
                };
                let upstream = self.upstream(place, task);
                let tick = self.tick_stream.clone();
                Task::Bolt(Box::new(BoltTask::new(
                    wiring,
                    settings,
                    make.clone(),
                    collector,
                    state.state,
                    tick,
                    upstream,
                )))
            }
        })
    }

    /// What there is of a task. An error is told as its component's: going back to a checkpoint is tried again.
    fn load(&self, checkpoints: &dyn CheckpointStore, context: &TaskContext) -> Result<TaskState> {
        checkpoints.load(&context.component().name, context.task_index()).inspect_err(|error| {
            let message = format!("task {}: its state can't be read: {error}", context.task);
            self.shared.errors[context.component].report_consequence(self.shared.clock.now(), message);
        })
    }

    /// What a task of a bolt does about tuples that fail again and again.
    fn skipping(&self, place: usize, task: TaskId) -> Option<Skipping> {
        let attempts = self.shared.attempts[place].clone()?;
        let exactly_once = self.guarantee == Guarantee::ExactlyOnceState;
        Some(Skipping::new(self.topology.info.components[place].name.clone(), task, attempts, exactly_once))
    }

    fn context(&self, component: usize, task: TaskId, waker: Waker) -> Arc<TaskContext> {
        Arc::new(TaskContext {
            topology: self.topology.info.clone(),
            component,
            task,
            config: self.topology.components[component].config.clone(),
            resources: self.shared.resources.clone(),
            waker,
            guarantee: self.guarantee,
            hooks: Default::default(),
        })
    }

    fn wiring(&self, task: TaskId, context: Arc<TaskContext>, signal: Arc<Signal>) -> Wiring {
        Wiring {
            task,
            inbox: self.inboxes.inbox(task).clone(),
            wire: self.wire.clone(),
            signal,
            clock: self.shared.clock.clone(),
            streams: self.streams.clone(),
            cyclic: self.cyclic(context.component),
            errors: self.shared.errors[context.component].clone(),
            metrics: self.shared.metrics[task.index()].clone(),
            reports: self.reports.clone(),
            data: Default::default(),
            control: Default::default(),
            context,
        }
    }

    fn outputs(&self, place: usize, task: TaskId, component: &Component) -> Result<Outputs> {
        let info = &self.topology.info;
        let mut targets: Vec<TaskId> = Vec::new();
        let mut streams = Vec::new();
        for stream in &info.components[place].streams {
            let mut subscriptions = Vec::new();
            for (reader, grouping) in readers(info, stream) {
                let seed = self.seed(task) ^ (streams.len() as u64) << 32 ^ subscriptions.len() as u64;
                let load_aware = component.settings.load_aware;
                let grouper =
                    GrouperPlace { source: task, targets: &reader.tasks, fields: &stream.fields, load_aware, seed };
                let grouper = Grouper::new(grouping, &grouper)?;
                let direct = matches!(grouping, Grouping::Direct);
                let places = reader.tasks.iter().map(|&task| place_of(&mut targets, task)).collect();
                subscriptions.push(Subscription { grouper, targets: places, direct });
            }
            let place = self.streams.iter().position(|known| Arc::ptr_eq(known, stream));
            let place = place.expect("the table holds the streams of every component") as u32;
            streams.push(OutStream { info: stream.clone(), place, subscriptions });
        }
        // A batch that fills a receiver's queue would leave nothing of its bound: half of it at most, as in Storm.
        let queue = |target: &TaskId| self.inboxes.inbox(*target).capacity();
        let queue_tuples = targets.iter().map(queue).min().unwrap_or(usize::MAX);
        let tuples = component.settings.batch_tuples.min((queue_tuples / 2).max(1));
        let limit =
            if component.settings.batch_adaptive { BatchLimit::adaptive(tuples) } else { BatchLimit::fixed(tuples) };
        Ok(Outputs::new(streams, Batches::new(task, &targets, limit), self.seed(task)))
    }

    fn seed(&self, task: TaskId) -> u64 {
        self.shared.seed.wrapping_add(task.index() as u64 * 0x9e37_79b9)
    }

    /// How many tasks send to a task.
    fn upstream(&self, place: usize, task: TaskId) -> usize {
        let info = &self.topology.info;
        let sources: HashSet<&str> =
            info.components[place].inputs.iter().map(|input| input.stream.component.as_str()).collect();
        debug_assert!(info.components[place].tasks.contains(&task), "the task is one of the component's");
        sources.iter().filter_map(|name| info.component(name)).map(|source| source.tasks.len()).sum()
    }

    /// The tasks that a component sends to along a cycle.
    fn cyclic(&self, place: usize) -> Vec<TaskId> {
        let info = &self.topology.info;
        let from = &info.components[place];
        let reads = |reader: &ComponentInfo| reader.inputs.iter().any(|input| input.stream.component == from.name);
        let readers = info.components.iter().filter(|reader| reads(reader) && reaches(info, reader, from));
        readers.flat_map(|reader| reader.tasks.iter().copied()).collect()
    }
}

fn place_of(targets: &mut Vec<TaskId>, task: TaskId) -> u32 {
    let known = targets.iter().position(|&target| target == task);
    known.unwrap_or_else(|| {
        targets.push(task);
        targets.len() - 1
    }) as u32
}

/// Who reads a stream, and how.
fn readers<'a>(
    info: &'a TopologyInfo,
    stream: &'a Arc<StreamInfo>,
) -> impl Iterator<Item = (&'a ComponentInfo, &'a Grouping)> {
    let inputs = info.components.iter().flat_map(|reader| reader.inputs.iter().map(move |input| (reader, input)));
    inputs.filter(|(_, input)| Arc::ptr_eq(&input.stream, stream)).map(|(reader, input)| (reader, &input.grouping))
}

/// Whether what `from` emits can get to `to`.
pub(crate) fn reaches(info: &TopologyInfo, from: &ComponentInfo, to: &ComponentInfo) -> bool {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut next = vec![from];
    while let Some(component) = next.pop() {
        if component.name == to.name {
            return true;
        }
        if seen.insert(&component.name) {
            let reads =
                |reader: &&ComponentInfo| reader.inputs.iter().any(|input| input.stream.component == component.name);
            next.extend(info.components.iter().filter(reads));
        }
    }
    false
}
