//! State of bolts and checkpoints (K-5 to K-7, STA), and the promise beyond Storm's: state exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use monsoon_topology::{
    Bolt, BoltCollector, Checkpoint, CheckpointStore, Error, Failure, Guarantee, KeyValueState, ManualClock,
    MemoryCheckpoints, Outcome, Spout, SpoutCollector, StartOptions, StatefulBolt, Streams, TaskContext, TaskState,
    TopologyBuilder, Tuple, Value, Waker,
};
use parking_lot::Mutex;

use crate::bench::{Feed, Seen, WAIT, doing, expect_panics, start, wait_until};

/// A replayable spout of the numbers from 0; never more than so many beyond the last durable checkpoint.
pub struct Numbers {
    next: i64,
    durable: i64,
    end: Arc<AtomicI64>,
    ahead_max: i64,
}

impl Numbers {
    pub fn up_to(end: i64) -> Numbers {
        Numbers::ahead(&Arc::new(AtomicI64::new(end)), i64::MAX)
    }

    pub fn ahead(end: &Arc<AtomicI64>, ahead_max: i64) -> Numbers {
        Numbers { next: 0, durable: 0, end: end.clone(), ahead_max }
    }
}

fn number_of(position: &[u8]) -> i64 {
    i64::from_le_bytes(position.try_into().expect("a position has 8 bytes"))
}

impl Spout for Numbers {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if self.next < self.end.load(Ordering::SeqCst) && self.next - self.durable < self.ahead_max {
            collector.emit_tracked([self.next], self.next)?;
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
        (self.next, self.durable) = (number_of(position), number_of(position));
        Ok(())
    }

    fn committed(&mut self, position: &[u8]) {
        self.durable = number_of(position);
    }
}

/// What a store has of a task.
pub fn stored(store: &dyn CheckpointStore, component: &str, index: usize) -> KeyValueState {
    let mut state = KeyValueState::default();
    state.restore(store.load(component, index).unwrap().state).unwrap();
    state
}

