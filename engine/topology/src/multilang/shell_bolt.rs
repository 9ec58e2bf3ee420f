//! `ShellBolt`: a bolt that is a child process speaking the multilang protocol.
//!
//! A tuple is held under the next number until the child acks or fails it. What the child emits, acks and fails is applied in `poll`; while the
//! task's output is blocked there is no `poll`, and the child is read no further. When the child ends, breaks the protocol or falls silent, the
//! tuples it had are failed at once, so that spouts replay them, and another child is started.
//!
//! Ids of tuples are positive, those of ticks and heartbeats negative: a tick is no data, so nothing is held for it, and whether the child acks
//! it or not makes no difference.

use std::collections::HashMap;
use std::time::Duration;

use smol_str::{SmolStr, ToSmolStr, format_smolstr};

use super::heartbeat::{Heartbeat, Pulse};
use super::shell_log::Speaker;
use super::shell_spec::{self, ShellSpec};
use super::supervisor::{News, Supervisor, millis};
use super::{Emit, Error, FromChild, Offer, Result, ToChild};
use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::component::Bolt;
use crate::context::TaskContext;
use crate::stream::{SYSTEM_COMPONENT, Streams, TICK_STREAM, TaskId};
use crate::tuple::{HeldTuple, Tuple};
use crate::{Config, Failure, Outcome, Value};

/// A bolt that is a child process.
pub struct ShellBolt {
    spec: ShellSpec,
    /// `None` before it is prepared.
    work: Option<Work>,
}

/// A bolt at work.
struct Work {
    supervisor: Supervisor,
    speaker: Speaker,
    timeout: Duration,
    heartbeat: Heartbeat,
    /// The last id given: of a tuple, and of a tick or a heartbeat with its sign turned.
    last_id: i64,
    /// Tuples the child has been given and has neither acked nor failed, by id.
    held: HashMap<SmolStr, HeldTuple>,
    /// The values of a tick for which there was no room yet. Of several the last is kept.
    tick: Option<Vec<Value>>,
}

impl ShellBolt {
    /// As the spec says; nothing is started before the bolt is prepared.
    pub fn new(spec: ShellSpec) -> ShellBolt {
        ShellBolt { spec, work: None }
    }
}

impl Bolt for ShellBolt {
    fn declare(&self, streams: &mut Streams) {
        streams.0.extend(self.spec.outputs.0.iter().cloned());
    }

    fn configuration(&self) -> Config {
        self.spec.config.clone()
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.work = Some(Work {
            supervisor: Supervisor::new(&self.spec, context)?,
            speaker: Speaker::of(context),
            timeout: shell_spec::timeout(context.config()),
            heartbeat: Heartbeat::default(),
            last_id: 0,
            held: HashMap::new(),
            tick: None,
        });
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        let work = self.work.as_mut().ok_or_else(|| Failure::new("the bolt has not been prepared"))?;
        let Err(failure) = work.execute(tuple) else { return Ok(()) };
        collector.lose(failure.0.clone());
        if work.supervisor.child().is_some_and(|child| child.outbox().failure().is_none()) {
            return Err(failure);
        }
        // The child has died meanwhile. That is no attempt at this tuple.
        collector.report_error(failure.0);
        collector.fail(tuple);
        Ok(())
    }

    fn cleanup(&mut self) {
        // Many children may be slow to end: they are asked one after the other, and waited for together.
        self.work.iter_mut().for_each(|work| work.supervisor.begin_end());
    }

    fn ready(&self) -> bool {
        self.work.as_ref().is_some_and(Work::has_room)
    }

    fn settled(&self) -> bool {
        self.work.as_ref().is_none_or(|work| work.held.is_empty() && !work.supervisor.has_messages())
    }

    fn poll(&mut self, now: Moment, collector: &mut BoltCollector) -> Outcome {
        if let Some(work) = &mut self.work
            && let Err(error) = work.run(now, collector)
        {
            work.lose_child(&error, now, collector);
        }
        Ok(())
    }

    fn next_poll(&self) -> Option<Moment> {
        let work = self.work.as_ref()?;
        let heartbeat = work.supervisor.greeted_child().map(|_| work.heartbeat.due(work.timeout));
        [heartbeat, work.supervisor.next_poll()].into_iter().flatten().min()
    }
}

impl Work {
    fn has_room(&self) -> bool {
        self.tick.is_none() && self.supervisor.child().is_some_and(|child| child.outbox().has_room())
    }

    /// Gives a tuple to the child. It isn't taken out if the child doesn't get it.
    fn execute(&mut self, tuple: &Tuple<'_>) -> Outcome {
        if tuple.is_tick() {
            self.tick = Some(tuple.values().to_vec());
            // That the child has failed is told by its last message.
            let _ = self.offer_tick();
            return Ok(());
        }
        let id = self.next_id().to_smolstr();
        let child = self.supervisor.child().ok_or_else(|| Failure::new("the bolt has no child"))?;
        let stream = tuple.stream();
        let (comp, stream, task) = (stream.component.as_str(), stream.stream.as_str(), tuple.source().0);
        let offered = ToChild::Tuple { id: &id, comp, stream, task, values: tuple.values() };
        match child.outbox().offer(offered, Duration::ZERO)? {
            Offer::Taken => drop(self.held.insert(id, tuple.hold())),
            Offer::Full => return Err(Failure::new("the bolt was given a tuple when it had no room")),
        }
        Ok(())
    }

