//! What becomes of a tuple that a bolt fails every time: Storm replays it for ever; `on_error = 'skip'` doesn't.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, WindowedBolt};
use monsoon_topology::{
    BoltCollector, CheckpointStore, Failure, KeyValueState, MemoryCheckpoints, Outcome, RunningTopology, StartOptions,
    StatefulBolt, TopologyBuilder, Tuple, Value,
};

use crate::bench::{Feed, Seen, doing, expect_panics, start, values, wait_until};
use crate::state::{Numbers, add, keeps, stored, with_store};

/// How a bolt fails a tuple.
#[derive(Clone, Copy, Debug)]
enum Way {
    Error,
    Panic,
    /// By [`BoltCollector::fail_because`], of a tuple that it has kept.
    Later,
}

impl Way {
    fn fail(self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        match self {
            Way::Error => return Err(Failure::new("on purpose")),
            Way::Panic => panic!("on purpose"),
            Way::Later => collector.fail_because(&tuple.hold().tuple(), "on purpose"),
        }
        Ok(())
    }
}

fn texts(tuple: &Tuple<'_>) -> Vec<String> {
    tuple.values().iter().map(ToString::to_string).collect()
}

/// A spout that replays, a bolt, and one that notes what comes on the bolt's stream `skipped`.
fn at_least_once(
    feed: &Feed,
    attempts: i64,
    work: impl Fn(&Tuple<'_>, &mut BoltCollector) -> Outcome + Send + Sync + 'static,
) -> (TopologyBuilder, Seen<Vec<String>>) {
    let letters = Seen::default();
    let mut builder = TopologyBuilder::new();
    builder.config("on_error", "skip").config("error_attempts", attempts);
    builder.set_spout("feed", {
        let feed = feed.clone();
        move || feed.spout().replaying()
    });
    builder.set_bolt("bolt", doing(work)).shuffle_grouping("feed");
    let noted = letters.clone();
    let note = doing(move |tuple, collector| {
        noted.note(texts(tuple));
        collector.ack(tuple);
        Ok(())
    });
    builder.set_bolt("letters", note).grouping("bolt", "skipped", monsoon_topology::Grouping::Global);
    (builder, letters)
}

fn error_texts(running: &RunningTopology, component: &str) -> Vec<String> {
    let errors = running.errors().into_iter().filter(|(name, ..)| name == component);
    errors.flat_map(|(_, errors, _)| errors).map(|error| error.message).collect()
}

#[test]
fn a_tuple_that_fails_every_time_is_acked_after_its_attempts() {
    expect_panics();
    for (way, error) in [(Way::Error, "on purpose"), (Way::Panic, "panicked: on purpose"), (Way::Later, "on purpose")] {
        let (feed, tried) = (Feed::default(), Arc::new(AtomicU64::new(0)));
        let counted = tried.clone();
        let work = move |tuple: &Tuple<'_>, collector: &mut BoltCollector| {
            if tuple.text("word")? == "bad" {
                counted.fetch_add(1, Ordering::SeqCst);
                return way.fail(tuple, collector);
            }
            collector.ack(tuple);
            Ok(())
        };
        let (builder, letters) = at_least_once(&feed, 3, work);
        ["a", "bad", "b"].into_iter().for_each(|word| feed.send(word));
        let running = start(builder, StartOptions::default());
        wait_until("all acked", || feed.acked().len() == 3);
        assert!(feed.acked().contains(&"bad".into()));
        assert_eq!((feed.failed(), tried.load(Ordering::SeqCst)), (values(["bad", "bad"]), 3), "{way:?}");
        assert_eq!(letters.all(), [["bolt", "2", "feed", "default", error, r#"{"word":"bad"}"#]]);
        wait_until("counts", || running.counts("bolt").skipped == 1);
        let told = format!(r#"a tuple of "feed", stream "default", is skipped after 3 failed attempts: {error}"#);
        assert!(error_texts(&running, "bolt").contains(&told), "{:?}", running.errors());
        // Should it come once more, it isn't tried.
        feed.send("bad");
        wait_until("the ack", || feed.acked().len() == 4);
        assert_eq!((letters.len(), tried.load(Ordering::SeqCst)), (2, 3));
    }
}

#[test]
fn one_attempt_needs_no_replay() {
    let feed = Feed::default();
    let (builder, letters) = at_least_once(&feed, 1, |_, _| Err(Failure::new("never")));
    // The second is in no tree, so nobody would send it again.
    feed.send("bad");
    feed.send_row(vec!["worse".into()], None);
    let running = start(builder, StartOptions::default());
    letters.wait_len(2);
    feed.wait_acked(1);
    assert_eq!((feed.failed(), running.counts("bolt").failed), (vec![], 0));
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let (feed, tried) = (Feed::default(), AtomicU64::new(0));
    // Of three attempts at equal tuples two fail, then one doesn't.
    let work = move |tuple: &Tuple<'_>, collector: &mut BoltCollector| {
        if tried.fetch_add(1, Ordering::SeqCst) % 3 < 2 {
            return Err(Failure::new("not now"));
        }
        collector.ack(tuple);
        Ok(())
    };
    let (builder, letters) = at_least_once(&feed, 3, work);
    (0..20).for_each(|_| feed.send("same"));
    let running = start(builder, StartOptions::default());
    wait_until("acks", || feed.acked().len() == 20);
    assert_eq!((running.counts("bolt").skipped, letters.len()), (0, 0));
}

#[test]
fn by_default_a_tuple_is_replayed_for_ever() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("feed", {
        let feed = feed.clone();
        move || feed.spout().replaying()
    });
    builder.set_bolt("bolt", doing(|_, _| Err(Failure::new("never")))).shuffle_grouping("feed");
    feed.send("bad");
    let running = start(builder, StartOptions::default());
    // At growing intervals.
    wait_until("replays", || feed.failed().len() > 10);
    assert_eq!((feed.acked(), running.counts("bolt").skipped), (vec![], 0));
}

/// Counts numbers by their remainder of three; fails 13 and 40 after it has changed its state and emitted something.
fn poisoned(end: i64, attempts: i64, way: Way, tried: &Arc<AtomicU64>) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    builder.config("topology.state.checkpoint.interval.ms", 100).config("on_error", "skip");
    builder.set_spout("numbers", move || Numbers::up_to(end));
    let tried = tried.clone();
    let count = move |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
        let number = tuple.int("number")?;
        add(state, &Value::Int(number % 3), 1)?;
        collector.emit(tuple, [number])?;
        if number == 13 || number == 40 {
            tried.fetch_add(1, Ordering::SeqCst);
            return way.fail(tuple, collector);
        }
        collector.ack(tuple);
        Ok(())
    };
    builder
        .set_stateful_bolt("counts", keeps(&Seen::default(), count))
        .config("error_attempts", attempts)
        .parallelism(2)
        .shuffle_grouping("numbers");
    let tally = |field: &'static str| {
        move |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
            add(state, tuple.get(field)?, 1)?;
            collector.ack(tuple);
            Ok(())
        }
    };
    builder.set_stateful_bolt("passed", keeps(&Seen::default(), tally("number"))).global_grouping("counts");
    builder.set_stateful_bolt("letters", keeps(&Seen::default(), tally("tuple"))).grouping(
        "counts",
        "skipped",
        monsoon_topology::Grouping::Global,
    );
    builder
}

