//! `ShellSpout`: a spout that is a child process speaking the multilang protocol.
//!
//! Engine and child take turns: the engine says one of `next`, `ack`, `fail`, `activate` and `deactivate`, the child emits and logs what it
//! likes and ends its turn with `sync`. The spout never waits for that: what the child says is applied in `poll`, and what the engine has to
//! say in the meantime is kept, in order.
//!
//! A child that ends takes the knowledge of its tuples with it, and the next one can't be told of them. A message id is therefore the child's
//! own together with the child's number, and the fates of an earlier child's tuples are dropped.

use std::collections::VecDeque;
use std::time::Duration;

use super::shell_log::Speaker;
use super::shell_spec::{self, ShellSpec};
use super::supervisor::{News, Supervisor, millis};
use super::{Emit, Error, FromChild, Result, ToChild};
use crate::clock::Moment;
use crate::collector::SpoutCollector;
use crate::component::Spout;
use crate::context::TaskContext;
use crate::stream::{Streams, TaskId};
use crate::{Config, Failure, Outcome, Value};

/// A child that had nothing to emit is asked again after this long, and then less and less often.
const IDLE_FIRST: Duration = Duration::from_millis(1);
const IDLE_MAX: Duration = Duration::from_millis(10);

/// A spout that is a child process.
pub struct ShellSpout {
    spec: ShellSpec,
    /// `None` before it is opened.
    work: Option<Work>,
}

/// A turn of the child's.
enum Turn {
    Next,
    Fate(Fate, Value),
    Activate,
    Deactivate,
}

/// What has become of a tuple.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acked,
    Failed,
}

/// A turn that has begun.
struct Awaited {
    is_next: bool,
    has_emitted: bool,
    /// When the child must have said something.
    check_at: Moment,
}

/// A spout at work.
struct Work {
    supervisor: Supervisor,
    speaker: Speaker,
    timeout: Duration,
    active: bool,
    /// Turns to come; as many at most as there are tuples in flight, and changes between active and not.
    turns: VecDeque<Turn>,
    awaited: Option<Awaited>,
    /// Children before this one.
    generation: i64,
    /// Tuples of this child that are neither acked nor failed.
    in_flight: u64,
    /// When the child is asked next, and how long it rests if it has nothing again.
    ask_at: Moment,
    idle: Duration,
}

impl ShellSpout {
    /// As the spec says; nothing is started before the spout is opened.
    pub fn new(spec: ShellSpec) -> ShellSpout {
        ShellSpout { spec, work: None }
    }

    /// Something has become of a tuple.
    fn note_fate(&mut self, id: &Value, fate: Fate) {
        let Some(work) = &mut self.work else { return };
        if let Some([Value::Int(generation), id]) = id.as_list()
            && *generation == work.generation
        {
            work.in_flight = work.in_flight.saturating_sub(1);
            work.turns.push_back(Turn::Fate(fate, id.clone()));
        }
    }

    fn set_active(&mut self, active: bool, turn: Turn) {
        if let Some(work) = &mut self.work {
            work.active = active;
            work.turns.push_back(turn);
        }
    }
}

impl Spout for ShellSpout {
    fn declare(&self, streams: &mut Streams) {
        streams.0.extend(self.spec.outputs.0.iter().cloned());
    }

    fn configuration(&self) -> Config {
        self.spec.config.clone()
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.work = Some(Work {
            supervisor: Supervisor::new(&self.spec, context)?,
            speaker: Speaker::of(context),
            timeout: shell_spec::timeout(context.config()),
            active: false,
            turns: VecDeque::new(),
            awaited: None,
            generation: 0,
            in_flight: 0,
            ask_at: Moment(0),
            idle: IDLE_FIRST,
        });
        Ok(())
    }

    fn close(&mut self) {
        self.work.iter_mut().for_each(|work| work.supervisor.begin_end());
    }

