//! Start, stop, rebalance, and what becomes of errors (A-6, L-1, L-3, L-5, L-8, L-9, COR-5, COR-24, COR-25, LIF).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use monsoon_topology::{
    Bolt, BoltCollector, Error, ManualClock, MemoryCheckpoints, Outcome, RunningTopology, Spout, SpoutCollector,
    StartOptions, Status, Streams, TaskContext, TopologyBuilder, Tuple, Value,
};

use crate::bench::{Feed, Seen, WAIT, doing, expect_panics, identity, start, values, wait_until, with_clock};

/// A spout of a feed, and a bolt that acks.
fn simple(feed: &Feed) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
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
        .shuffle_grouping("words");
    builder
}

/// Also COR-24.
#[test]
fn a06_an_inactive_topology_opens_and_does_nothing() {
    let (feed, prepared) = (Feed::default(), Seen::default());
    struct Tells(Seen<()>);
    impl Bolt for Tells {
        fn prepare(&mut self, _: &TaskContext) -> Outcome {
            self.0.note(());
            Ok(())
        }
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            collector.ack(tuple);
            Ok(())
        }
    }
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let bolt = builder.set_bolt("acks", {
        let prepared = prepared.clone();
        move || Tells(prepared.clone())
    });
    bolt.config("topology.tick.tuple.freq.secs", 1).shuffle_grouping("words");
    let clock = Arc::new(ManualClock::default());
    let running = start(builder, StartOptions { active: false, ..with_clock(&clock) });
    feed.send("a");
    (0..20).for_each(|_| clock.advance(Duration::from_secs(1)));
    assert!(running.wait_settled(WAIT));
    assert_eq!(running.status(), Status::Inactive);
    assert_eq!((feed.opened(), feed.calls(), prepared.len()), (0, 0, 0));
    running.activate().unwrap();
    assert_eq!(running.status(), Status::Active);
    feed.wait_acked(1);
    assert_eq!((feed.opened(), prepared.len()), (1, 1));
}

/// Tells what is called, and by which thread.
struct Phases(Seen<(&'static str, ThreadId)>);

impl Phases {
    fn note(&self, phase: &'static str) -> Outcome {
        let thread = std::thread::current().id();
        if self.0.all().last() != Some(&(phase, thread)) {
            self.0.note((phase, thread));
        }
        Ok(())
    }
}

impl Spout for Phases {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word"]);
    }
    fn open(&mut self, _: &TaskContext) -> Outcome {
        self.note("open")
    }
    fn activate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.note("activate")
    }
    fn deactivate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.note("deactivate")
    }
    fn next_tuple(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.note("next")
    }
    fn close(&mut self) {
        self.0.note(("close", std::thread::current().id()));
    }
}

#[test]
fn lif03_a_deactivated_spout_is_told_and_asked_for_nothing() {
    let phases = Seen::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("phases", {
        let phases = phases.clone();
        move || Phases(phases.clone())
    });
    let running = start(builder, StartOptions::default());
    phases.wait_len(3);
    running.deactivate().unwrap();
    assert_eq!(running.status(), Status::Inactive);
    phases.wait_len(4);
    running.activate().unwrap();
    phases.wait_len(6);
    running.kill(WAIT).unwrap();
    let (names, threads): (Vec<_>, Vec<_>) = phases.all().into_iter().unzip();
    let expected = ["open", "activate", "next", "deactivate", "activate", "next", "deactivate", "close"];
    assert_eq!(names, expected);
    let threads: BTreeSet<String> = threads[..7].iter().map(|thread| format!("{thread:?}")).collect();
    assert_eq!(threads.len(), 1, "COR-5: one thread");
}

#[test]
fn lif03_what_is_in_flight_is_finished_when_deactivated() {
    let feed = Feed::default();
    let running = start(simple(&feed), StartOptions::default());
    (0..1_000).for_each(|number| feed.send(number));
    wait_until("some", || !feed.acked().is_empty());
    running.deactivate().unwrap();
    assert!(running.wait_settled(WAIT));
    let (emitted, calls) = (running.counts("words").emitted, feed.calls());
    assert_eq!(feed.acked().len() as u64, emitted);
    assert!(running.wait_settled(WAIT));
    assert_eq!(feed.calls(), calls);
    running.activate().unwrap();
    feed.wait_acked(1_000);
}

