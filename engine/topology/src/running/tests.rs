//! Starts, checkpoints and ends of topologies on real threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Instant;

use super::*;
use crate::clock::Moment;
use crate::collector::{BasicCollector, BoltCollector, SpoutCollector};
use crate::component::{Bolt, Spout};
use crate::context::TaskContext;
use crate::hook::TaskHook;
use crate::state::{Checkpoint, MemoryCheckpoints, StateChanges, TaskState};
use crate::stream::Streams;
use crate::tuple::{HeldTuple, Tuple};
use crate::{Outcome, TopologyBuilder, Value};

/// Emits the numbers below a bound.
struct Numbers {
    next: u64,
    bound: u64,
    tracked: bool,
}

impl Numbers {
    fn below(bound: u64, tracked: bool) -> Numbers {
        Numbers { next: 0, bound, tracked }
    }
}

impl Spout for Numbers {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Outcome {
        if self.next < self.bound {
            let number = self.next as i64;
            match self.tracked {
                true => out.emit_tracked([number], number)?,
                false => out.emit([number])?,
            };
            self.next += 1;
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn position(&mut self) -> Option<Vec<u8>> {
        Some(self.next.to_le_bytes().to_vec())
    }

    fn seek(&mut self, position: &[u8]) -> Outcome {
        self.next = u64::from_le_bytes(position.try_into()?);
        Ok(())
    }
}

/// Holds each tuple for a while: a checkpoint waits for it.
#[derive(Default)]
struct Slow {
    held: Vec<HeldTuple>,
    due: Option<Moment>,
}

impl Bolt for Slow {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        self.held.push(tuple.hold());
        self.due.get_or_insert(out.now().after(Duration::from_millis(3)));
        Ok(())
    }

    fn settled(&self) -> bool {
        self.held.is_empty()
    }

    fn next_poll(&self) -> Option<Moment> {
        self.due
    }

    fn poll(&mut self, _: Moment, out: &mut BoltCollector) -> Outcome {
        self.due = None;
        for held in self.held.drain(..) {
            out.emit(&held, held.tuple())?;
            out.ack(&held);
        }
        Ok(())
    }
}

/// How often each number came.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<i64, u8>,
    changed: Vec<i64>,
}

impl Bolt for Tally {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        let number = tuple.int("number")?;
        *self.counts.entry(number).or_default() += 1;
        self.changed.push(number);
        out.ack(tuple);
        Ok(())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, _: &mut BoltCollector) -> Option<StateChanges> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let changes = changed.map(|number| (number.to_be_bytes().to_vec(), Some(vec![self.counts[&number]])));
        Some(StateChanges::of(changes.collect()))
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        for (number, count) in state {
            self.counts.insert(i64::from_be_bytes(number.as_slice().try_into()?), count[0]);
        }
        Ok(())
    }
}

fn options(store: &MemoryCheckpoints) -> StartOptions {
    StartOptions { checkpoints: Some(Arc::new(store.clone())), ..StartOptions::default() }
}

/// A topology that is killed again and again, each time about when a checkpoint is taken, has each number once.
#[test]
fn state_is_exact_though_kills_meet_checkpoints() {
    const BOUND: u64 = 1_000_000;
    let mut builder = TopologyBuilder::new();
    builder.config("checkpoint_interval", 100).config("max_spout_pending", 50);
    builder.set_spout("numbers", || Numbers::below(BOUND, true));
    builder.set_bolt("slow", Slow::default).shuffle_grouping("numbers");
    builder.set_bolt("tally", Tally::default).shuffle_grouping("slow");
    let topology = builder.build("kills").unwrap();
    let store = MemoryCheckpoints::default();
    for round in 0..10 {
        let running = RunningTopology::start(&topology, options(&store)).unwrap();
        std::thread::sleep(Duration::from_millis(98 + round));
        running.kill(Duration::ZERO).unwrap();
    }
    let position = store.load("numbers", 0).unwrap().position.unwrap();
    let emitted = u64::from_le_bytes(position.try_into().unwrap());
    let tallied = store.load("tally", 0).unwrap().state;
    assert!(emitted > 0 && tallied.iter().all(|(_, count)| count == &[1]));
    assert_eq!(tallied.len() as u64, emitted);
}