    fn activate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.set_active(true, Turn::Activate);
        Ok(())
    }

    fn deactivate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.set_active(false, Turn::Deactivate);
        Ok(())
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if let Some(work) = &mut self.work
            && work.is_idle()
            && collector.now >= work.ask_at
        {
            work.turns.push_back(Turn::Next);
        }
        self.poll(collector.now, collector)
    }

    fn poll(&mut self, now: Moment, collector: &mut SpoutCollector) -> Outcome {
        if let Some(work) = &mut self.work
            && let Err(error) = work.run(now, collector)
        {
            work.lose_child(&error, now, collector);
        }
        Ok(())
    }

    fn settled(&self) -> bool {
        self.work.as_ref().is_none_or(|work| work.supervisor.child().is_none() || work.is_idle())
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.note_fate(&id, Fate::Acked);
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.note_fate(&id, Fate::Failed);
        Ok(())
    }

    fn next_poll(&self) -> Option<Moment> {
        let work = self.work.as_ref()?;
        let turn = match &work.awaited {
            Some(awaited) => Some(awaited.check_at),
            None => work.supervisor.greeted_child().map(|_| work.ask_at),
        };
        // Without either the waker asks: the last child is being ended.
        let far = Moment(u64::MAX);
        Some([turn, work.supervisor.next_poll()].into_iter().flatten().min().unwrap_or(far))
    }
}

impl Work {
    /// Whether there is nothing to be said or heard.
    fn is_idle(&self) -> bool {
        self.awaited.is_none() && self.turns.is_empty() && !self.supervisor.has_messages()
    }

    /// Does what is to be done now. An error is the child's failure.
    fn run(&mut self, now: Moment, collector: &mut SpoutCollector) -> Result<()> {
        if self.supervisor.run(now)? == News::Started {
            self.begin(now);
        }
        // Fetched once: a child that never stops talking must not keep the task from its other work.
        self.supervisor.fetch();
        while collector.has_room()
            && let Some(message) = self.supervisor.next_message()?
        {
            self.apply(message, now, collector)?;
        }
        self.check_answer(now)?;
        self.take_turn(now)
    }

    /// There is a new child, which knows nothing.
    fn begin(&mut self, now: Moment) {
        self.turns.clear();
        self.turns.extend(self.active.then_some(Turn::Activate));
        (self.ask_at, self.idle) = (now, IDLE_FIRST);
    }

    /// A child that doesn't end its turn must say something from time to time.
    fn check_answer(&mut self, now: Moment) -> Result<()> {
        let (Some(awaited), Some(child)) = (&mut self.awaited, self.supervisor.child()) else { return Ok(()) };
        if now < awaited.check_at {
            return Ok(());
        }
        let silent = child.last_heard().elapsed();
        if silent >= self.timeout && !self.supervisor.has_messages() {
            return Err(Error::Silent { limit_ms: millis(self.timeout), stderr: child.last_lines() });
        }
        awaited.check_at = now.after(self.timeout.saturating_sub(silent).max(Duration::from_millis(1)));
        Ok(())
    }

    /// Begins the next turn, if none is under way.
    fn take_turn(&mut self, now: Moment) -> Result<()> {
        let Some(child) = self.supervisor.greeted_child().filter(|_| self.awaited.is_none()) else { return Ok(()) };
        let Some(turn) = self.turns.pop_front() else { return Ok(()) };
        let is_next = matches!(turn, Turn::Next);
        let fates_max = child.outbox().fates_max();
        match turn {
            Turn::Next => child.outbox().send(ToChild::Next)?,
            Turn::Fate(fate, id) => {
                let ids = gathered(fate, id, &mut self.turns, fates_max);
                child.outbox().send(match fate {
                    Fate::Acked => ToChild::Ack(&ids),
                    Fate::Failed => ToChild::Fail(&ids),
                })?;
            }
            Turn::Activate => child.outbox().send(ToChild::Activate)?,
            Turn::Deactivate => child.outbox().send(ToChild::Deactivate)?,
        }
        self.awaited = Some(Awaited { is_next, has_emitted: false, check_at: now.after(self.timeout) });
        Ok(())
    }

