//! Trees of tuples: when they are complete, when they fail, when they time out (A-1 to, REL).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use monsoon_topology::{
    Bolt, BoltCollector, Grouping, HeldTuple, ManualClock, Outcome, StartOptions, Streams, TopologyBuilder, Tuple,
    Value,
};
use parking_lot::Mutex;

use crate::bench::{Feed, Seen, agg, branching, doing, expect_panics, identity, start, values, wait_until, with_clock};

const SECOND: Duration = Duration::from_secs(1);

/// Moves the clock on second by second; the spout looks at each.
fn pass(clock: &ManualClock, feed: &Feed, seconds: usize) {
    for _ in 0..seconds {
        clock.advance(SECOND);
        feed.look();
    }
}

#[test]
fn a01_timeout_between_one_and_two_periods() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.message.timeout.secs", 10);
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let count = AtomicUsize::new(0);
    let every_other = doing(move |tuple, collector| {
        if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            collector.ack(tuple);
        } else {
            drop(tuple.hold());
        }
        Ok(())
    });
    builder.set_bolt("every other", every_other).global_grouping("words");
    let _running = start(builder, with_clock(&clock));
    ["a", "b", "c"].into_iter().for_each(|word| feed.send(word));
    feed.wait_acked(2);
    pass(&clock, &feed, 9);
    assert_eq!((feed.acked(), feed.failed()), (values(["a", "c"]), vec![]));
    pass(&clock, &feed, 12);
    assert_eq!((feed.acked(), feed.failed()), (values(["a", "c"]), values(["b"])));
}

/// Keeps the first tuple alive with each later one, and acks it when it is told to; never acks another.
struct KeepsFirst {
    first: Option<HeldTuple>,
}

impl Bolt for KeepsFirst {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        match (tuple.text("word")?, &self.first) {
            ("first", _) => self.first = Some(tuple.hold()),
            ("second", _) => drop(tuple.hold()),
            ("ack", Some(first)) => {
                collector.ack(first);
                collector.ack(tuple);
            }
            (_, Some(first)) => {
                collector.reset_timeout(first);
                collector.ack(tuple);
            }
            (word, None) => panic!("{word} before the first"),
        }
        Ok(())
    }
}

#[test]
fn a02_a_reset_timeout_keeps_a_tree_alive() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.message.timeout.secs", 10);
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("keeps first", || KeepsFirst { first: None }).global_grouping("words");
    let _running = start(builder, with_clock(&clock));
    feed.look();
    feed.send("first");
    feed.send("second");
    for reset in 0..5 {
        pass(&clock, &feed, 4);
        feed.send("reset");
        feed.wait_acked(reset + 1);
    }
    assert_eq!(feed.failed(), values(["second"]), "at 20 seconds");
    feed.send("ack");
    feed.wait_acked(7);
    assert!(feed.acked().contains(&"first".into()));
    pass(&clock, &feed, 25);
    assert_eq!(feed.failed(), values(["second"]));
}

#[test]
fn a03_a_root_is_acked_when_every_descendant_of_every_anchor_is() {
    let feeds = [Feed::default(), Feed::default(), Feed::default()];
    let mut builder = TopologyBuilder::new();
    for (place, feed) in feeds.iter().enumerate() {
        builder.set_spout(&format!("{}", place + 1), {
            let feed = feed.clone();
            move || feed.spout()
        });
    }
    builder.set_bolt("4", branching(2)).shuffle_grouping("1");
    builder.set_bolt("5", branching(4)).shuffle_grouping("2");
    builder.set_bolt("6", branching(1)).shuffle_grouping("3");
    builder.set_bolt("7", agg(3)).shuffle_grouping("4").shuffle_grouping("5").shuffle_grouping("6");
    builder.set_bolt("8", branching(2)).shuffle_grouping("7");
    let acked = Seen::default();
    let ack = {
        let acked = acked.clone();
        doing(move |tuple, collector| {
            collector.ack(tuple);
            acked.note(());
            Ok(())
        })
    };
    builder.set_bolt("9", ack).shuffle_grouping("8");
    let running = start(builder, StartOptions::default());
    let [one, two, three] = &feeds;
    let gathered = |tuples: u64| wait_until("tuples at the gathering bolt", || running.counts("7").executed == tuples);
    let counts = || feeds.each_ref().map(|feed| feed.acked().len());

    one.send(1);
    gathered(2);
    one.look();
    assert_eq!(counts(), [0, 0, 0]);
    two.send(1);
    // 2 and 4 tuples: two threes.
    one.wait_acked(1);
    two.wait_acked(1);
    assert_eq!(counts(), [1, 1, 0]);
    one.send(2);
    gathered(8);
    one.look();
    assert_eq!(counts(), [1, 1, 0]);
    one.send(3);
    // 4 tuples: one three that completes the second root, and one of the third is left.
    one.wait_acked(2);
    assert_eq!(one.acked(), values([1, 2]));
    three.send(1);
    gathered(11);
    three.look();
    assert_eq!(counts(), [2, 1, 0]);
    three.send(2);
    // The last of the third root and both of the third spout.
    one.wait_acked(3);
    three.wait_acked(2);
    // Each of 4 threes was emitted once and doubled.
    acked.wait_len(8);
    assert!(running.wait_settled(crate::bench::WAIT));
    assert!(feeds.iter().all(|feed| feed.failed().is_empty()));
}