    /// Tuples that come together have ids in a row, which the Arrow dialect names by the first and the last.
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Gives the child the tick that waits. Without a child there is nothing to tick.
    fn offer_tick(&mut self) -> Result<()> {
        let Some(values) = self.tick.take() else { return Ok(()) };
        let id = format_smolstr!("-{}", self.next_id());
        let Some(child) = self.supervisor.child() else { return Ok(()) };
        let (comp, stream, task) = (SYSTEM_COMPONENT, TICK_STREAM, TaskId::SYSTEM.0);
        let tick = ToChild::Tuple { id: &id, comp, stream, task, values: &values };
        if child.outbox().offer(tick, Duration::ZERO)? == Offer::Full {
            self.tick = Some(values);
        }
        Ok(())
    }

    /// Does what is to be done now. An error is the child's failure.
    fn run(&mut self, now: Moment, collector: &mut BoltCollector) -> Result<()> {
        if self.supervisor.run(now)? == News::Started {
            self.heartbeat = Heartbeat::default();
        }
        // Fetched once: a child that never stops talking must not keep the task from its other work.
        self.supervisor.fetch();
        while collector.has_room()
            && let Some(message) = self.supervisor.next_message()?
        {
            self.apply(message, collector)?;
        }
        self.offer_tick()?;
        self.check_pulse(now)
    }

    fn check_pulse(&mut self, now: Moment) -> Result<()> {
        let Some(child) = self.supervisor.greeted_child() else { return Ok(()) };
        match self.heartbeat.check(now, child.last_heard(), self.timeout) {
            Pulse::Wait => Ok(()),
            Pulse::Lost => Err(Error::Silent { limit_ms: millis(self.timeout), stderr: child.last_lines() }),
            Pulse::Ask => {
                self.last_id += 1;
                let id = format_smolstr!("-{}", self.last_id);
                child.outbox().send(ToChild::Heartbeat { id: &id })
            }
        }
    }

    fn apply(&mut self, message: FromChild, collector: &mut BoltCollector) -> Result<()> {
        match message {
            FromChild::Emit(emit) => self.emit(emit, collector)?,
            FromChild::Ack(id) => self.release(&id, "acked")?.iter().for_each(|held| {
                collector.note_passed(&held.tuple());
                collector.ack(held);
            }),
            FromChild::Fail(id) => self
                .release(&id, "failed")?
                .iter()
                .for_each(|held| collector.fail_because(&held.tuple(), "the child has failed it")),
            FromChild::Log { message, level } => self.speaker.log(level, &message),
            FromChild::Error(message) => collector.report_error(message),
            FromChild::Metrics { name, params } => self.speaker.metric(&name, &params),
            FromChild::Unknown(command) => {
                self.speaker.log(super::Level::Warn, &format!("unknown command {command:?}"))
            }
            // That it was said at all is what counts.
            FromChild::Sync | FromChild::Pid { .. } | FromChild::More => {}
        }
        Ok(())
    }

    /// The tuple of an id, which is not held any more; none for a tick.
    fn release(&mut self, id: &SmolStr, what: &str) -> Result<Option<HeldTuple>> {
        match self.held.remove(id) {
            None if !is_system(id) => {
                Err(Error::Protocol(format!("the child has {what} {id:?}, which it doesn't have")))
            }
            held => Ok(held),
        }
    }

    fn emit(&mut self, emit: Emit, collector: &mut BoltCollector) -> Result<()> {
        let mut anchors = Vec::with_capacity(emit.anchors.len());
        for id in &emit.anchors {
            match self.held.get(id) {
                Some(held) => anchors.push(held),
                None if is_system(id) => {}
                None => {
                    return Err(Error::Protocol(format!("the child has anchored to {id:?}, which it doesn't have")));
                }
            }
        }
        let refused = |failure: Failure| Error::Protocol(format!("the child has emitted what can't be: {failure}"));
        let (anchors, stream) = (anchors.as_slice(), emit.stream.as_str());
        if let Some(task) = emit.task {
            return collector.emit_direct(TaskId(task), stream, anchors, emit.values).map_err(refused);
        }
        let tasks = collector.emit_on(stream, anchors, emit.values).map_err(refused)?;
        match self.supervisor.child() {
            Some(child) if emit.need_task_ids => {
                let tasks: Vec<i32> = tasks.iter().map(|task| task.0).collect();
                child.outbox().send(ToChild::TaskIds(&tasks))
            }
            _ => Ok(()),
        }
    }

    /// The child is of no more use: what it had fails, and another is to be started.
    fn lose_child(&mut self, error: &Error, now: Moment, collector: &mut BoltCollector) {
        self.supervisor.give_up(now);
        collector.mishaps += 1;
        let lost = self.held.len();
        let message = match lost {
            0 => format!("{error}; the child is started anew"),
            _ => format!("{error}; the {lost} tuples it had are failed, and the child is started anew"),
        };
        self.held.drain().for_each(|(_, held)| collector.fail(&held));
        if lost > 0 {
            collector.lose(message.clone());
        }
        collector.report_error(message);
    }
}

/// Whether an id is that of a tick or a heartbeat.
fn is_system(id: &str) -> bool {
    id.starts_with('-')
}