pub fn with_store(store: &(impl CheckpointStore + Clone + 'static)) -> StartOptions {
    StartOptions { checkpoints: Some(Arc::new(store.clone())), ..StartOptions::default() }
}

/// What a bolt is asked to do by the test.
pub type Work = Arc<dyn Fn(&Tuple<'_>, &mut KeyValueState, &mut BoltCollector) -> Outcome + Send + Sync>;

/// A stateful bolt of a closure, which tells what it is called for.
pub struct Keeps(Work, Seen<&'static str>);

impl StatefulBolt for Keeps {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn prepare(&mut self, _: &TaskContext) -> Outcome {
        self.1.note("prepare");
        Ok(())
    }

    fn init_state(&mut self, state: &mut KeyValueState) -> Outcome {
        self.1.note(if state.is_empty() { "init empty" } else { "init" });
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector) -> Outcome {
        self.1.note("execute");
        (self.0)(tuple, state, collector)
    }

    fn before_checkpoint(&mut self, _: &mut KeyValueState, _: &mut BoltCollector) -> Outcome {
        self.1.note("before checkpoint");
        Ok(())
    }
}

pub fn keeps(
    seen: &Seen<&'static str>,
    work: impl Fn(&Tuple<'_>, &mut KeyValueState, &mut BoltCollector) -> Outcome + Send + Sync + 'static,
) -> impl Fn() -> Keeps + Send + Sync + 'static {
    let (seen, work): (_, Work) = (seen.clone(), Arc::new(work));
    move || Keeps(work.clone(), seen.clone())
}

/// Adds one to the number of a key.
pub fn add(state: &mut KeyValueState, key: &Value, more: i64) -> Outcome {
    let count = state.get(key).and_then(Value::as_int).unwrap_or(0);
    state.put(key, count + more)
}

fn counting(tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector) -> Outcome {
    add(state, &"count".into(), 1)?;
    collector.ack(tuple);
    Ok(())
}

fn count_of(store: &dyn CheckpointStore) -> Option<i64> {
    stored(store, "counts", 0).get(&"count".into()).and_then(Value::as_int)
}

/// A topology of `Numbers` and one counting bolt.
fn counts(end: &Arc<AtomicI64>, seen: &Seen<&'static str>) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    builder.config("topology.state.checkpoint.interval.ms", 3_600_000);
    builder.set_spout("numbers", {
        let end = end.clone();
        move || Numbers::ahead(&end, i64::MAX)
    });
    builder.set_stateful_bolt("counts", keeps(seen, counting)).shuffle_grouping("numbers");
    builder
}

#[test]
fn k05_a_crash_before_the_commit_goes_back_and_after_it_does_not() {
    let (store, seen, end) = (MemoryCheckpoints::default(), Seen::default(), Arc::new(AtomicI64::new(10)));
    let running = start(counts(&end, &seen), with_store(&store));
    assert_eq!(running.guarantee(), Guarantee::ExactlyOnceState);
    wait_until("10", || running.counts("counts").executed == 10);
    running.checkpoint().unwrap();
    assert_eq!((store.last().unwrap(), count_of(&store)), (1, Some(10)));
    end.store(15, Ordering::SeqCst);
    wait_until("15", || running.counts("counts").executed == 15);
    drop(running);
    assert_eq!(count_of(&store), Some(10), "a crash keeps nothing");
    let running = start(counts(&end, &seen), with_store(&store));
    wait_until("5 again", || running.counts("counts").executed == 5);
    running.checkpoint().unwrap();
    drop(running);
    assert_eq!((store.last().unwrap(), count_of(&store)), (2, Some(15)));
    // An end in order takes a last checkpoint.
    end.store(20, Ordering::SeqCst);
    let running = start(counts(&end, &seen), with_store(&store));
    wait_until("5 more", || running.counts("counts").executed == 5);
    running.kill(WAIT).unwrap();
    assert_eq!((store.last().unwrap(), count_of(&store)), (3, Some(20)));
}

/// Commits in memory when it is let.
#[derive(Clone, Default)]
struct Flaky(MemoryCheckpoints, Arc<AtomicBool>);

impl CheckpointStore for Flaky {
    fn commit(&self, checkpoint: Checkpoint) -> monsoon_topology::Result<()> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(Error::Checkpoint("the disk is full".into())),
            false => self.0.commit(checkpoint),
        }
    }

    fn last(&self) -> monsoon_topology::Result<u64> {
        self.0.last()
    }

    fn load(&self, component: &str, index: usize) -> monsoon_topology::Result<TaskState> {
        self.0.load(component, index)
    }
}

#[test]
fn k04_a_commit_that_fails_is_rolled_back_and_done_again() {
    let (store, seen, end) = (Flaky::default(), Seen::default(), Arc::new(AtomicI64::new(10)));
    let running = start(counts(&end, &seen), with_store(&store));
    wait_until("10", || running.counts("counts").executed == 10);
    store.1.store(true, Ordering::SeqCst);
    assert_eq!(running.checkpoint(), Err(Error::Checkpoint("the disk is full".into())));
    assert_eq!((store.last().unwrap(), count_of(&store)), (0, None));
    store.1.store(false, Ordering::SeqCst);
    wait_until("a second instance, and 10 again", || {
        let all = seen.all();
        all.iter().filter(|what| **what == "execute").count() == 20
    });
    running.checkpoint().unwrap();
    assert_eq!(count_of(&store), Some(10));
}

#[test]
fn k06_state_is_there_before_the_first_tuple_and_no_checkpoint_before_it() {
    let (store, seen, end) = (MemoryCheckpoints::default(), Seen::default(), Arc::new(AtomicI64::new(1)));
    let running = start(counts(&end, &seen), with_store(&store));
    running.checkpoint().unwrap();
    wait_until("execution", || running.counts("counts").executed == 1);
    running.checkpoint().unwrap();
    drop(running);
    end.store(2, Ordering::SeqCst);
    let running = start(counts(&end, &seen), with_store(&store));
    wait_until("execution", || running.counts("counts").executed == 1);
    drop(running);
    // The first checkpoint may come before or after the first tuple.
    let told: Vec<_> = seen.all().into_iter().filter(|what| *what != "before checkpoint").collect();
    assert_eq!(told, ["prepare", "init empty", "execute", "prepare", "init", "execute"]);
    let first = seen.all().iter().position(|what| *what == "before checkpoint").unwrap();
    assert!(first >= 2, "not before init");
}

#[test]
fn k07_puts_and_deletes_are_kept_together_or_not_at_all() {
    let (store, end) = (MemoryCheckpoints::default(), Arc::new(AtomicI64::new(2)));
    // 0 and 1 put a and b; 2 puts c, deletes a, and reads what it has written.
    let work = |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
        match tuple.int("number")? {
            0 => state.put("a", 1)?,
            1 => state.put("b", 2)?,
            _ => {
                state.put("c", 3)?;
                state.delete(&"a".into());
                assert_eq!((state.get(&"a".into()), state.get(&"c".into())), (None, Some(&Value::Int(3))));
                assert_eq!(state.iter().count(), 2);
            }
        }
        collector.ack(tuple);
        Ok(())
    };
    let build = || {
        let mut builder = TopologyBuilder::new();
        builder.config("topology.state.checkpoint.interval.ms", 3_600_000);
        builder.set_spout("numbers", {
            let end = end.clone();
            move || Numbers::ahead(&end, i64::MAX)
        });
        builder.set_stateful_bolt("keeps", keeps(&Seen::default(), work)).shuffle_grouping("numbers");
        builder
    };
    let kept = || {
        let state = stored(&store, "keeps", 0);
        let mut kept: Vec<_> = state.iter().map(|(key, value)| format!("{key}={value}")).collect();
        kept.sort();
        kept
    };
    let running = start(build(), with_store(&store));
    wait_until("a and b", || running.counts("keeps").executed == 2);
    drop(running);
    assert!(kept().is_empty(), "rolled back");
    let running = start(build(), with_store(&store));
    wait_until("a and b", || running.counts("keeps").executed == 2);
    running.checkpoint().unwrap();
    end.store(3, Ordering::SeqCst);
    wait_until("c", || running.counts("keeps").executed == 3);
    drop(running);
    assert_eq!(kept(), ["a=1", "b=2"], "c and the delete of a rolled back");
    let running = start(build(), with_store(&store));
    wait_until("c", || running.counts("keeps").executed == 1);
    running.checkpoint().unwrap();
    assert_eq!(kept(), ["b=2", "c=3"]);
}