#[test]
fn l01_a_name_with_a_slash_is_refused() {
    for name in ["a/b", "", "__a", "a\\b", "a:b"] {
        let mut builder = TopologyBuilder::new();
        builder.set_spout("words", || Feed::default().spout());
        assert!(matches!(builder.build(name), Err(Error::InvalidTopology(_))), "{name:?}");
    }
    let mut builder = TopologyBuilder::new();
    builder.set_spout("a/b", || Feed::default().spout());
    assert!(matches!(builder.build("conformance"), Err(Error::InvalidTopology(_))));
}

/// Storm starts a component of 0 tasks, which swallows what it is sent; ours is refused.
#[test]
fn l03_tasks_are_as_many_as_said() {
    let with_tasks = |tasks| {
        let mut builder = TopologyBuilder::new();
        builder.set_spout("1", || Feed::default().spout()).tasks(tasks);
        builder.set_bolt("2", identity()).parallelism(1).tasks(2).shuffle_grouping("1");
        builder.set_bolt("3", identity()).tasks(5).shuffle_grouping("1");
        builder.build("conformance")
    };
    let topology = with_tasks(3).unwrap();
    let tasks: Vec<usize> = topology.info().components.iter().map(|component| component.tasks.len()).collect();
    assert_eq!(tasks, [3, 2, 5]);
    let running = RunningTopology::start(&topology, StartOptions::default()).unwrap();
    assert_eq!(running.executors().into_iter().map(|(_, executors)| executors).collect::<Vec<_>>(), [1, 1, 1]);
    assert!(matches!(with_tasks(0), Err(Error::InvalidTopology(_))));
}

#[test]
fn l05_a_killed_topology_is_gone_after_the_wait() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder
        .set_bolt(
            "holds",
            doing(|tuple, _| {
                drop(tuple.hold());
                Ok(())
            }),
        )
        .shuffle_grouping("words");
    let running = start(builder, StartOptions::default());
    feed.send("never acked");
    wait_until("execution", || running.counts("holds").executed == 1);
    let (wait, started) = (Duration::from_millis(500), Instant::now());
    std::thread::scope(|scope| {
        let killing = scope.spawn(|| running.kill(wait));
        wait_until("the status", || running.status() == Status::Killed);
        assert!(!killing.is_finished() || started.elapsed() >= wait, "it waits for what is under way");
        assert_eq!(running.activate(), Err(Error::NotAlive("conformance".into())));
        killing.join().unwrap().unwrap();
    });
    assert!(started.elapsed() >= wait && started.elapsed() < wait + Duration::from_secs(10));
    assert_eq!(running.kill(wait), Err(Error::NotAlive("conformance".into())));
    assert_eq!(running.rebalance(&BTreeMap::from([("words".into(), 1)])), Err(Error::NotAlive("conformance".into())));
}

#[test]
fn l05_a_kill_finishes_what_is_under_way_and_no_more() {
    let feed = Feed::default();
    let running = start(simple(&feed), StartOptions::default());
    (0..1_000).for_each(|number| feed.send(number));
    wait_until("some", || !feed.acked().is_empty());
    running.kill(WAIT).unwrap();
    assert_eq!(feed.acked().len() as u64, running.counts("words").emitted);
    assert_eq!(running.counts("acks").executed, running.counts("words").emitted);
}

