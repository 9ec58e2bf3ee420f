//! `RunningTopology`: a topology at work, and what can be done to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use smol_str::SmolStr;

use crate::builder::{Factory, Topology};
use crate::checkpointer::Checkpointer;
use crate::clock::{Clock, SystemClock};
use crate::context::Guarantee;
use crate::error_log::ComponentError;
use crate::executor::Executor;
use crate::hook::Resources;
use crate::message::Control;
use crate::metrics::{Counts, TaskMetrics};
use crate::plan::{Plan, Shared, plan, reaches};
use crate::state::CheckpointStore;
use crate::stream::TaskId;
use crate::task::{Report, Task};
use crate::wire::Inboxes;
use crate::{Error, Result};

/// How long a component may hold on to its thread when tasks are to be moved or begun anew.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(5);

/// What the end of a topology may take longer than is said for what is under way: so long a last checkpoint is waited for, and as long again a
/// component that holds on to its thread. Child processes have a second to end after that.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// A topology that has gone back to its checkpoint so often without having been well in between is failing.
const FAILING_RESTORES: u32 = 3;

/// Whether a topology works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Spouts emit.
    Active,
    /// Spouts don't emit.
    Inactive,
    /// It is ending: what is under way is finished.
    Killed,
}

/// How tasks are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Components are told.
    InOrder,
    /// They aren't, as in a crash.
    AtOnce,
}

/// How to start a topology.
pub struct StartOptions {
    /// Whether spouts emit from the start. If not, nothing is opened or prepared until the topology is activated.
    pub active: bool,
    /// Where checkpoints are kept; `None`: there are none, and state lives as long as the topology.
    pub checkpoints: Option<Arc<dyn CheckpointStore>>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What the tasks share.
    pub resources: Resources,
    /// Makes groupings and edge ids repeatable.
    pub seed: u64,
}

impl Default for StartOptions {
    fn default() -> StartOptions {
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        StartOptions {
            active: true,
            checkpoints: None,
            clock: Arc::new(SystemClock::default()),
            resources: Resources::default(),
            seed: random,
        }
    }
}

/// The threads and queues of one start.
pub(crate) struct Live {
    executors: Vec<Executor>,
    inboxes: Arc<Inboxes>,
    /// Its tasks have been told that the topology is active.
    woken: bool,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.executors.iter().for_each(Executor::ask_to_stop);
    }
}

pub(crate) struct Inner {
    pub topology: Topology,
    pub shared: Shared,
    pub checkpoints: Option<Arc<dyn CheckpointStore>>,
    pub guarantee: Guarantee,
    /// How often it has gone back to the last checkpoint since it was last well.
    pub restores: AtomicU32,
    status: Mutex<Status>,
    /// Executors per component, as last asked for.
    executors: Mutex<Vec<usize>>,
    live: Mutex<Option<Live>>,
}

/// A topology at work. Dropping it ends it at once.
pub struct RunningTopology {
    inner: Arc<Inner>,
    checkpointer: Mutex<Option<Checkpointer>>,
}

/// One task and what it has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskCounts {
    /// Its component.
    pub component: SmolStr,
    /// The task.
    pub task: TaskId,
    /// Tuples that wait for it.
    pub queued: usize,
    /// What it has counted.
    pub counts: Counts,
}

impl RunningTopology {
    /// Starts a topology. If there is a checkpoint it goes on from there.
    pub fn start(topology: &Topology, options: StartOptions) -> Result<RunningTopology> {
        let guarantee = guarantee_of(topology, options.checkpoints.is_some())?;
        let shared = Shared::new(topology, options.clock, options.resources, options.seed);
        topology.worker_hooks.iter().for_each(|hook| hook.start(&shared.resources));
        let status = if options.active { Status::Active } else { Status::Inactive };
        let inner = Arc::new(Inner {
            topology: topology.clone(),
            shared,
            checkpoints: options.checkpoints,
            guarantee,
            restores: AtomicU32::new(0),
            status: Mutex::new(status),
            executors: Mutex::new(topology.components.iter().map(|component| component.executors).collect()),
            live: Mutex::new(None),
        });
        let reports = inner.launch()?;
        let checkpointer = match inner.checkpoints {
            Some(_) => {
                Some(Checkpointer::start(inner.clone(), reports).inspect_err(|_| inner.stop(End::AtOnce, STOP_MAX))?)
            }
            None => None,
        };
        Ok(RunningTopology { inner, checkpointer: Mutex::new(checkpointer) })
    }

    /// Its name.
    pub fn name(&self) -> &SmolStr {
        &self.inner.topology.info.name
    }

    /// What runs.
    pub fn topology(&self) -> &Topology {
        &self.inner.topology
    }