/// Keeps the first tuple for ever.
#[derive(Default)]
struct Holds(Vec<HeldTuple>);

impl Bolt for Holds {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut BoltCollector) -> Outcome {
        self.0.push(tuple.hold());
        Ok(())
    }

    fn settled(&self) -> bool {
        self.0.is_empty()
    }
}

/// The spout hears first that its tuple's time is over, and isn't to blame.
#[test]
fn a_tuple_whose_time_is_over_is_told_where_it_is_held() {
    let mut builder = TopologyBuilder::new();
    builder.config("checkpoint_interval", 100).config("message_timeout", "1 s");
    builder.set_spout("numbers", || Numbers::below(1, true));
    builder.set_bolt("holds", Holds::default).shuffle_grouping("numbers");
    builder.set_bolt("tally", Tally::default).shuffle_grouping("holds");
    let store = MemoryCheckpoints::default();
    let running = RunningTopology::start(&builder.build("held").unwrap(), options(&store)).unwrap();
    let started = Instant::now();
    while running.restores() == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "it doesn't go back");
        std::thread::sleep(Duration::from_millis(1));
    }
    let errors = running.errors();
    let told = |place: usize| errors[place].1.iter().map(|error| error.message.as_str()).collect::<Vec<_>>();
    assert_eq!((told(0).len(), told(2).len()), (0, 0), "{errors:?}");
    assert!(told(1)[0].contains("task 2 of \"holds\" hasn't handed in its part of checkpoint"), "{errors:?}");
    let killed = Instant::now();
    running.kill(Duration::ZERO).unwrap();
    assert!(killed.elapsed() < Duration::from_secs(3));
}

/// Checkpoints that can't be read once they are gone.
#[derive(Clone, Default)]
struct Fickle {
    kept: MemoryCheckpoints,
    gone: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
}

impl CheckpointStore for Fickle {
    fn commit(&self, checkpoint: Checkpoint) -> Result<()> {
        self.kept.commit(checkpoint)
    }

    fn last(&self) -> Result<u64> {
        self.kept.last()
    }

    fn load(&self, component: &str, index: usize) -> Result<TaskState> {
        if self.gone.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Error::Checkpoint("the store is gone".into()));
        }
        self.kept.load(component, index)
    }
}

#[test]
fn a_topology_that_can_not_go_back_can_be_killed() {
    let store = Fickle::default();
    let gone = store.gone.clone();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Numbers::below(10, true));
    let fails = move |_: &Tuple<'_>, _: &mut BasicCollector<'_, '_>| {
        gone.store(true, Ordering::SeqCst);
        Err(crate::Failure::new("on purpose"))
    };
    builder.set_bolt_fn("fails", ["number"], move || fails.clone()).shuffle_grouping("numbers");
    builder.set_bolt("tally", Tally::default).shuffle_grouping("fails");
    let options = StartOptions { checkpoints: Some(Arc::new(store.clone())), ..StartOptions::default() };
    let running = RunningTopology::start(&builder.build("fickle").unwrap(), options).unwrap();
    let started = Instant::now();
    while store.refused.load(Ordering::SeqCst) == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "it doesn't try to go back");
        std::thread::sleep(Duration::from_millis(1));
    }
    let (ended, end) = channel();
    std::thread::spawn(move || ended.send(running.kill(Duration::ZERO)));
    end.recv_timeout(Duration::from_secs(20)).expect("it ends").unwrap();
}