/// Random numbers for all threads: xorshift64*.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, sides: u64) -> u64 {
        let step = |mut state: u64| {
            state ^= state >> 12;
            state ^= state << 25;
            Some(state ^ (state >> 27))
        };
        let last = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap_or(1);
        (last.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// What goes wrong now and then.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Panic,
    Failure,
}

impl Trouble {
    fn strike(self, dice: &Dice) -> Outcome {
        match (dice.roll(3_000), self) {
            (0, Trouble::Panic) => panic!("on purpose"),
            (0, Trouble::Failure) => Err(Failure::new("on purpose")),
            _ => Ok(()),
        }
    }
}

const KEYS: i64 = 17;

fn troubled(trouble: Trouble, dice: &Arc<Dice>, end: i64) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    let end = Arc::new(AtomicI64::new(end));
    builder.config("topology.producer.batch.size", 16);
    builder.set_spout("numbers", move || Numbers::ahead(&end, 250)).parallelism(2);
    let pass = {
        let dice = dice.clone();
        doing(move |tuple, collector| {
            trouble.strike(&dice)?;
            collector.emit(tuple, [tuple.int("number")? % KEYS])?;
            collector.ack(tuple);
            trouble.strike(&dice)
        })
    };
    builder.set_bolt("keys", pass).parallelism(2).shuffle_grouping("numbers");
    let count = {
        let dice = dice.clone();
        move |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
            trouble.strike(&dice)?;
            add(state, tuple.get("word")?, 1)?;
            // Too late for the tuple alone: what it did to the state must go too.
            trouble.strike(&dice)?;
            collector.ack(tuple);
            Ok(())
        }
    };
    builder
        .set_stateful_bolt("counts", keeps(&Seen::default(), count))
        .parallelism(2)
        .tasks(3)
        .fields_grouping("keys", ["word"]);
    builder
}

