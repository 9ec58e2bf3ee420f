//! Hooks, what tasks share, ticks, and settings of components (A-11 to, COR-15, COR-16, COR-20).

use std::sync::Arc;
use std::time::Duration;

use monsoon_topology::{
    Bolt, BoltCollector, Config, ManualClock, Outcome, Resources, Spout, SpoutCollector, StartOptions, Streams,
    TaskContext, TaskHook, TopologyBuilder, Tuple, Value, WorkerHook,
};
use parking_lot::Mutex;

use crate::bench::{Feed, Seen, doing, expect_panics, start, values, wait_until, with_clock};

/// Tells what it was told, with the component it is of.
struct Telling(&'static str, Seen<String>);

impl Telling {
    fn note(&self, what: &str) {
        self.1.note(format!("{} {what}", self.0));
    }
}

impl TaskHook for Telling {
    fn on_emit(&mut self) {
        self.note("emit");
    }
    fn on_spout_ack(&mut self, id: &Value, _: Duration) {
        self.note(&format!("spout ack {id}"));
    }
    fn on_spout_fail(&mut self, id: &Value, _: Duration) {
        self.note(&format!("spout fail {id}"));
    }
    fn on_execute(&mut self) {
        self.note("execute");
    }
    fn on_ack(&mut self) {
        self.note("ack");
    }
    fn on_fail(&mut self) {
        self.note("fail");
    }
    fn cleanup(&mut self) {
        self.note("cleanup");
    }
}

/// Emits each number, acks the even ones and fails the odd ones; has a hook of its own.
struct EvenOdd(Seen<String>);

impl Bolt for EvenOdd {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word"]);
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        context.add_task_hook(Box::new(Telling("bolt", self.0.clone())));
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        collector.emit(tuple, *tuple)?;
        match tuple.int("word")? % 2 {
            0 => collector.ack(tuple),
            _ => collector.fail(tuple),
        }
        Ok(())
    }
}

#[test]
fn a12_hooks_are_told_of_every_operation() {
    let (feed, seen, all) = (Feed::default(), Seen::default(), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder
        .set_bolt("even odd", {
            let seen = seen.clone();
            move || EvenOdd(seen.clone())
        })
        .shuffle_grouping("numbers");
    builder.add_task_hook({
        let all = all.clone();
        move || Telling("any", all.clone())
    });
    let running = start(builder, StartOptions::default());
    (0..4).for_each(|number| feed.send(number));
    wait_until("fates", || feed.acked().len() + feed.failed().len() == 4);
    assert!(running.wait_settled(crate::bench::WAIT));
    running.kill(Duration::ZERO).unwrap();
    let times = |seen: &Seen<String>, what: &str| seen.all().iter().filter(|told| *told == what).count();
    let of_bolt = ["emit", "execute", "ack", "fail", "cleanup"].map(|what| times(&seen, &format!("bolt {what}")));
    assert_eq!(of_bolt, [4, 4, 2, 2, 1]);
    assert_eq!(seen.len(), 13);
    // The hook of all tasks: 4 emits of each, and what the spout is told.
    let of_all = ["emit", "execute", "ack", "fail", "cleanup"].map(|what| times(&all, &format!("any {what}")));
    assert_eq!(of_all, [8, 4, 2, 2, 2]);
    let fates = ["ack 0", "fail 1", "ack 2", "fail 3"].map(|fate| times(&all, &format!("any spout {fate}")));
    assert_eq!(fates, [1; 4]);
}

#[test]
fn a12_acks_are_counted_by_tuple() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("gathers", crate::bench::agg(4)).shuffle_grouping("numbers");
    let running = start(builder, StartOptions::default());
    (0..8).for_each(|number| feed.send(number));
    feed.wait_acked(8);
    wait_until("the bolt's count", || running.counts("gathers").acked == 8);
    wait_until("the spout's count", || running.counts("numbers").acked == 8);
}