    /// What it promises.
    pub fn guarantee(&self) -> Guarantee {
        self.inner.guarantee
    }

    /// How often it has gone back to its last checkpoint since it was last well. It is well again when a checkpoint is durable that began when the
    /// topology had run for twice as long as it took to fail.
    pub fn restores(&self) -> u32 {
        self.inner.restores.load(Ordering::Relaxed)
    }

    /// Whether it fails again and again: it goes back to its last checkpoint three times without having been well in between, or one of its tasks has
    /// failed three times in a row without one success since. Failures of a task are those of its tuples, of the component itself, and of its child
    /// process; a success is a tuple that is acked, or of a spout a tree that is complete or a tuple that isn't tracked. They are forgotten too when
    /// there has been none for twice as long as the longest time between them, which is taken for at least 10 s and at most 10 minutes.
    pub fn is_failing(&self) -> bool {
        let now = self.inner.shared.clock.now();
        self.restores() >= FAILING_RESTORES
            || self.inner.shared.metrics.iter().any(|metrics| metrics.streak.lock().is_failing(now))
    }

    /// Whether it works.
    pub fn status(&self) -> Status {
        self.inner.status.lock().clone()
    }

    /// Has spouts emit.
    pub fn activate(&self) -> Result<()> {
        self.inner.set_active(true)
    }

    /// Has spouts emit no more; what is under way is finished.
    pub fn deactivate(&self) -> Result<()> {
        self.inner.set_active(false)
    }

    /// Ends it: spouts stop, what is under way is finished for at most `wait`, a last checkpoint is taken, and components are closed. It takes little
    /// longer than `wait`, whatever they do: a checkpoint that can't be had in this time is given up, so that the last durable one stays, and what came
    /// after it is done again after the next start.
    pub fn kill(&self, wait: Duration) -> Result<()> {
        let name = || self.name().to_string();
        {
            let mut status = self.inner.status.lock();
            if *status == Status::Killed {
                return Err(Error::NotAlive(name()));
            }
            *status = Status::Killed;
        }
        // None is later than there can be.
        let checkpoint_by = Instant::now().checked_add(wait.saturating_add(KILL_GRACE));
        self.inner.tell_spouts_active(false);
        self.wait_settled(wait);
        if let Some(checkpointer) = self.checkpointer.lock().take() {
            checkpointer.stop(checkpoint_by);
        }
        self.inner.stop(End::InOrder, KILL_GRACE);
        self.inner.topology.worker_hooks.iter().for_each(|hook| hook.shutdown());
        Ok(())
    }