#[test]
fn a04_branches_that_meet_again() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("1", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("2", identity()).shuffle_grouping("1");
    builder.set_bolt("3", identity()).shuffle_grouping("1");
    builder.set_bolt("4", agg(4)).shuffle_grouping("2").shuffle_grouping("3");
    let running = start(builder, StartOptions::default());
    feed.send(1);
    wait_until("two tuples at the gathering bolt", || running.counts("4").executed == 2);
    feed.look();
    assert_eq!(feed.acked(), []);
    feed.send(2);
    feed.wait_acked(2);
}

fn self_anchoring(agg_size: usize) {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("1", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let twice = doing(|tuple, collector| {
        collector.emit(&[tuple, tuple][..], *tuple)?;
        collector.ack(tuple);
        Ok(())
    });
    builder.set_bolt("2", twice).shuffle_grouping("1");
    builder.set_bolt("3", agg(agg_size)).shuffle_grouping("2");
    let running = start(builder, StartOptions::default());
    for number in 0..agg_size as i64 {
        feed.look();
        assert_eq!(feed.acked(), [], "before the last");
        feed.send(number);
    }
    feed.wait_acked(agg_size);
    assert!(running.wait_settled(crate::bench::WAIT));
    assert_eq!((feed.acked().len(), feed.failed().len()), (agg_size, 0), "each exactly once");
}

/// Also REL-16.
#[test]
fn a05_the_same_tuple_may_be_an_anchor_twice() {
    self_anchoring(1);
    self_anchoring(3);
}

/// Also COR-7: a bolt may ack and emit from other threads.
#[test]
fn a18_threads_of_a_bolt_lose_and_mix_nothing() {
    const TUPLES: i64 = 4_000;
    struct Pool(Vec<std::sync::mpsc::Sender<HeldTuple>>, usize);
    impl Bolt for Pool {
        fn declare(&self, streams: &mut Streams) {
            streams.declare(["number", "double"]);
        }
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            while self.0.len() < 4 {
                let (sender, receiver) = std::sync::mpsc::channel::<HeldTuple>();
                let remote = collector.remote();
                std::thread::spawn(move || {
                    for held in receiver {
                        remote.run(move |collector| {
                            let number = held.tuple().int("word")?;
                            collector.emit(&held, [number, 2 * number])?;
                            collector.ack(&held);
                            Ok(())
                        });
                    }
                });
                self.0.push(sender);
            }
            self.1 = (self.1 + 1) % 4;
            Ok(self.0[self.1].send(tuple.hold())?)
        }
    }
    let (feed, seen) = (Feed::default(), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("pool", || Pool(Vec::new(), 0)).parallelism(2).shuffle_grouping("numbers");
    let note = {
        let seen = seen.clone();
        move |tuple: &Tuple<'_>, collector: &mut BoltCollector| {
            seen.note((tuple.int("number")?, tuple.int("double")?));
            collector.ack(tuple);
            Ok(())
        }
    };
    builder.set_bolt("sink", doing(note)).shuffle_grouping("pool");
    let _running = start(builder, StartOptions::default());
    (0..TUPLES).for_each(|number| feed.send(number));
    feed.wait_acked(TUPLES as usize);
    let mut all = seen.all();
    all.sort();
    assert_eq!(all, (0..TUPLES).map(|number| (number, 2 * number)).collect::<Vec<_>>());
}