/// Puts a thing in, and tells when it starts and ends.
struct Sharing(Seen<&'static str>);

impl WorkerHook for Sharing {
    fn start(&self, resources: &Resources) {
        self.0.note("start");
        resources.put("shared", Arc::new(Mutex::new(7_i64)));
    }

    fn shutdown(&self) {
        self.0.note("shutdown");
    }
}

struct Shares(Seen<&'static str>, Seen<Arc<Mutex<i64>>>);

impl Bolt for Shares {
    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.0.note("prepare");
        let shared = context.resources().get::<Mutex<i64>>("shared").expect("the hook has put it in");
        assert!(context.resources().get::<String>("shared").is_none(), "it is of another type");
        self.1.note(shared);
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        collector.ack(tuple);
        Ok(())
    }

    fn cleanup(&mut self) {
        self.0.note("cleanup");
    }
}

#[test]
fn a13_what_a_worker_hook_puts_in_is_there_before_prepare() {
    let (order, shared) = (Seen::default(), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Feed::default().spout());
    let make = {
        let (order, shared) = (order.clone(), shared.clone());
        move || Shares(order.clone(), shared.clone())
    };
    builder.set_bolt("shares", make).parallelism(2).shuffle_grouping("numbers");
    builder.add_worker_hook(Sharing(order.clone()));
    let running = start(builder, StartOptions::default());
    shared.wait_len(2);
    assert!(Arc::ptr_eq(&shared.all()[0], &shared.all()[1]), "the same thing");
    running.kill(Duration::ZERO).unwrap();
    assert_eq!(order.all(), ["start", "prepare", "prepare", "cleanup", "cleanup", "shutdown"]);
}

/// Tells of ticks and data, and of the wakers of its tasks.
struct Ticked(Seen<i32>, Seen<monsoon_topology::Waker>, i32);

impl Bolt for Ticked {
    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.2 = context.task().0;
        self.1.note(context.waker());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        assert!(tuple.is_tick() && tuple.source().0 == -1);
        assert_eq!((&*tuple.stream().component, &*tuple.stream().stream), ("__system", "__tick"));
        self.0.note(self.2);
        collector.ack(tuple);
        Ok(())
    }

    fn poll(&mut self, _: monsoon_topology::Moment, _: &mut BoltCollector) -> Outcome {
        // A negative number: the task was awake at this time.
        self.0.note(-self.2);
        Ok(())
    }
}

/// Also COR-16.
#[test]
fn a15_each_second_gives_one_tick_to_each_task() {
    let (clock, ticks, wakers) = (Arc::new(ManualClock::default()), Seen::default(), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Feed::default().spout());
    let make = {
        let (ticks, wakers) = (ticks.clone(), wakers.clone());
        move || Ticked(ticks.clone(), wakers.clone(), 0)
    };
    let bolt = builder.set_bolt("ticked", make).parallelism(2).tasks(4);
    bolt.config("topology.tick.tuple.freq.secs", 1).shuffle_grouping("numbers");
    let _running = start(builder, with_clock(&clock));
    wakers.wait_len(4);
    let mut rounds = 0;
    let mut pass = |by: Duration| {
        clock.advance(by);
        let noted = |task: i32| ticks.all().iter().filter(|seen| **seen == task).count();
        // Three calls of each task, so that a tick too many would have come.
        for _ in 0..3 {
            rounds += 1;
            wakers.all().iter().for_each(monsoon_topology::Waker::wake);
            wait_until("calls", || [2, 3, 4, 5].iter().all(|task| noted(-task) == rounds));
        }
        [2, 3, 4, 5].map(noted)
    };
    assert_eq!(pass(Duration::from_millis(999)), [0; 4]);
    assert_eq!(pass(Duration::from_millis(1)), [1; 4]);
    for second in 2..10 {
        assert_eq!(pass(Duration::from_secs(1)), [second; 4]);
    }
    assert_eq!(pass(Duration::from_millis(3_500)), [10; 4], "what was missed isn't made up for");
    assert_eq!(pass(Duration::from_millis(1_000)), [11; 4]);
}

/// Says something of itself, and tells what it is told.
struct Configured(Seen<[Option<Value>; 4]>);

const KEYS: [&str; 4] = ["topology.max.task.parallelism", "fake.config", "fake.config2", "fake.config3"];

impl Spout for Configured {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word"]);
    }

    fn configuration(&self) -> Config {
        let config = Config::default().with("fake.config", 123).unwrap();
        config.with("fake.config2", 456).unwrap().with("topology.max.task.parallelism", 2).unwrap()
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.0.note(KEYS.map(|key| context.config().get(key).cloned()));
        Ok(())
    }

    fn next_tuple(&mut self, _: &mut SpoutCollector) -> Outcome {
        Ok(())
    }
}