    fn apply(&mut self, message: FromChild, now: Moment, collector: &mut SpoutCollector) -> Result<()> {
        match message {
            FromChild::Emit(emit) => self.emit(emit, collector)?,
            FromChild::Sync => self.end_turn(now),
            FromChild::Log { message, level } => self.speaker.log(level, &message),
            FromChild::Error(message) => collector.report_error(message),
            FromChild::Metrics { name, params } => self.speaker.metric(&name, &params),
            FromChild::Pid { .. } => {}
            FromChild::More => return Err(unknown("more")),
            FromChild::Ack(_) => return Err(unknown("ack")),
            FromChild::Fail(_) => return Err(unknown("fail")),
            FromChild::Unknown(command) => return Err(unknown(&command)),
        }
        Ok(())
    }

    fn end_turn(&mut self, now: Moment) {
        let Some(awaited) = self.awaited.take() else {
            return self.speaker.log(super::Level::Debug, "a sync that nobody has asked for");
        };
        match (awaited.has_emitted, awaited.is_next) {
            (true, _) => (self.ask_at, self.idle) = (now, IDLE_FIRST),
            (false, true) => (self.ask_at, self.idle) = (now.after(self.idle), (self.idle * 2).min(IDLE_MAX)),
            (false, false) => {}
        }
    }

    fn emit(&mut self, emit: Emit, collector: &mut SpoutCollector) -> Result<()> {
        if let Some(awaited) = &mut self.awaited {
            awaited.has_emitted = true;
        }
        let refused = |failure: Failure| Error::Protocol(format!("the child has emitted what can't be: {failure}"));
        let stream = emit.stream.as_str();
        let tracked = u64::from(emit.id.is_some());
        let id = emit.id.map(|id| Value::from(vec![Value::Int(self.generation), id]));
        if let Some(task) = emit.task {
            collector.emit_direct(TaskId(task), stream, emit.values, id).map_err(refused)?;
            self.in_flight += tracked;
            return Ok(());
        }
        let tasks = collector.emit_on(stream, emit.values, id).map_err(refused)?;
        self.in_flight += tracked;
        match self.supervisor.child() {
            Some(child) if emit.need_task_ids => {
                let tasks: Vec<i32> = tasks.iter().map(|task| task.0).collect();
                child.outbox().send(ToChild::TaskIds(&tasks))
            }
            _ => Ok(()),
        }
    }

    /// The child is of no more use: another is to be started, which isn't told of this one's tuples.
    fn lose_child(&mut self, error: &Error, now: Moment, collector: &mut SpoutCollector) {
        self.supervisor.give_up(now);
        collector.mishaps += 1;
        self.generation += 1;
        self.awaited = None;
        let fates = |turn: &&Turn| matches!(turn, Turn::Fate(..));
        let untold = std::mem::take(&mut self.in_flight) + self.turns.iter().filter(fates).count() as u64;
        self.turns.clear();
        let dropped = match untold {
            0 => String::new(),
            _ => format!("what becomes of the {untold} tuples it had in flight is told to nobody, and "),
        };
        collector.report_error(format!("{error}; {dropped}the child is started anew"));
    }
}

/// The id of a turn, and those of turns of the same fate that follow at once, up to a number.
fn gathered(fate: Fate, id: Value, turns: &mut VecDeque<Turn>, ids_max: usize) -> Vec<Value> {
    let mut ids = vec![id];
    while ids.len() < ids_max
        && matches!(turns.front(), Some(Turn::Fate(next, _)) if *next == fate)
        && let Some(Turn::Fate(_, id)) = turns.pop_front()
    {
        ids.push(id);
    }
    ids
}

fn unknown(command: &str) -> Error {
    Error::Protocol(format!("the child of a spout has sent {command:?}, which is no command for spouts"))
}