/// Whatever goes wrong, and however often the process crashes, each number is counted once.
fn exactly_once(trouble: Trouble, seed: u64, end: i64) {
    expect_panics();
    let (store, dice) = (MemoryCheckpoints::default(), Arc::new(Dice(AtomicU64::new(seed))));
    let position = |index: usize| store.load("numbers", index).unwrap().position.map_or(0, |at| number_of(&at));
    let (started, mut crashes) = (Instant::now(), 0);
    while position(0) < end || position(1) < end {
        assert!(
            started.elapsed() < 3 * WAIT,
            "seed {seed}: at {} and {} after {crashes} crashes",
            position(0),
            position(1)
        );
        let running = start(troubled(trouble, &dice, end), with_store(&store));
        for _ in 0..dice.roll(12) {
            // Fails when something has gone wrong.
            let _ = running.checkpoint();
        }
        let (crash, seen) = (Instant::now(), Duration::from_micros(dice.roll(10_000)));
        while crash.elapsed() < seen {
            std::thread::yield_now();
        }
        drop(running);
        crashes += 1;
    }
    let mut counted = BTreeMap::new();
    for task in 0..3 {
        for (key, count) in stored(&store, "counts", task).iter() {
            assert!(counted.insert(key.to_string(), count.as_int().unwrap()).is_none(), "key {key} in two tasks");
        }
    }
    // Of each spout task as many as there are numbers of this remainder.
    let of_key = |key: i64| 2 * (end / KEYS + i64::from(key < end % KEYS));
    let expected: BTreeMap<String, i64> = (0..KEYS).map(|key| (key.to_string(), of_key(key))).collect();
    assert_eq!(counted, expected, "seed {seed}, {crashes} crashes");
    assert!(crashes > 3, "{crashes} crashes");
}

#[test]
fn exactly_once_although_bolts_panic_and_the_process_crashes() {
    (1..4).for_each(|seed| exactly_once(Trouble::Panic, seed, 6_000));
}

#[test]
fn exactly_once_although_tuples_fail_and_the_process_crashes() {
    (1..4).for_each(|seed| exactly_once(Trouble::Failure, seed, 6_000));
}

/// Counts in its state until a tick, which sends the count on.
struct Delta {
    asked: Seen<Waker>,
    barrier: Seen<()>,
    ticked: Seen<()>,
}

impl StatefulBolt for Delta {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["delta"]);
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.asked.note(context.waker());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector) -> Outcome {
        if tuple.is_tick() {
            self.ticked.note(());
            let delta = state.delete(&"delta".into()).unwrap_or(Value::Int(0));
            return collector.emit((), [delta]).map(drop);
        }
        add(state, &"delta".into(), 1)?;
        collector.ack(tuple);
        Ok(())
    }

    fn before_checkpoint(&mut self, _: &mut KeyValueState, _: &mut BoltCollector) -> Outcome {
        self.barrier.note(());
        Ok(())
    }
}

/// A tick that comes between a bolt's part of a checkpoint and its reader's belongs to the next one.
#[test]
fn exactly_once_although_a_bolt_ticks_while_a_checkpoint_is_taken() {
    let (store, clock, end) =
        (MemoryCheckpoints::default(), Arc::new(ManualClock::default()), Arc::new(AtomicI64::new(100)));
    let (asked, barrier, ticked) = (Seen::default(), Seen::default(), Seen::default());
    let open = Arc::new(AtomicBool::new(true));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.state.checkpoint.interval.ms", 3_600_000);
    builder.set_spout("numbers", {
        let end = end.clone();
        move || Numbers::ahead(&end, i64::MAX)
    });
    let make = {
        let (asked, barrier, ticked) = (asked.clone(), barrier.clone(), ticked.clone());
        move || Delta { asked: asked.clone(), barrier: barrier.clone(), ticked: ticked.clone() }
    };
    builder.set_stateful_bolt("delta", make).config("topology.tick.tuple.freq.secs", 1).shuffle_grouping("numbers");
    let gate = {
        let open = open.clone();
        doing(move |tuple, collector| {
            wait_until("the gate", || open.load(Ordering::SeqCst));
            collector.ack(tuple);
            Ok(())
        })
    };
    builder.set_bolt("slow", gate).shuffle_grouping("numbers");
    let total = |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
        add(state, &"total".into(), tuple.int("delta")?)?;
        collector.ack(tuple);
        Ok(())
    };
    builder
        .set_stateful_bolt("total", keeps(&Seen::default(), total))
        .shuffle_grouping("delta")
        .shuffle_grouping("slow");
    let options = StartOptions { clock: clock.clone(), ..with_store(&store) };
    let running = start(builder, options);
    wait_until("100", || running.counts("delta").executed == 100 && running.counts("slow").executed == 100);
    open.store(false, Ordering::SeqCst);
    end.store(101, Ordering::SeqCst);
    wait_until("101", || running.counts("delta").executed == 101);
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| running.checkpoint());
        barrier.wait_len(1);
        clock.advance(Duration::from_secs(1));
        asked.all()[0].wake();
        // Either it comes now, or it waits for the checkpoint.
        let woken = Instant::now();
        wait_until("a tick, or none", || ticked.len() == 1 || woken.elapsed() > Duration::from_millis(100));
        open.store(true, Ordering::SeqCst);
        checkpoint.join().unwrap().unwrap();
    });
    drop(running);
    let kept = |component: &str, key: &str| stored(&store, component, 0).get(&key.into()).and_then(Value::as_int);
    let sum = kept("delta", "delta").unwrap_or(0) + kept("total", "total").unwrap_or(0);
    assert_eq!(sum, 101, "delta {:?}, total {:?}", kept("delta", "delta"), kept("total", "total"));
}

