//! Which tasks get a tuple (G-1 to G-6, A-9, GRP).

use std::collections::BTreeMap;

use monsoon_topology::{
    Bolt, BoltCollector, Chooser, ComponentBuilder, CustomGrouping, Outcome, Spout, SpoutCollector, StartOptions,
    Streams, TaskContext, TaskId, TopologyBuilder, Tuple, Value,
};

use crate::bench::{Seen, start, wait_until};

/// Emits the tuples 0.. of a closure.
struct Rows<F> {
    row: F,
    next: i64,
}

impl<F: Fn(i64) -> Option<Vec<Value>> + Send> Spout for Rows<F> {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["key", "number"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if let Some(row) = (self.row)(self.next) {
            self.next += 1;
            collector.emit(row)?;
        }
        Ok(())
    }
}

/// Tells which task got what.
struct Places(Seen<(TaskId, Value)>, Option<TaskId>);

impl Bolt for Places {
    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.1 = Some(context.task());
        Ok(())
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0.note((self.1.expect("it was prepared"), tuple.get("key")?.clone()));
        collector.ack(tuple);
        Ok(())
    }
}

/// What the tasks of a bolt get of so many spout tasks' tuples: task by task, keys in order of arrival.
fn spread<F>(
    spouts: usize,
    bolts: usize,
    expected: usize,
    row: F,
    group: impl FnOnce(ComponentBuilder<'_>) -> ComponentBuilder<'_>,
) -> BTreeMap<TaskId, Vec<Value>>
where
    F: Fn(i64) -> Option<Vec<Value>> + Clone + Send + Sync + 'static,
{
    let seen = Seen::default();
    let mut builder = TopologyBuilder::new();
    builder.config("topology.disable.loadaware.messaging", true);
    builder.set_spout("rows", move || Rows { row: row.clone(), next: 0 }).parallelism(spouts);
    let places = seen.clone();
    group(builder.set_bolt("places", move || Places(places.clone(), None)).parallelism(bolts.min(3)).tasks(bolts));
    let running = start(builder, StartOptions::default());
    seen.wait_len(expected);
    assert!(running.wait_settled(crate::bench::WAIT));
    let mut spread = BTreeMap::<TaskId, Vec<Value>>::new();
    seen.all().into_iter().for_each(|(task, key)| spread.entry(task).or_default().push(key));
    assert_eq!(spread.values().map(Vec::len).sum::<usize>(), expected);
    spread
}

fn numbers(count: i64) -> impl Fn(i64) -> Option<Vec<Value>> + Clone + Send + Sync + 'static {
    move |number| (number < count).then(|| vec![Value::Int(number), Value::Int(number)])
}

fn sizes(spread: &BTreeMap<TaskId, Vec<Value>>) -> Vec<usize> {
    spread.values().map(Vec::len).collect()
}

#[test]
fn g01_shuffle_is_even() {
    let spread = spread(4, 2, 4_000, numbers(1_000), |bolt| bolt.shuffle_grouping("rows"));
    assert!(sizes(&spread).iter().all(|size| (1_960..=2_040).contains(size)), "49 to 51 %: {:?}", sizes(&spread));
}

#[test]
fn g01_local_or_shuffle_is_even_in_one_process() {
    let spread = spread(1, 4, 4_000, numbers(4_000), |bolt| bolt.local_or_shuffle_grouping("rows"));
    assert_eq!(sizes(&spread), [1_000; 4]);
}

#[test]
fn g02_fields_grouping_goes_by_the_content_of_bytes() {
    // Each of 4 spout tasks emits each of 26 keys 6 times, every time in bytes of its own.
    let row = |number: i64| {
        let key = vec![(number % 26) as u8; 40];
        (number < 26 * 6).then(|| vec![Value::from(key), Value::Int(number)])
    };
    let spread = spread(4, 6, 4 * 26 * 6, row, |bolt| bolt.fields_grouping("rows", ["key"]));
    for key in 0..26_u8 {
        let key = Value::from(vec![key; 40]);
        let counts: Vec<usize> =
            spread.values().map(|keys| keys.iter().filter(|other| **other == key).count()).collect();
        let tasks = counts.iter().filter(|count| **count > 0).count();
        assert_eq!((tasks, counts.iter().sum::<usize>()), (1, 24), "key {key}");
    }
}

/// The first so many tasks.
#[derive(Debug)]
struct FirstN(u32);

impl CustomGrouping for FirstN {
    fn prepare(&self, _: TaskId, targets: &[TaskId]) -> Box<dyn Chooser> {
        assert!(targets.is_sorted(), "targets are told in order");
        Box::new(FirstN(self.0))
    }
}