    /// Waits until nothing is under way: no tuple queued, no tree open. Returns whether that was so within `longest`.
    pub fn wait_settled(&self, longest: Duration) -> bool {
        let started = std::time::Instant::now();
        let mut last = None;
        while started.elapsed() < longest {
            let now = self.inner.quiet();
            if now.is_some() && now == last {
                return true;
            }
            last = now;
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Changes the number of executors of components. Tasks move between threads; no tuple is lost or sent again.
    pub fn rebalance(&self, executors: &BTreeMap<String, usize>) -> Result<()> {
        let mut live = self.inner.live.lock();
        let mut wanted = self.inner.executors.lock();
        let info = &self.inner.topology.info;
        let mut changes = Vec::new();
        for (name, &executors) in executors {
            let place = info.components.iter().position(|component| component.name == name);
            let place = place.ok_or_else(|| Error::invalid(format!("there is no component {name:?}")))?;
            let tasks = info.components[place].tasks.len();
            if executors == 0 || executors > tasks {
                return Err(Error::invalid(format!(
                    "component {name:?} has {tasks} tasks: it can have 1 to {tasks} executors, not {executors}"
                )));
            }
            changes.push((place, executors));
        }
        let live = live.as_mut().ok_or_else(|| Error::NotAlive(info.name.to_string()))?;
        for (place, executors) in changes {
            self.inner.rebalance(live, place, executors)?;
            wanted[place] = executors;
        }
        Ok(())
    }

    /// Executors per component.
    pub fn executors(&self) -> Vec<(SmolStr, usize)> {
        let names = self.inner.topology.info.components.iter().map(|component| component.name.clone());
        names.zip(self.inner.executors.lock().iter().copied()).collect()
    }

    /// What each task has counted.
    pub fn task_counts(&self) -> Vec<TaskCounts> {
        let live = self.inner.live.lock();
        let queued = |task: TaskId| live.as_ref().map_or(0, |live| live.inboxes.inbox(task).len());
        let components = self.inner.topology.info.components.iter();
        let tasks = components.flat_map(|component| component.tasks.iter().map(move |&task| (component, task)));
        let counts = tasks.map(|(component, task)| TaskCounts {
            component: component.name.clone(),
            task,
            queued: queued(task),
            counts: self.inner.shared.metrics[task.index()].counts(),
        });
        counts.collect()
    }

    /// What the tasks of a component have counted together.
    pub fn counts(&self, component: &str) -> Counts {
        let mut sum = Counts::default();
        self.task_counts().into_iter().filter(|task| task.component == component).for_each(|task| sum += task.counts);
        sum
    }

    /// The latencies of one task.
    pub fn metrics(&self, task: TaskId) -> Option<Arc<TaskMetrics>> {
        self.inner.shared.metrics.get(task.0.checked_sub(1)? as usize).cloned()
    }

    /// The newest errors of each component, and how many there have been.
    pub fn errors(&self) -> Vec<(SmolStr, Vec<ComponentError>, u64)> {
        let components = self.inner.topology.info.components.iter().zip(&self.inner.shared.errors);
        components.map(|(component, log)| (component.name.clone(), log.errors(), log.total())).collect()
    }

    /// Takes a checkpoint now and returns when it is durable. [`Error::Checkpoint`] where there are none, or when it failed.
    pub fn checkpoint(&self) -> Result<()> {
        // Not waited for under the lock: a kill needs it.
        let asked = self.checkpointer.lock().as_ref().map(Checkpointer::ask);
        let answered = asked.ok_or_else(|| Error::Checkpoint("the topology keeps no checkpoints".into()))?;
        answered.recv().map_err(|_| Error::Checkpoint("the topology has ended".into()))?
    }
}

impl Drop for RunningTopology {
    fn drop(&mut self) {
        if let Some(checkpointer) = self.checkpointer.lock().take() {
            checkpointer.abandon();
        }
        self.inner.stop(End::AtOnce, STOP_MAX);
    }
}

/// What a topology promises, if it can be kept.
fn guarantee_of(topology: &Topology, checkpoints: bool) -> Result<Guarantee> {
    let components = topology.components.iter().zip(&topology.info.components);
    let acking = components.clone().all(|(component, _)| component.settings.acking);
    let stateful = |factory: &Factory| matches!(factory, Factory::Bolt(make) if make().stateful());
    let replayable = |factory: &Factory| match factory {
        Factory::Spout(make) => make().replayable(),
        Factory::Bolt(_) => true,
    };
    let any_state = components.clone().any(|(component, _)| stateful(&component.factory));
    if checkpoints && any_state && components.clone().all(|(component, _)| replayable(&component.factory)) {
        let info = &topology.info;
        let reads = |component: &&crate::context::ComponentInfo, from: &str| {
            component.inputs.iter().any(|input| input.stream.component == from)
        };
        let in_cycle = |from: &crate::context::ComponentInfo| {
            info.components.iter().filter(|reader| reads(reader, &from.name)).any(|reader| reaches(info, reader, from))
        };
        if let Some(component) = info.components.iter().find(|component| in_cycle(component)) {
            return Err(Error::invalid(format!(
                "{:?} is part of a cycle: a topology with state can't have one",
                component.name
            )));
        }
        return Ok(Guarantee::ExactlyOnceState);
    }
    Ok(if acking { Guarantee::AtLeastOnce } else { Guarantee::AtMostOnce })
}

impl Inner {
    /// Makes the tasks, from the last checkpoint if there is one, and starts their threads.
    pub fn launch(&self) -> Result<Receiver<Report>> {
        let (to_checkpointer, reports) = channel();
        let checkpoints = self.checkpoints.as_deref();
        let made = plan(&self.topology, &self.shared, checkpoints, self.guarantee, to_checkpointer, |inboxes| inboxes)?;
        let Plan { tasks, inboxes } = made;
        let mut by_component: Vec<Vec<Task>> = self.topology.components.iter().map(|_| Vec::new()).collect();
        tasks.into_iter().for_each(|task| by_component[task.component()].push(task));
        let mut live = Live { executors: Vec::new(), inboxes, woken: false };
        let wanted = self.executors.lock().clone();
        for (place, tasks) in by_component.into_iter().enumerate() {
            self.start_executors(&mut live, place, tasks, wanted[place])?;
        }
        let mut slot = self.live.lock();
        *slot = Some(live);
        let active = *self.status.lock() == Status::Active;
        if active {
            slot.iter_mut().for_each(Live::tell_all_active);
        }
        Ok(reports)
    }

    fn start_executors(&self, live: &mut Live, place: usize, tasks: Vec<Task>, executors: usize) -> Result<()> {
        let name = &self.topology.info.components[place].name;
        let executors = executors.clamp(1, tasks.len().max(1));
        let (each, more) = (tasks.len() / executors, tasks.len() % executors);
        let mut tasks = tasks.into_iter();
        for executor in 0..executors {
            let own = tasks.by_ref().take(each + usize::from(executor < more)).collect();
            live.executors.push(Executor::start(name, own, self.shared.clock.clone())?);
        }
        Ok(())
    }

    fn rebalance(&self, live: &mut Live, place: usize, executors: usize) -> Result<()> {
        let (stopping, staying) = std::mem::take(&mut live.executors).into_iter().partition(|e| e.component == place);
        live.executors = staying;
        let stopping: Vec<Executor> = stopping;
        stopping.iter().for_each(Executor::ask_to_stop);
        let mut tasks = Vec::new();
        let mut held = false;
        for executor in stopping {
            match executor.stop(STOP_MAX) {
                Ok(own) => tasks.extend(own),
                Err(executor) => {
                    held = true;
                    live.executors.push(executor);
                }
            }
        }
        tasks.sort_by_key(Task::id);
        if !tasks.is_empty() {
            self.start_executors(live, place, tasks, executors)?;
        }
        let component = self.topology.info.components[place].name.to_string();
        match held {
            true => Err(Error::Component {
                component,
                reason: "it doesn't return from a call, so its tasks can't be moved".into(),
            }),
            false => Ok(()),
        }
    }

    fn set_active(&self, active: bool) -> Result<()> {
        let mut status = self.status.lock();
        if *status == Status::Killed {
            return Err(Error::NotAlive(self.topology.info.name.to_string()));
        }
        *status = if active { Status::Active } else { Status::Inactive };
        drop(status);
        match active {
            true => self.live.lock().iter_mut().for_each(Live::tell_all_active),
            false => self.tell_spouts_active(false),
        }
        Ok(())
    }

    fn tell_spouts_active(&self, active: bool) {
        self.tell_spouts(|| Control::SetActive(active));
    }

    /// Tells every spout task.
    pub fn tell_spouts(&self, control: impl Fn() -> Control) {
        if let Some(live) = &*self.live.lock() {
            live.inboxes.spouts().iter().for_each(|&spout| live.inboxes.inbox(spout).control(control()));
        }
    }

    /// Whether the tasks have been told that the topology is active since they were made.
    pub fn is_woken(&self) -> bool {
        self.live.lock().as_ref().is_some_and(|live| live.woken)
    }

    /// `None` if something is under way, and otherwise what has been done so far: it is settled when that stays the same.
    fn quiet(&self) -> Option<u64> {
        let live = self.live.lock();
        let live = live.as_ref()?;
        let mut done = 0;
        for (inbox, metrics) in live.inboxes.all().zip(&self.shared.metrics) {
            // In this order: a task says that it has something before it empties its inbox, and what it has done before it says that it has nothing;
            // and it is asked until it has said what it has because of that.
            if inbox.is_asked() || !inbox.is_empty() || metrics.pending.load(Ordering::Acquire) > 0 {
                return None;
            }
            let counts = metrics.counts();
            done += counts.emitted + counts.executed + counts.acked + counts.failed;
        }
        Some(done)
    }

    /// Ends all threads, those that components hold after `longest` excepted. Tasks end beside each other: each may wait for a child process.
    pub fn stop(&self, end: End, longest: Duration) {
        let Some(mut live) = self.live.lock().take() else { return };
        live.executors.iter().for_each(Executor::ask_to_stop);
        let executors = std::mem::take(&mut live.executors);
        std::thread::scope(|scope| {
            for executor in executors {
                let thread = std::thread::Builder::new().name("end".into());
                if let Err(error) = thread.spawn_scoped(scope, move || self.end_executor(executor, end, longest)) {
                    // The executor's thread has been asked to end, and does so with its tasks.
                    tracing::warn!("no thread to close components in, so they are dropped: {error}");
                }
            }
        });
    }

    fn end_executor(&self, executor: Executor, end: End, longest: Duration) {
        let component = executor.component;
        match executor.stop(longest) {
            Ok(mut tasks) => {
                if end == End::InOrder {
                    tasks.iter_mut().for_each(Task::close);
                }
                tasks.into_iter().for_each(Task::discard);
            }
            Err(executor) => {
                // Its thread can't be ended from outside; it ends when user code returns.
                executor.ask_to_stop();
                let now = self.shared.clock.now();
                self.shared.errors[component]
                    .report(now, "doesn't return from a call; its thread is left to itself".into());
            }
        }
    }
}

impl Live {
    fn tell_all_active(&mut self) {
        self.woken = true;
        self.inboxes.all().for_each(|inbox| inbox.control(Control::SetActive(true)));
    }
}

#[cfg(test)]
mod tests;