/// Without checkpoints, or with a spout that can't be replayed, a bolt's state lasts until its panic, and the topology goes on.
fn panicking_state(options: StartOptions) {
    expect_panics();
    let (feed, once, sizes) = (Feed::default(), AtomicBool::new(true), Arc::new(Mutex::new(Vec::new())));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout().replaying()
    });
    let work = {
        let sizes = sizes.clone();
        move |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
            if tuple.int("word")? == 2 && once.swap(false, Ordering::SeqCst) {
                panic!("on purpose");
            }
            state.put(tuple.get("word")?, true)?;
            sizes.lock().push(state.len());
            collector.ack(tuple);
            Ok(())
        }
    };
    builder.set_stateful_bolt("keeps", keeps(&Seen::default(), work)).shuffle_grouping("words");
    let running = start(builder, options);
    assert_eq!(running.guarantee(), Guarantee::AtLeastOnce);
    for number in 0..5 {
        feed.send(number);
        feed.wait_acked(number as usize + 1);
    }
    assert_eq!(*sizes.lock(), [1, 2, 1, 2, 3]);
    assert_eq!(running.counts("keeps").restarts, 1);
}

#[test]
fn sta03_state_without_checkpoints_does_not_stop_the_topology_when_its_bolt_panics() {
    panicking_state(StartOptions::default());
    panicking_state(with_store(&MemoryCheckpoints::default()));
}

#[test]
fn sta_a_stateful_bolt_is_one_like_any_other_without_a_store() {
    struct Boxed;
    impl Bolt for Boxed {
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            collector.ack(tuple);
            Ok(())
        }
    }
    let (seen, end) = (Seen::default(), Arc::new(AtomicI64::new(3)));
    let mut builder = counts(&end, &seen);
    builder.set_boxed_bolt("boxed", || Box::new(Boxed)).shuffle_grouping("numbers");
    let running = start(builder, StartOptions::default());
    wait_until("3", || running.counts("counts").executed == 3);
    assert_eq!(seen.all(), ["prepare", "init empty", "execute", "execute", "execute"]);
    assert!(matches!(running.checkpoint(), Err(Error::Checkpoint(_))));
}

/// Two tasks in one thread: the first emits 0, the second 1 when 0 is being worked on.
struct Two {
    stage: Arc<AtomicI64>,
    positions: Seen<()>,
    task: i64,
    emitted: bool,
}