/// Untracked tuples are under way too.
#[test]
fn l05_a_kill_waits_for_a_bolt_at_work() {
    let (started, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let slow = {
        let (started, done) = (started.clone(), done.clone());
        doing(move |_, _| {
            started.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(50));
            done.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    };
    builder.set_bolt("slow", slow).shuffle_grouping("words");
    let running = start(builder, StartOptions::default());
    (0..4).for_each(|number| feed.send_row(values([number]), None));
    wait_until("work", || started.load(Ordering::SeqCst));
    running.kill(WAIT).unwrap();
    assert_eq!(done.load(Ordering::SeqCst) as u64, running.counts("words").emitted);
}

#[test]
fn l05_a_kill_of_a_topology_that_was_never_active_ends_at_once() {
    struct Nothing;
    impl monsoon_topology::StatefulBolt for Nothing {
        fn execute(
            &mut self,
            _: &Tuple<'_>,
            _: &mut monsoon_topology::KeyValueState,
            _: &mut BoltCollector,
        ) -> Outcome {
            Ok(())
        }
    }
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", || crate::state::Numbers::up_to(10));
    builder.set_stateful_bolt("state", || Nothing).shuffle_grouping("numbers");
    let checkpoints = Some(Arc::new(MemoryCheckpoints::default()) as _);
    let running = start(builder, StartOptions { active: false, checkpoints, ..StartOptions::default() });
    let started = Instant::now();
    running.checkpoint().unwrap();
    running.kill(Duration::ZERO).unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn l08_a_rebalance_to_what_can_not_be_is_refused() {
    let mut builder = simple(&Feed::default());
    builder.set_bolt("many", identity()).parallelism(2).tasks(4).shuffle_grouping("words");
    let running = start(builder, StartOptions::default());
    for (component, executors) in [("many", 0), ("many", 5), ("none", 1)] {
        let refused = running.rebalance(&BTreeMap::from([(component.to_string(), executors)]));
        assert!(matches!(refused, Err(Error::InvalidTopology(_))), "{component} {executors}");
    }
    // All or nothing.
    let refused = running.rebalance(&BTreeMap::from([("acks".into(), 9), ("many".into(), 4)]));
    assert!(refused.is_err());
    assert_eq!(running.executors().into_iter().map(|(_, executors)| executors).collect::<Vec<_>>(), [1, 1, 2]);
}

/// Tells the thread that each task was in at its last tuple.
struct Threads(Seen<(i32, ThreadId)>, i32);

impl Bolt for Threads {
    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.1 = context.task().0;
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0.note((self.1, std::thread::current().id()));
        collector.ack(tuple);
        Ok(())
    }
}

#[test]
fn l09_tasks_are_spread_evenly_over_the_executors_asked_for() {
    let (feed, seen) = (Feed::default(), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let bolt = builder.set_bolt("threads", {
        let seen = seen.clone();
        move || Threads(seen.clone(), 0)
    });
    bolt.parallelism(6).tasks(12).all_grouping("words");
    let running = start(builder, StartOptions::default());
    let tasks_per_thread = |round: usize| {
        feed.send(round as i64);
        feed.wait_acked(round);
        let last = seen.all().split_off(12 * (round - 1));
        let threads: BTreeMap<i32, String> =
            last.into_iter().map(|(task, thread)| (task, format!("{thread:?}"))).collect();
        assert_eq!(threads.len(), 12, "every task got it");
        let mut in_order: Vec<(String, usize)> = Vec::new();
        for thread in threads.into_values() {
            match in_order.iter_mut().find(|(known, _)| *known == thread) {
                Some((_, tasks)) => *tasks += 1,
                None => in_order.push((thread, 1)),
            }
        }
        in_order.into_iter().map(|(_, tasks)| tasks).collect::<Vec<_>>()
    };
    assert_eq!(tasks_per_thread(1), [2; 6]);
    for (round, executors, expected) in [(2, 1, vec![12]), (3, 8, vec![2, 2, 2, 2, 1, 1, 1, 1]), (4, 12, vec![1; 12])] {
        running.rebalance(&BTreeMap::from([("threads".into(), executors)])).unwrap();
        assert_eq!(tasks_per_thread(round), expected);
    }
}

#[test]
fn lif06_a_rebalance_under_load_loses_and_doubles_nothing() {
    const TUPLES: i64 = 200_000;
    struct Tracked(Seen<Value>, Seen<Value>, i64);
    impl Spout for Tracked {
        fn declare(&self, streams: &mut Streams) {
            streams.declare(["word"]);
        }
        fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
            if self.2 < TUPLES {
                collector.emit_tracked([self.2], self.2)?;
                self.2 += 1;
            }
            Ok(())
        }
        fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
            self.0.note(id);
            Ok(())
        }
        fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
            self.1.note(id);
            Ok(())
        }
    }
    let (acked, failed, seen) = (Seen::default(), Seen::default(), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.config("topology.max.spout.pending", 5_000).config("topology.executor.receive.buffer.size", 500);
    builder.set_spout("words", {
        let (acked, failed) = (acked.clone(), failed.clone());
        move || Tracked(acked.clone(), failed.clone(), 0)
    });
    builder.set_bolt("first", identity()).parallelism(2).tasks(6).shuffle_grouping("words");
    let note = {
        let seen = seen.clone();
        doing(move |tuple, collector| {
            seen.note(tuple.int("word")?);
            collector.ack(tuple);
            Ok(())
        })
    };
    builder.set_bolt("second", note).parallelism(1).tasks(4).fields_grouping("first", ["word"]);
    let running = start(builder, StartOptions::default());
    let mut rebalances = 0;
    for (first, second) in [(1, 4), (6, 1), (3, 2), (2, 3)].into_iter().cycle() {
        if acked.len() == TUPLES as usize {
            break;
        }
        let executors = [("first".to_string(), first), ("second".to_string(), second), ("words".to_string(), 1)];
        running.rebalance(&BTreeMap::from(executors)).unwrap();
        rebalances += 1;
        let before = acked.len();
        wait_until("progress", || acked.len() > before || acked.len() == TUPLES as usize);
    }
    assert!(rebalances >= 4, "{rebalances} rebalances");
    assert!(failed.all().is_empty());
    let mut all = seen.all();
    all.sort_unstable();
    assert_eq!(all, (0..TUPLES).collect::<Vec<_>>());
}

#[test]
fn cor25_a_panicking_bolt_is_begun_anew_and_its_tuple_replayed() {
    expect_panics();
    let (feed, prepared) = (Feed::default(), Arc::new(AtomicUsize::new(0)));
    struct Bomb(usize, Arc<AtomicUsize>);
    impl Bolt for Bomb {
        fn prepare(&mut self, _: &TaskContext) -> Outcome {
            self.0 = self.1.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            if tuple.int("word")? == 5 && self.0 < 2 {
                panic!("on purpose");
            }
            collector.ack(tuple);
            Ok(())
        }
    }
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout().replaying()
    });
    builder
        .set_bolt("bomb", {
            let prepared = prepared.clone();
            move || Bomb(0, prepared.clone())
        })
        .shuffle_grouping("words");
    builder
        .set_bolt(
            "other",
            doing(|tuple, collector| {
                collector.ack(tuple);
                Ok(())
            }),
        )
        .shuffle_grouping("words");
    let running = start(builder, StartOptions::default());
    (0..10).for_each(|number| feed.send(number));
    feed.wait_acked(10);
    assert_eq!(feed.failed(), values([5, 5]), "the tuple in work failed at once, no other");
    assert_eq!(feed.acked().last(), Some(&Value::Int(5)));
    assert_eq!((prepared.load(Ordering::SeqCst), running.counts("bomb").restarts), (3, 2));
    assert_eq!(running.counts("other").restarts, 0, "others go on");
    let errors = running.errors();
    let (_, errors, total) = errors.iter().find(|(component, ..)| component == "bomb").unwrap();
    assert_eq!((errors.len(), *total), (2, 2));
    assert!(errors[0].message.contains("on purpose"));
}