fn entries(state: &KeyValueState) -> Vec<String> {
    let mut entries: Vec<String> = state.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    entries.sort();
    entries
}

#[test]
fn exactly_once_although_a_tuple_fails_every_time() {
    expect_panics();
    for (way, attempts) in [(Way::Error, 3), (Way::Panic, 2), (Way::Later, 1), (Way::Error, 1), (Way::Panic, 1)] {
        let (store, tried) = (MemoryCheckpoints::default(), Arc::new(AtomicU64::new(0)));
        let running = start(poisoned(100, attempts, way, &tried), with_store(&store));
        let letters = || entries(&stored(&store, "letters", 0));
        wait_until("both letters, durable", || letters().len() == 2);
        running.checkpoint().unwrap();
        assert_eq!(letters(), [r#"{"number":13}: 1"#, r#"{"number":40}: 1"#], "{way:?}");
        let mut counts = [0; 3];
        for task in 0..2 {
            stored(&store, "counts", task).iter().for_each(|(key, count)| {
                counts[key.as_int().unwrap() as usize] += count.as_int().unwrap();
            });
        }
        // 34 of remainder 0, and 33 of 1 and 2 each, without 13 and 40, which are of remainder 1.
        assert_eq!(counts, [34, 31, 33], "{way:?}, {attempts} attempts");
        let expected: Vec<i64> = (0..100).filter(|number| ![13, 40].contains(number)).collect();
        let passed: Vec<String> = expected.iter().map(|number| format!("{number}: 1")).collect();
        let mut passed_sorted = passed;
        passed_sorted.sort();
        assert_eq!(entries(&stored(&store, "passed", 0)), passed_sorted, "{way:?}");
        // Both tasks count together.
        assert_eq!(tried.load(Ordering::SeqCst), 2 * attempts as u64, "{way:?}");
        wait_until("health", || running.restores() == 0);
        assert!(!running.is_failing());
    }
}

/// Without the setting the topology goes back for ever, and says so: where it fails, and that it does. When the cause is gone it is well again.
#[test]
fn a_topology_that_fails_every_time_is_shown_as_failing_until_it_does_not() {
    let (store, broken) = (MemoryCheckpoints::default(), Arc::new(AtomicBool::new(true)));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.state.checkpoint.interval.ms", 100);
    builder.set_spout("numbers", || Numbers::up_to(50)).tasks(3);
    let cause = broken.clone();
    let count = move |tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector| {
        if cause.load(Ordering::SeqCst) && tuple.int("number")? == 20 {
            return Err(Failure::new("on purpose"));
        }
        add(state, &"count".into(), 1)?;
        collector.ack(tuple);
        Ok(())
    };
    builder.set_stateful_bolt("counts", keeps(&Seen::default(), count)).global_grouping("numbers");
    let running = start(builder, with_store(&store));
    assert!(!running.is_failing());
    wait_until("failing", || running.is_failing());
    // The waits grow, and with them come checkpoints in between that have nothing in them.
    for _ in 0..100 {
        assert!(running.is_failing(), "it still fails, {} times by now", running.restores());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(error_texts(&running, "numbers"), Vec::<String>::new());
    let told = error_texts(&running, "counts");
    let of_task_4 = "the topology goes back to checkpoint 0: checkpoint failed: task 4: a tuple failed: on purpose";
    assert!(told.iter().any(|error| error == of_task_4), "{told:?}");
    broken.store(false, Ordering::SeqCst);
    wait_until("health", || !running.is_failing() && running.restores() == 0);
    running.checkpoint().unwrap();
    assert_eq!(stored(&store, "counts", 0).get(&"count".into()), Some(&Value::Int(150)));
}

/// Checkpoints of which one component's can't be read again once the test says so.
#[derive(Clone, Default)]
struct Unreadable(MemoryCheckpoints, Arc<AtomicBool>);

impl CheckpointStore for Unreadable {
    fn commit(&self, checkpoint: monsoon_topology::Checkpoint) -> monsoon_topology::Result<()> {
        self.0.commit(checkpoint)
    }

    fn last(&self) -> monsoon_topology::Result<u64> {
        self.0.last()
    }

    fn load(&self, component: &str, index: usize) -> monsoon_topology::Result<monsoon_topology::TaskState> {
        match component == "counts" && self.1.load(Ordering::SeqCst) {
            true => Err(monsoon_topology::Error::Checkpoint("a bad block".into())),
            false => self.0.load(component, index),
        }
    }
}

#[test]
fn state_that_can_not_be_read_is_told_where_it_is() {
    let (store, end) = (Unreadable::default(), Arc::new(AtomicI64::new(10)));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", move || Numbers::ahead(&end, i64::MAX));
    let unreadable = store.1.clone();
    let count = move |_: &Tuple<'_>, _: &mut KeyValueState, _: &mut BoltCollector| -> Outcome {
        unreadable.store(true, Ordering::SeqCst);
        Err(Failure::new("on purpose"))
    };
    builder.set_stateful_bolt("counts", keeps(&Seen::default(), count)).shuffle_grouping("numbers");
    let running = start(builder, with_store(&store));
    let wanted = "task 2: its state can't be read: checkpoint failed: a bad block";
    wait_until("the error", || error_texts(&running, "counts").iter().any(|error| error == wanted));
    assert_eq!(error_texts(&running, "numbers"), Vec::<String>::new());
}

/// Can't begin with its state while the test says so.
struct Reluctant(Arc<AtomicBool>);

impl StatefulBolt for Reluctant {
    fn init_state(&mut self, _: &mut KeyValueState) -> Outcome {
        match self.0.load(Ordering::SeqCst) {
            true => Err(Failure::new("on purpose")),
            false => Ok(()),
        }
    }

    fn execute(&mut self, tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector) -> Outcome {
        add(state, &"count".into(), 1)?;
        collector.ack(tuple);
        Ok(())
    }
}

#[test]
fn state_that_can_not_be_begun_with_is_told_where_it_is() {
    let (store, reluctant) = (MemoryCheckpoints::default(), Arc::new(AtomicBool::new(true)));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.state.checkpoint.interval.ms", 100);
    builder.set_spout("numbers", || Numbers::up_to(10));
    let cause = reluctant.clone();
    builder.set_stateful_bolt("counts", move || Reluctant(cause.clone())).shuffle_grouping("numbers");
    let running = start(builder, with_store(&store));
    wait_until("failing", || running.is_failing());
    let told = error_texts(&running, "counts");
    let reason = "could not be prepared: on purpose";
    assert!(told.iter().any(|error| error == reason), "{told:?}");
    let goes_back = format!("the topology goes back to checkpoint 0: checkpoint failed: task 2: {reason}");
    assert!(told.contains(&goes_back), "{told:?}");
    assert_eq!(error_texts(&running, "numbers"), Vec::<String>::new());
    reluctant.store(false, Ordering::SeqCst);
    wait_until("health", || running.restores() == 0);
    running.checkpoint().unwrap();
    assert_eq!(stored(&store, "counts", 0).get(&"count".into()), Some(&Value::Int(10)));
}

struct Nothing;

impl WindowedBolt for Nothing {
    fn execute(&mut self, _: &TupleWindow<'_>, _: &mut WindowCollector<'_>) -> Outcome {
        Ok(())
    }
}

#[test]
fn where_tuples_can_not_be_skipped_the_setting_is_refused() {
    let build = |make: fn(&mut TopologyBuilder)| {
        let mut builder = TopologyBuilder::new();
        builder.config("on_error", "skip");
        builder.set_spout("numbers", || Numbers::up_to(1));
        make(&mut builder);
        builder.build("refused").map(drop).map_err(|error| error.to_string())
    };
    let windowed = |builder: &mut TopologyBuilder| {
        builder.set_windowed_bolt("windows", Window::tumbling(5), || Nothing).shuffle_grouping("numbers");
    };
    assert_eq!(
        build(windowed),
        Err("invalid topology: \"windows\" works on windows, so what it fails is no single tuple: \
             its on_error can't be 'skip'; set it to 'replay' there"
            .into())
    );
    let with_replay = |builder: &mut TopologyBuilder| {
        let windows = builder.set_windowed_bolt("windows", Window::tumbling(5), || Nothing);
        windows.shuffle_grouping("numbers").config("on_error", "replay");
    };
    assert_eq!(build(with_replay), Ok(()));
    struct Own;
    impl monsoon_topology::Bolt for Own {
        fn declare(&self, streams: &mut monsoon_topology::Streams) {
            streams.declare_stream("skipped", ["own"]);
        }

        fn execute(&mut self, _: &Tuple<'_>, _: &mut BoltCollector) -> Outcome {
            Ok(())
        }
    }
    let own = |builder: &mut TopologyBuilder| {
        builder.set_bolt("own", || Own).shuffle_grouping("numbers");
    };
    assert!(build(own).unwrap_err().contains("\"own\" declares stream \"skipped\""));
    let unskipped = |builder: &mut TopologyBuilder| {
        let replays = builder.set_bolt("replays", doing(|_, _| Ok(())));
        replays.shuffle_grouping("numbers").config("on_error", "replay");
        let reader = builder.set_bolt("reader", doing(|_, _| Ok(())));
        reader.grouping("replays", "skipped", monsoon_topology::Grouping::Shuffle);
    };
    assert!(build(unskipped).unwrap_err().contains("which it does not declare"));
}