impl Spout for Two {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.task = context.task_index() as i64;
        Ok(())
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if !self.emitted && self.stage.load(Ordering::SeqCst) >= self.task {
            self.emitted = true;
            collector.emit_tracked([self.task], self.task)?;
        }
        Ok(())
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        if id == Value::Int(0) && self.stage.fetch_max(3, Ordering::SeqCst) < 3 {
            wait_until("the end of the scene", || self.stage.load(Ordering::SeqCst) == 4);
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn position(&mut self) -> Option<Vec<u8>> {
        self.positions.note(());
        Some(vec![u8::from(self.emitted)])
    }

    fn seek(&mut self, position: &[u8]) -> Outcome {
        self.emitted = position == [1];
        Ok(())
    }
}

/// A tuple fails before its bolt takes a checkpoint, but the spout, held up, hears of it late: the checkpoint must not pass over the tuple.
#[test]
fn exactly_once_although_a_spout_hears_late_of_a_failed_tuple() {
    let (store, stage, positions) = (MemoryCheckpoints::default(), Arc::new(AtomicI64::new(0)), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.config("topology.state.checkpoint.interval.ms", 3_600_000);
    let make = {
        let (stage, positions) = (stage.clone(), positions.clone());
        move || Two { stage: stage.clone(), positions: positions.clone(), task: 0, emitted: false }
    };
    builder.set_spout("two", make).parallelism(1).tasks(2);
    let failed = AtomicBool::new(false);
    let work = {
        let stage = stage.clone();
        move |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
            let reached = |wanted: i64| wait_until("a stage", || stage.load(Ordering::SeqCst) >= wanted);
            if tuple.int("number")? == 0 {
                stage.fetch_max(1, Ordering::SeqCst);
                reached(2);
            } else {
                reached(3);
                if !failed.swap(true, Ordering::SeqCst) {
                    return Err(Failure::new("on purpose"));
                }
            }
            add(state, tuple.get("number")?, 1)?;
            collector.ack(tuple);
            Ok(())
        }
    };
    builder.set_stateful_bolt("counts", keeps(&Seen::default(), work)).global_grouping("two");
    let running = start(builder, with_store(&store));
    wait_until("both under way", || running.counts("two").emitted == 2);
    std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| running.checkpoint());
        // Both barriers are under way; the bolt may go on.
        positions.wait_len(2);
        stage.fetch_max(2, Ordering::SeqCst);
        wait_until("the spout to be held up", || stage.load(Ordering::SeqCst) == 3);
        let held_up = Instant::now();
        wait_until("a checkpoint, or none", || {
            store.last().unwrap() == 1 || held_up.elapsed() > Duration::from_millis(200)
        });
        stage.store(4, Ordering::SeqCst);
        assert!(checkpoint.join().unwrap().is_err(), "what it stands for was not all done");
    });
    wait_until("both again", || running.counts("counts").executed == 2 && running.counts("counts").acked == 2);
    running.checkpoint().unwrap();
    let state = stored(&store, "counts", 0);
    assert_eq!(
        [0, 1].map(|number| state.get(&Value::Int(number)).cloned()),
        [Some(Value::Int(1)), Some(Value::Int(1))]
    );
}

/// A checkpoint that is being taken when the topology is killed is finished: what it has got from tasks is nowhere else.
#[test]
fn exactly_once_although_it_is_killed_while_a_checkpoint_is_taken() {
    let (store, seen, end) = (MemoryCheckpoints::default(), Seen::default(), Arc::new(AtomicI64::new(10)));
    let mut builder = counts(&end, &seen);
    let open = Arc::new(AtomicBool::new(false));
    let gate = {
        let open = open.clone();
        doing(move |tuple, collector| {
            wait_until("the gate", || open.load(Ordering::SeqCst));
            collector.ack(tuple);
            Ok(())
        })
    };
    let slow = builder.set_bolt("slow", gate).shuffle_grouping("numbers");
    slow.config("topology.state.checkpoint.interval.ms", 100);
    let running = start(builder, with_store(&store));
    wait_until("10", || running.counts("counts").executed == 10);
    wait_until("the bolt's part", || seen.all().last() == Some(&"before checkpoint"));
    std::thread::scope(|scope| {
        let killing = scope.spawn(|| running.kill(Duration::ZERO));
        wait_until("the kill", || running.status() == monsoon_topology::Status::Killed);
        let killed = Instant::now();
        wait_until("a while", || killed.elapsed() > Duration::from_millis(100));
        open.store(true, Ordering::SeqCst);
        killing.join().unwrap().unwrap();
    });
    let position = store.load("numbers", 0).unwrap().position.map(|position| number_of(&position));
    assert_eq!((position, count_of(&store)), (Some(10), Some(10)));
}