#[test]
fn cor25_a_bolt_that_can_not_be_prepared_is_tried_again_and_nothing_is_lost() {
    let (feed, tries) = (Feed::default(), Arc::new(AtomicUsize::new(0)));
    struct Late(Arc<AtomicUsize>);
    impl Bolt for Late {
        fn prepare(&mut self, _: &TaskContext) -> Outcome {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0..3 => Err(monsoon_topology::Failure::new("not yet")),
                _ => Ok(()),
            }
        }
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            collector.ack(tuple);
            Ok(())
        }
    }
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder
        .set_bolt("late", {
            let tries = tries.clone();
            move || Late(tries.clone())
        })
        .shuffle_grouping("words");
    let _running = start(builder, StartOptions::default());
    (0..10).for_each(|number| feed.send(number));
    feed.wait_acked(10);
    assert_eq!((tries.load(Ordering::SeqCst), feed.failed().len()), (4, 0));
}

#[test]
fn cor25_reported_errors_are_shown_5_in_10_seconds() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let reports = doing(|tuple, collector| {
        collector.report_error(format!("error {}", tuple.int("word")?));
        collector.ack(tuple);
        Ok(())
    });
    builder.set_bolt("reports", reports).shuffle_grouping("words");
    let running = start(builder, with_clock(&clock));
    let shown = || {
        let errors = running.errors();
        let (_, errors, total) = errors.into_iter().find(|(component, ..)| component == "reports").unwrap();
        (errors.into_iter().map(|error| error.message).collect::<Vec<_>>(), total)
    };
    (0..8).for_each(|number| feed.send(number));
    feed.wait_acked(8);
    let first: Vec<String> = (0..5).map(|number| format!("error {number}")).collect();
    assert_eq!(shown(), (first.clone(), 8));
    clock.advance(Duration::from_secs(10));
    feed.look();
    feed.send(8);
    feed.wait_acked(9);
    assert_eq!(shown(), ([first, vec!["error 8".to_string()]].concat(), 9));
    assert!(feed.failed().is_empty(), "a reported error fails nothing");
}
