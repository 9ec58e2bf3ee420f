//! Storm's basic word count, with every grouping it uses, and topologies that are refused.

use monsoon_topology::{
    Bolt, BoltCollector, ComponentBuilder, Error, Outcome, StartOptions, Streams, Topology, TopologyBuilder, Tuple,
    Value,
};
use std::collections::HashMap;

use crate::bench::{Feed, Seen, doing, identity, start, values};

/// Counts words and emits each with its count so far (Storm's TestWordCounter).
#[derive(Default)]
struct WordCounter(HashMap<String, i64>);

impl Bolt for WordCounter {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word", "count"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        let word = tuple.text("word")?;
        let count = self.0.entry(word.into()).or_default();
        *count += 1;
        collector.emit(tuple, (word, *count))?;
        collector.ack(tuple);
        Ok(())
    }
}

/// Emits how many tuples it has got (Storm's TestGlobalCount).
#[derive(Default)]
struct GlobalCount(i64);

impl Bolt for GlobalCount {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["count"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0 += 1;
        collector.emit(tuple, [self.0])?;
        collector.ack(tuple);
        Ok(())
    }
}

/// Emits the sum of the last count of each word (Storm's TestAggregatesCounter).
#[derive(Default)]
struct Aggregates(HashMap<String, i64>);

impl Bolt for Aggregates {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["agg-global"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0.insert(tuple.text("word")?.into(), tuple.int("count")?);
        collector.emit(tuple, [self.0.values().sum::<i64>()])?;
        collector.ack(tuple);
        Ok(())
    }
}

/// Tells every tuple.
fn record(seen: &Seen<Vec<Value>>) -> impl Fn() -> crate::bench::Doing + Send + Sync + 'static {
    let seen = seen.clone();
    doing(move |tuple, collector| {
        seen.note(tuple.values().to_vec());
        collector.ack(tuple);
        Ok(())
    })
}

#[test]
fn a10_basic_word_count() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("1", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("2", WordCounter::default).parallelism(4).fields_grouping("1", ["word"]);
    builder.set_bolt("3", GlobalCount::default).global_grouping("1");
    builder.set_bolt("4", Aggregates::default).global_grouping("2");
    let (counts, global, aggregates) = (Seen::default(), Seen::default(), Seen::default());
    builder.set_bolt("counts", record(&counts)).parallelism(2).none_grouping("2");
    builder.set_bolt("global", record(&global)).local_or_shuffle_grouping("3");
    builder.set_bolt("aggregates", record(&aggregates)).shuffle_grouping("4");
    let running = start(builder, StartOptions::default());
    for (number, word) in ["nathan", "bob", "joey", "nathan"].into_iter().enumerate() {
        feed.send_row(values([word]), Some(Value::Int(number as i64)));
    }
    feed.wait_acked(4);
    assert!(running.wait_settled(crate::bench::WAIT));
    let mut counts = counts.all();
    counts.sort_by_key(|row| format!("{row:?}"));
    let row = |word: &str, count: i64| vec![Value::from(word), Value::Int(count)];
    assert_eq!(counts, [row("bob", 1), row("joey", 1), row("nathan", 1), row("nathan", 2)]);
    let running_counts: Vec<Vec<Value>> = (1..=4).map(|count| values([count])).collect();
    assert_eq!(global.all(), running_counts);
    assert_eq!(aggregates.all(), running_counts);
    assert_eq!((feed.acked().len(), feed.failed().len()), (4, 0));
}

#[test]
fn a10_many_words_by_many_tasks() {
    const ROUNDS: usize = 2_000;
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    builder.set_bolt("split", identity()).parallelism(3).shuffle_grouping("words");
    builder.set_bolt("count", WordCounter::default).parallelism(2).tasks(5).fields_grouping("split", ["word"]);
    let counts = Seen::default();
    builder.set_bolt("counts", record(&counts)).global_grouping("count");
    let running = start(builder, StartOptions::default());
    for round in 0..ROUNDS {
        for word in ["a", "b", "c"] {
            feed.send_row(values([word]), Some(Value::from(format!("{word}{round}"))));
        }
    }
    feed.wait_acked(3 * ROUNDS);
    assert!(running.wait_settled(crate::bench::WAIT));
    for word in ["a", "b", "c"] {
        let of_word = |row: &&Vec<Value>| row[0] == Value::from(word);
        let counted: Vec<i64> = counts.all().iter().filter(of_word).map(|row| row[1].as_int().unwrap()).collect();
        assert_eq!(counted, (1..=ROUNDS as i64).collect::<Vec<_>>(), "{word}");
    }
}