#[test]
fn a11_what_is_said_of_a_component_goes_before_what_it_says_and_that_before_the_topology() {
    let seen = Seen::default();
    let mut builder = TopologyBuilder::new();
    builder.config("topology.max.task.parallelism", 5).config("fake.config", 0).config("fake.config2", 0);
    builder.config("fake.config3", 987);
    let spout = builder.set_spout("configured", {
        let seen = seen.clone();
        move || Configured(seen.clone())
    });
    spout.parallelism(9).config("fake.config", "x").config("topology.max.task.parallelism", 3);
    let topology = builder.build("conformance").unwrap();
    assert_eq!(topology.info().components[0].tasks.len(), 3, "COR-12");
    let _running = monsoon_topology::RunningTopology::start(&topology, StartOptions::default()).unwrap();
    seen.wait_len(3);
    let expected = [Some(Value::Int(3)), Some("x".into()), Some(Value::Int(456)), Some(Value::Int(987))];
    assert_eq!(seen.all()[0], expected);
}

#[test]
fn cor14_a_value_of_the_wrong_kind_is_refused_and_an_unknown_key_kept() {
    let refused = |name: &str, value: Value| {
        let mut builder = TopologyBuilder::new();
        builder.config(name, value);
        builder.set_spout("s", || Feed::default().spout());
        builder.build("conformance").unwrap_err().to_string()
    };
    assert!(refused("topology.debug", "yes".into()).contains("must be of type Boolean"));
    assert!(refused("topology.max.spout.pending", 0.into()).contains("at least 1"));
    assert!(refused("topology.state.checkpoint.interval.ms", 99.into()).contains("at least 100"));
    let mut builder = TopologyBuilder::new();
    builder.config("some.key", 1);
    builder.set_spout("s", || Feed::default().spout()).config("other.key", values([1]));
    assert!(builder.build("conformance").is_ok());
}

#[test]
fn cor15_a_task_knows_itself_and_its_topology() {
    /// The task, its place, and all tasks with their components.
    type Known = (i32, usize, Vec<(i32, String)>);
    struct Knows(Seen<Known>);
    impl Bolt for Knows {
        fn prepare(&mut self, context: &TaskContext) -> Outcome {
            let tasks = context.topology().components_by_task().into_iter();
            let tasks = tasks.map(|(task, component)| (task.0, component.to_string())).collect();
            self.0.note((context.task().0, context.task_index(), tasks));
            assert_eq!((&*context.component().name, &*context.topology().name), ("knows", "conformance"));
            assert_eq!(context.component().inputs[0].stream.component, "numbers");
            Ok(())
        }
        fn execute(&mut self, _: &Tuple<'_>, _: &mut BoltCollector) -> Outcome {
            Ok(())
        }
    }
    let seen = Seen::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || Feed::default().spout());
    builder
        .set_bolt("knows", {
            let seen = seen.clone();
            move || Knows(seen.clone())
        })
        .parallelism(2)
        .shuffle_grouping("numbers");
    let _running = start(builder, StartOptions::default());
    seen.wait_len(2);
    let tasks = vec![(1, "numbers".to_string()), (2, "knows".to_string()), (3, "knows".to_string())];
    let mut all = seen.all();
    all.sort();
    assert_eq!(all, [(2, 0, tasks.clone()), (3, 1, tasks)]);
}

/// COR-25: what escapes a hook stops nobody either.
#[test]
fn cor20_a_panicking_hook_stops_nothing() {
    expect_panics();
    struct Bomb;
    impl TaskHook for Bomb {
        fn on_spout_ack(&mut self, _: &Value, _: Duration) {
            panic!("on purpose");
        }
    }
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder
        .set_bolt(
            "acks",
            doing(|tuple, collector| {
                collector.ack(tuple);
                Ok(())
            }),
        )
        .shuffle_grouping("numbers");
    builder.add_task_hook(|| Bomb);
    let running = start(builder, StartOptions::default());
    feed.send(1);
    feed.send(2);
    feed.wait_acked(2);
    wait_until("errors", || running.errors()[0].2 == 2);
}