#[test]
fn rel03_a_failed_tuple_fails_its_roots_at_once() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("branches", branching(3)).shuffle_grouping("words");
    let fails = doing(|tuple, collector| {
        match tuple.text("word")? {
            "bad" => collector.fail(tuple),
            "error" => return Err(monsoon_topology::Failure::new("no")),
            _ => collector.ack(tuple),
        }
        Ok(())
    });
    builder.set_bolt("fails", fails).shuffle_grouping("branches");
    let running = start(builder, with_clock(&clock));
    ["good", "bad", "error"].into_iter().for_each(|word| feed.send(word));
    wait_until("fates", || feed.acked().len() + feed.failed().len() == 3);
    assert!(running.wait_settled(crate::bench::WAIT));
    assert_eq!(feed.acked(), values(["good"]));
    let mut failed = feed.failed();
    failed.sort_by_key(|word| word.to_string());
    assert_eq!(failed, values(["bad", "error"]), "once each, although three descendants failed");
}

#[test]
fn rel07_without_ackers_a_tuple_is_acked_as_soon_as_it_is_emitted() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.acker.executors", 0);
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let fails = doing(|tuple, collector| {
        collector.fail(tuple);
        Ok(())
    });
    builder.set_bolt("fails", fails).shuffle_grouping("words");
    let running = start(builder, with_clock(&clock));
    ["a", "b"].into_iter().for_each(|word| feed.send(word));
    feed.wait_acked(2);
    wait_until("execution", || running.counts("fails").executed == 2);
    pass(&clock, &feed, 61);
    assert_eq!((feed.acked(), feed.failed()), (values(["a", "b"]), vec![]));
}

#[test]
fn rel08_what_is_not_tracked_or_not_anchored_is_left_to_itself() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let unanchored = doing(|tuple, collector| {
        collector.emit((), *tuple)?;
        collector.ack(tuple);
        Ok(())
    });
    builder.set_bolt("cuts", unanchored).shuffle_grouping("words");
    let lost = doing(|tuple, collector| {
        collector.fail(tuple);
        Ok(())
    });
    builder.set_bolt("fails", lost).shuffle_grouping("cuts");
    let running = start(builder, with_clock(&clock));
    feed.send("tracked");
    feed.send_row(values(["untracked"]), None);
    wait_until("execution", || running.counts("fails").executed == 2);
    feed.wait_acked(1);
    pass(&clock, &feed, 61);
    assert_eq!((feed.acked(), feed.failed()), (values(["tracked"]), vec![]));
}

#[test]
fn rel09_no_more_than_max_spout_pending_are_open() {
    let (feed, held) = (Feed::default(), Arc::new(Mutex::new(Vec::<HeldTuple>::new())));
    let mut builder = TopologyBuilder::new();
    builder
        .set_spout("words", {
            let feed = feed.clone();
            move || feed.spout()
        })
        .config("topology.max.spout.pending", 3);
    let hold = {
        let held = held.clone();
        doing(move |tuple, _| {
            held.lock().push(tuple.hold());
            Ok(())
        })
    };
    builder.set_bolt("holds", hold).shuffle_grouping("words");
    let flush = Feed::default();
    builder.set_spout("flush", {
        let flush = flush.clone();
        move || flush.spout()
    });
    let acks = {
        let held = held.clone();
        doing(move |tuple, collector| {
            collector.ack(std::mem::take(&mut *held.lock()));
            collector.ack(tuple);
            Ok(())
        })
    };
    builder.set_bolt("acks", acks).shuffle_grouping("flush");
    let running = start(builder, StartOptions::default());
    (0..8).for_each(|number| feed.send(number));
    for expected in [3, 6, 8] {
        wait_until("tuples", || running.counts("holds").executed == expected);
        wait_until("the spout's count", || running.counts("words").emitted >= expected);
        assert_eq!((running.counts("words").emitted, running.counts("holds").executed), (expected, expected));
        assert!(running.counts("words").pending <= 3);
        flush.send("flush");
        feed.wait_acked(expected as usize);
    }
}

#[test]
fn rel09_tuples_without_an_id_are_not_pending() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder
        .set_spout("words", {
            let feed = feed.clone();
            move || feed.spout()
        })
        .config("topology.max.spout.pending", 1);
    let hold = doing(|tuple, _| {
        drop(tuple.hold());
        Ok(())
    });
    builder.set_bolt("holds", hold).shuffle_grouping("words");
    let running = start(builder, StartOptions::default());
    (0..10).for_each(|number| feed.send_row(values([number]), None));
    wait_until("tuples", || running.counts("holds").executed == 10);
}

#[test]
fn rel11_a_tuple_that_nobody_reads_is_acked_at_once() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let _running = start(builder, StartOptions::default());
    feed.send("a");
    feed.wait_acked(1);
}