impl Chooser for FirstN {
    fn choose(&mut self, _: &[Value], places: &mut Vec<u32>) {
        places.extend(0..self.0);
    }
}

#[test]
fn g03_a_custom_grouping_gets_each_tuple_to_the_first_two_tasks() {
    let spread = spread(1, 6, 2_000, numbers(1_000), |bolt| bolt.custom_grouping("rows", FirstN(2)));
    assert_eq!(spread.keys().copied().collect::<Vec<_>>(), [TaskId(2), TaskId(3)]);
    let all: Vec<Value> = (0..1_000).map(Value::Int).collect();
    assert!(spread.values().all(|keys| *keys == all));
}

#[test]
fn g04_plain_shuffle_is_exactly_even() {
    let one = spread(1, 6, 30_000, numbers(30_000), |bolt| bolt.shuffle_grouping("rows"));
    assert_eq!(sizes(&one), [5_000; 6]);
    let five = spread(5, 6, 30_000, numbers(6_000), |bolt| bolt.shuffle_grouping("rows"));
    assert_eq!(sizes(&five), [5_000; 6]);
}

#[test]
fn g05_a_partial_key_goes_to_exactly_two_tasks_in_turn() {
    let row = |number: i64| (number < 6_000).then(|| vec![Value::Int(number % 3), Value::Int(number)]);
    let spread = spread(1, 6, 6_000, row, |bolt| bolt.partial_key_grouping("rows", ["key"]));
    let mut total = 0;
    for key in 0..3 {
        let counts = spread.values().map(|keys| keys.iter().filter(|other| **other == Value::Int(key)).count());
        let counts: Vec<usize> = counts.filter(|count| *count > 0).collect();
        assert!(counts.len() <= 2, "key {key}: {counts:?}");
        total += counts.iter().sum::<usize>();
    }
    assert_eq!(total, 6_000);
    // One key alone: both of its tasks get the same.
    let row = |number: i64| (number < 1_000).then(|| vec![Value::from("key"), Value::Int(number)]);
    let spread = self::spread(1, 6, 1_000, row, |bolt| bolt.partial_key_grouping("rows", ["key"]));
    assert_eq!(sizes(&spread), [500, 500]);
}

/// 6 tasks in 3 executors.
#[test]
fn a09_all_grouping_gives_every_tuple_to_every_task() {
    let spread = spread(1, 6, 6_000, numbers(1_000), |bolt| bolt.all_grouping("rows"));
    let all: Vec<Value> = (0..1_000).map(Value::Int).collect();
    assert_eq!(spread.len(), 6);
    assert!(spread.values().all(|keys| *keys == all));
}

#[test]
fn grp05_global_grouping_takes_the_lowest_task() {
    let spread = spread(3, 4, 3_000, numbers(1_000), |bolt| bolt.global_grouping("rows"));
    assert_eq!(spread.keys().copied().collect::<Vec<_>>(), [TaskId(4)], "after the 3 spout tasks");
}

#[test]
fn grp06_none_grouping_gives_each_tuple_to_one_task() {
    let spread = spread(1, 4, 8_000, numbers(8_000), |bolt| bolt.none_grouping("rows"));
    assert!(sizes(&spread).iter().all(|size| (1_700..=2_300).contains(size)), "{:?}", sizes(&spread));
}

/// Emits each number to the task it picks, and tries what isn't allowed.
struct Picks {
    targets: Vec<TaskId>,
    next: i64,
}

impl Spout for Picks {
    fn declare(&self, streams: &mut Streams) {
        streams.declare_direct("picked", ["key"]);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.targets = context.topology().component("places").expect("it is there").tasks.clone();
        Ok(())
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if self.next == 90 {
            self.next += 1;
            return collector.emit_on("picked", [0], None).map(drop);
        }
        if self.next < 90 {
            let target = self.targets[self.next as usize % 3];
            collector.emit_direct(target, "picked", [self.next], None)?;
            self.next += 1;
        }
        Ok(())
    }
}

#[test]
fn grp07_direct_grouping_goes_where_the_emitter_says() {
    let seen = Seen::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("picks", || Picks { targets: Vec::new(), next: 0 });
    let places = seen.clone();
    let bolt = builder.set_bolt("places", move || Places(places.clone(), None));
    bolt.parallelism(3).direct_grouping("picks", "picked");
    let running = start(builder, StartOptions::default());
    wait_until("an error of who emits on a direct stream without a task", || running.errors()[0].2 == 1);
    seen.wait_len(90);
    assert!(seen.all().iter().all(|(task, key)| key.as_int().unwrap() % 3 == i64::from(task.0) - 2));
}