fn built(group: impl FnOnce(ComponentBuilder<'_>) -> ComponentBuilder<'_>) -> Result<Topology, Error> {
    let mut builder = TopologyBuilder::new();
    builder.set_spout("1", || Feed::default().spout());
    group(builder.set_bolt("2", identity()));
    builder.build("conformance")
}

#[test]
fn a07_what_does_not_exist_is_refused() {
    let reason = |result: Result<Topology, Error>| match result {
        Err(Error::InvalidTopology(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let unknown_component = reason(built(|bolt| bolt.shuffle_grouping("3")));
    assert!(unknown_component.contains("component \"3\", which does not exist"), "{unknown_component}");
    let unknown_field = reason(built(|bolt| bolt.fields_grouping("1", ["wurd"])));
    assert!(unknown_field.contains("no field \"wurd\""), "{unknown_field}");
    let shuffle = monsoon_topology::Grouping::Shuffle;
    let unknown_stream = reason(built(|bolt| bolt.grouping("1", "other", shuffle)));
    assert!(unknown_stream.contains("stream \"other\" of \"1\", which it does not declare"), "{unknown_stream}");
    assert!(built(|bolt| bolt.fields_grouping("1", ["word"])).is_ok());
}

#[test]
fn a07_other_structures_that_can_not_be() {
    assert!(built(|bolt| bolt).is_err(), "a bolt without input");
    assert!(built(|bolt| bolt.direct_grouping("1", "default")).is_err(), "not a direct stream");
    let mut builder = TopologyBuilder::new();
    builder.set_spout("1", || Feed::default().spout());
    builder.set_spout("1", || Feed::default().spout());
    assert!(builder.build("conformance").is_err(), "two of one name");
    assert!(TopologyBuilder::new().build("conformance").is_err(), "no spout");
    let mut builder = TopologyBuilder::new();
    builder.set_spout("1", || Feed::default().spout().fields(&["a", "a"]));
    assert!(builder.build("conformance").is_err(), "COR-3: a field twice");
}

/// Storm lets every component have a stream `__system`, on which nothing is emitted. Ours have no such stream, and say so.
#[test]
fn a08_there_is_no_system_stream_to_subscribe_to() {
    let global = monsoon_topology::Grouping::Global;
    let refused = built(|bolt| bolt.fields_grouping("1", ["word"]).grouping("1", "__system", global));
    assert!(refused.unwrap_err().to_string().contains("stream \"__system\" of \"1\", which it does not declare"));
}

/// COR-1: bolts may be in a cycle.
#[test]
fn cor01_cycles_are_allowed() {
    let feed = Feed::default();
    let mut builder = TopologyBuilder::new();
    builder.set_spout("numbers", {
        let feed = feed.clone();
        move || feed.spout()
    });
    // Counts down to 0 around the cycle: 9 + 8 + ... tuples.
    let down = doing(|tuple, collector| {
        if let Some(less) = tuple.int("word")?.checked_sub(1).filter(|less| *less >= 0) {
            collector.emit(tuple, [less])?;
        }
        collector.ack(tuple);
        Ok(())
    });
    builder.set_bolt("down", down).shuffle_grouping("numbers").shuffle_grouping("again");
    builder.set_bolt("again", identity()).shuffle_grouping("down");
    let running = start(builder, StartOptions::default());
    (0..10).for_each(|number| feed.send(number));
    feed.wait_acked(10);
    assert!(running.wait_settled(crate::bench::WAIT));
    // A number n is executed n + 1 times: 1 + 2 + ... + 10.
    assert_eq!(running.counts("down").executed, 55);
}