#[test]
fn a_topology_that_was_never_active_ends_at_once() {
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Numbers::below(10, true));
    builder.set_bolt("tally", Tally::default).shuffle_grouping("numbers");
    let topology = builder.build("asleep").unwrap();
    let store = MemoryCheckpoints::default();
    let running = RunningTopology::start(&topology, StartOptions { active: false, ..options(&store) }).unwrap();
    let started = Instant::now();
    running.checkpoint().unwrap();
    running.kill(Duration::from_secs(30)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// A tuple that a bolt works on is under way, though it is in no queue and no tree.
#[test]
fn a_kill_waits_for_what_a_bolt_works_on() {
    let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (begun.clone(), done.clone());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Numbers::below(5, false));
    let bolt = builder.set_bolt_fn("slow", [""; 0], move || {
        let (begun, done) = counted.clone();
        move |_, _| {
            begun.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(50));
            done.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    bolt.shuffle_grouping("numbers");
    let running = RunningTopology::start(&builder.build("slow").unwrap(), StartOptions::default()).unwrap();
    while begun.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    running.kill(Duration::from_secs(30)).unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 5);
}

/// Panics when the first tree is complete.
struct Clumsy(Arc<AtomicUsize>);

impl TaskHook for Clumsy {
    fn on_spout_ack(&mut self, _: &Value, _: Duration) {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            std::panic::resume_unwind(Box::new("a hook"));
        }
    }
}

#[test]
fn a_hook_that_panics_does_not_end_its_task() {
    let acks = Arc::new(AtomicUsize::new(0));
    let seen = acks.clone();
    let mut builder = TopologyBuilder::new();
    builder.add_task_hook(move || Clumsy(seen.clone()));
    builder.set_spout("numbers", || Numbers::below(100, true));
    builder.set_bolt("tally", Tally::default).shuffle_grouping("numbers");
    let running = RunningTopology::start(&builder.build("hooks").unwrap(), StartOptions::default()).unwrap();
    let started = Instant::now();
    while acks.load(Ordering::SeqCst) < 100 {
        assert!(started.elapsed() < Duration::from_secs(20), "the spout's task has ended");
        std::thread::sleep(Duration::from_millis(1));
    }
    // What the hook did is told; the spout goes on.
    assert_eq!(running.counts("numbers").restarts, 0);
    assert_eq!(running.errors()[0].2, 1);
}

/// Counts the hooks of its own that are told.
struct WithHook(Arc<AtomicUsize>);

struct Told(Arc<AtomicUsize>);

impl TaskHook for Told {
    fn on_execute(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bolt for WithHook {
    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        context.add_task_hook(Box::new(Told(self.0.clone())));
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        if tuple.int("number")? == 0 {
            std::panic::resume_unwind(Box::new("the first one"));
        }
        out.ack(tuple);
        Ok(())
    }
}

#[test]
fn the_hooks_of_an_instance_go_with_it() {
    let told = Arc::new(AtomicUsize::new(0));
    let counted = told.clone();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Numbers::below(10, true));
    builder.set_bolt("bolt", move || WithHook(counted.clone())).shuffle_grouping("numbers");
    let running = RunningTopology::start(&builder.build("hooks").unwrap(), StartOptions::default()).unwrap();
    let started = Instant::now();
    while running.counts("bolt").executed < 10 && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    running.kill(Duration::from_secs(20)).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 10);
}

/// Gives the test what other threads use its collector through.
struct Remote(std::sync::mpsc::Sender<crate::RemoteCollector>);

impl Bolt for Remote {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        self.0.send(out.remote())?;
        out.ack(tuple);
        Ok(())
    }
}

/// What another thread has asked a bolt to do is under way, though it is in no queue and no tree.
#[test]
fn a_topology_is_not_settled_while_other_threads_wait_for_a_bolt() {
    let (given, collectors) = channel();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Numbers::below(1, true));
    builder.set_bolt("remote", move || Remote(given.clone())).shuffle_grouping("numbers");
    let running = RunningTopology::start(&builder.build("remote").unwrap(), StartOptions::default()).unwrap();
    let remote = collectors.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(running.wait_settled(Duration::from_secs(20)));
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let (count, own) = (done.clone(), remote.clone());
        remote.run(move |_| {
            std::thread::sleep(Duration::from_millis(30));
            count.fetch_add(1, Ordering::SeqCst);
            // Work that makes more work.
            own.run(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                Err(crate::Failure::new("an error is an end too"))
            });
            Ok(())
        });
    }
    assert!(running.wait_settled(Duration::from_secs(20)));
    assert_eq!(done.load(Ordering::SeqCst), 6);
}