#[test]
fn rel12_a_panicking_spout_has_its_open_tuples_failed_to_its_successor() {
    expect_panics();
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    let bomb = Arc::new(AtomicUsize::new(0));
    struct Bomb(crate::bench::Feeder, Arc<AtomicUsize>);
    impl monsoon_topology::Spout for Bomb {
        fn declare(&self, streams: &mut Streams) {
            self.0.declare(streams);
        }
        fn open(&mut self, context: &monsoon_topology::TaskContext) -> Outcome {
            self.0.open(context)
        }
        fn next_tuple(&mut self, collector: &mut monsoon_topology::SpoutCollector) -> Outcome {
            if self.1.compare_exchange(1, 2, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                panic!("on purpose");
            }
            self.0.next_tuple(collector)
        }
        fn ack(&mut self, id: Value, collector: &mut monsoon_topology::SpoutCollector) -> Outcome {
            self.0.ack(id, collector)
        }
        fn fail(&mut self, id: Value, collector: &mut monsoon_topology::SpoutCollector) -> Outcome {
            self.0.fail(id, collector)
        }
    }
    builder.set_spout("words", {
        let (feed, bomb) = (feed.clone(), bomb.clone());
        move || Bomb(feed.spout(), bomb.clone())
    });
    let hold = doing(|tuple, _| {
        drop(tuple.hold());
        Ok(())
    });
    builder.set_bolt("holds", hold).shuffle_grouping("words");
    let running = start(builder, StartOptions::default());
    feed.send("open");
    wait_until("execution", || running.counts("holds").executed == 1);
    bomb.store(1, Ordering::SeqCst);
    wait_until("a fail", || feed.failed() == values(["open"]));
    assert_eq!(feed.opened(), 2);
    assert_eq!(running.counts("words").restarts, 1);
}

#[test]
fn rel15_with_timeouts_off_a_tree_waits_for_ever() {
    let (feed, clock) = (Feed::default(), Arc::new(ManualClock::default()));
    let held = Arc::new(Mutex::new(None::<HeldTuple>));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.enable.message.timeouts", false).config("topology.message.timeout.secs", 1);
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let hold = {
        let held = held.clone();
        doing(move |tuple, collector| {
            let first = held.lock().take();
            match first {
                None => *held.lock() = Some(tuple.hold()),
                Some(first) => collector.ack(&[first, tuple.hold()][..]),
            }
            Ok(())
        })
    };
    builder.set_bolt("holds", hold).shuffle_grouping("words");
    let running = start(builder, with_clock(&clock));
    feed.send("first");
    wait_until("execution", || running.counts("holds").executed == 1);
    pass(&clock, &feed, 100);
    assert_eq!(feed.failed(), []);
    feed.send("second");
    feed.wait_acked(2);
}

#[test]
fn rel17_order_is_kept_from_task_to_task_across_streams() {
    const TUPLES: i64 = 50_000;
    struct TwoStreams;
    impl Bolt for TwoStreams {
        fn declare(&self, streams: &mut Streams) {
            streams.declare(["source", "number"]);
            streams.declare_stream("other", ["number", "source"]);
        }
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            let number = tuple.int("number")?;
            let source = tuple.int("source")?;
            match number % 3 {
                0 => collector.emit_on("other", tuple, [number, source])?,
                _ => collector.emit(tuple, [source, number])?,
            };
            collector.ack(tuple);
            Ok(())
        }
    }
    let mut builder = TopologyBuilder::new();
    let mut next = 0;
    builder
        .set_spout_fn("numbers", ["number"], move || {
            next += 1;
            (next <= TUPLES).then(|| vec![Value::Int(next)])
        })
        .parallelism(2);
    struct Named(i64);
    impl Bolt for Named {
        fn declare(&self, streams: &mut Streams) {
            streams.declare(["source", "number"]);
        }
        fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
            self.0 = i64::from(tuple.source().0);
            collector.emit(tuple, [self.0, tuple.int("number")?])?;
            Ok(())
        }
    }
    builder.set_bolt("named", || Named(0)).global_grouping("numbers");
    builder.set_bolt("two streams", || TwoStreams).global_grouping("named");
    let seen = Seen::default();
    let note = {
        let seen = seen.clone();
        doing(move |tuple, _| {
            seen.note((tuple.int("source")?, tuple.int("number")?));
            Ok(())
        })
    };
    builder.set_bolt("sink", note).global_grouping("two streams").grouping("two streams", "other", Grouping::Global);
    let _running = start(builder, StartOptions::default());
    seen.wait_len(2 * TUPLES as usize);
    for source in [1, 2] {
        let of_source: Vec<i64> = seen.all().into_iter().filter(|(from, _)| *from == source).map(|(_, n)| n).collect();
        assert_eq!(of_source, (1..=TUPLES).collect::<Vec<_>>(), "from task {source}");
    }
}
