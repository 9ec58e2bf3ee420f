//! Operations on streams, each answered by a request: results by hand.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use monsoon_trident::{
    Collector, Count, Debug, Equals, FeederBatchSpout, FilterNull, FirstN, JoinType, LocalDrpc, MemoryMapState, Negate,
    Options, Outcome, Reducer, SnapshotGet, Stream, Sum, TridentTopology, Tuple, Value, WindowConfig, run_local,
    values,
};
use parking_lot::Mutex;
use support::split;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a stream gives for a request whose argument is numbers: the field `n`, one tuple each.
fn answer(args: &str, build: impl FnOnce(&TridentTopology, Stream) -> Stream) -> String {
    let topology = TridentTopology::new("operations");
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    let request = topology.new_drpc_stream("f", drpc.clone()).unwrap();
    let number = |tuple: &Tuple<'_>| -> Outcome<Vec<Vec<Value>>> {
        tuple.text("args")?.split_whitespace().map(|word| Ok(values![word.parse::<i64>()?])).collect()
    };
    let numbers = request.flat_map_to(number, "n").unwrap();
    drop(build(&topology, numbers));
    let running = run_local(topology).unwrap();
    let answer = drpc.execute("f", args).unwrap();
    running.stop();
    answer
}

#[test]
fn each_appends_map_replaces_filter_drops() {
    let twice = |tuple: &Tuple<'_>, out: &mut Collector| -> Outcome {
        let n = tuple.int("n")?;
        if n > 1 {
            out.emit_one(n * 10);
            out.emit_one(n * 100);
        }
        Ok(())
    };
    assert_eq!(answer("1 2", |_, n| n.each("n", twice, "m").unwrap()), "[[2,20],[2,200]]");
    let negative = |tuple: &Tuple<'_>| -> Outcome<Vec<Value>> { Ok(values![-tuple.int("n")?]) };
    assert_eq!(answer("1 2", |_, n| n.map(negative).unwrap().filter("n", Debug("n".into())).unwrap()), "[[-1],[-2]]");
    let odd = |tuple: &Tuple<'_>| -> Outcome<bool> { Ok(tuple.int("n")? % 2 != 0) };
    assert_eq!(answer("1 2 3", |_, n| n.filter("n", odd).unwrap()), "[[1],[3]]");
    assert_eq!(answer("1 2 3", |_, n| n.filter("n", Negate(odd)).unwrap()), "[[2]]");
}

#[test]
fn equals_and_filter_null_look_at_their_input_fields() {
    let half = |tuple: &Tuple<'_>| -> Outcome<Vec<Value>> {
        let n = tuple.int("n")?;
        Ok(vec![Value::Int(n), Value::Int(2), if n == 3 { Value::Null } else { Value::Int(n) }])
    };
    let wide = move |n: Stream| n.map_to(half, ["a", "b", "c"]).unwrap();
    assert_eq!(answer("1 2 3", |_, n| wide(n).filter(["a", "b"], Equals).unwrap()), "[[2,2,2]]");
    assert_eq!(answer("1 2 3", |_, n| wide(n).filter("c", FilterNull).unwrap().project("a").unwrap()), "[[1],[2]]");
}

#[test]
fn extremes_and_first_tuples() {
    assert_eq!(answer("3 1 2", |_, n| n.min_by("n").unwrap()), "[[1]]");
    assert_eq!(answer("3 1 2", |_, n| n.max_by("n").unwrap()), "[[3]]");
    let backwards = |a: &Value, b: &Value| monsoon_trident::compare(b, a);
    assert_eq!(answer("3 1 2", |_, n| n.max_by_with("n", backwards).unwrap()), "[[1]]");
    assert_eq!(answer("", |_, n| n.max_by("n").unwrap()), "[]");
    assert_eq!(answer("3 1 2", |_, n| n.aggregate("n", FirstN::new(2), "n").unwrap()), "[[3],[1]]");
    assert_eq!(answer("3 1 2", |_, n| n.aggregate("n", FirstN::ascending(2, "n"), "n").unwrap()), "[[1],[2]]");
    assert_eq!(answer("3 1 2", |_, n| n.aggregate("n", FirstN::descending(2, "n"), "n").unwrap()), "[[3],[2]]");
}

/// Concatenates.
struct Digits;

impl Reducer for Digits {
    fn init(&self) -> Value {
        Value::Int(0)
    }

    fn reduce(&self, current: Value, tuple: &Tuple<'_>) -> Outcome<Value> {
        Ok(Value::Int(current.as_int().unwrap_or(0) * 10 + tuple.int("n")?))
    }
}

#[test]
fn aggregates_in_a_chain_share_one_pass() {
    use monsoon_trident::Aggregation;
    let combined = |_: &TridentTopology, n: Stream| {
        let chain = n.shuffle().unwrap().parallelism_hint(3).unwrap().chained_aggregation();
        chain.aggregate((), Count, "count").unwrap().aggregate("n", Sum, "sum").unwrap().end().unwrap()
    };
    assert_eq!(answer("1 2 3", combined), "[[3,6]]");
    assert_eq!(answer("", combined), "[[0,0]]");
    let mixed = |_: &TridentTopology, n: Stream| {
        let chain = n.chained_aggregation().aggregate("n", Aggregation::reducer(Digits), "digits").unwrap();
        chain.aggregate("n", FirstN::new(2), "first").unwrap().end().unwrap()
    };
    assert_eq!(answer("1 2 3", mixed), "[[123,1],[123,2]]");
}

#[test]
fn every_move_keeps_all_tuples() {
    let sum = |n: Stream| n.parallelism_hint(3).unwrap().aggregate("n", Sum, "sum").unwrap();
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.shuffle().unwrap())), "[[10]]");
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.partition_by("n").unwrap())), "[[10]]");
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.global().unwrap())), "[[10]]");
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.batch_global().unwrap())), "[[10]]");
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.identity_partition().unwrap())), "[[10]]");
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.broadcast().unwrap())), "[[30]]");
    let last = |_: &[Value], partitions: usize| -> Outcome<usize> { Ok(partitions - 1) };
    assert_eq!(answer("1 2 3 4", |_, n| sum(n.partition(last).unwrap())), "[[10]]");
}

/// 1, 2 and 3 on the left; of them 2, 3 and 4 on the right, with their squares.
fn joined(left: JoinType, right: JoinType) -> String {
    answer("1 2 3 4", |topology, n| {
        let small = |tuple: &Tuple<'_>| -> Outcome<bool> { Ok(tuple.int("n")? < 4) };
        let great = |tuple: &Tuple<'_>| -> Outcome<bool> { Ok(tuple.int("n")? > 1) };
        let square = |tuple: &Tuple<'_>| -> Outcome<Vec<Value>> {
            let n = tuple.int("n")?;
            Ok(values![n * n, n])
        };
        let lefts = n.filter("n", small).unwrap().each("n", split_number, "text").unwrap();
        let rights = n.filter("n", great).unwrap().map_to(square, ["square", "m"]).unwrap();
        let sides = [(&lefts.group_by("n").unwrap(), left), (&rights.group_by("m").unwrap(), right)];
        topology.join(&sides, ["key", "text", "square"]).unwrap()
    })
}

fn split_number(tuple: &Tuple<'_>, out: &mut Collector) -> Outcome {
    out.emit_one(format!("n{}", tuple.int("n")?));
    Ok(())
}

#[test]
fn a_join_is_inner_or_outer_on_each_side() {
    use JoinType::{Inner, Outer};
    assert_eq!(joined(Inner, Inner), r#"[[2,"n2",4],[3,"n3",9]]"#);
    assert_eq!(joined(Inner, Outer), r#"[[1,"n1",null],[2,"n2",4],[3,"n3",9]]"#);
    assert_eq!(joined(Outer, Inner), r#"[[2,"n2",4],[3,"n3",9],[4,null,16]]"#);
    assert_eq!(joined(Outer, Outer), r#"[[1,"n1",null],[2,"n2",4],[3,"n3",9],[4,null,16]]"#);
}

/// For each key: how many tuples each stream has, and the sum of all their last fields.
struct CountsAndSum;

impl monsoon_trident::MultiReducer for CountsAndSum {
    type State = (Vec<i64>, i64);

    fn init(&self, _out: &mut Collector) -> Outcome<Self::State> {
        Ok((vec![0; 3], 0))
    }

    fn execute(&self, state: &mut Self::State, stream: usize, tuple: &Tuple<'_>, _out: &mut Collector) -> Outcome {
        state.0[stream] += 1;
        state.1 += tuple.at(tuple.len() - 1)?.as_int().unwrap_or(0);
        Ok(())
    }

    fn complete(&self, (counts, sum): Self::State, out: &mut Collector) -> Outcome {
        out.emit(values![format!("{counts:?}"), sum]);
        Ok(())
    }
}

#[test]
fn tri18_a_multi_reduce_sees_all_streams_of_a_key() {
    let reduced = answer("1 2 3 4 2", |topology, n| {
        let parity = |tuple: &Tuple<'_>, out: &mut Collector| -> Outcome {
            out.emit_one(tuple.int("n")? % 2);
            Ok(())
        };
        let small = |tuple: &Tuple<'_>| -> Outcome<bool> { Ok(tuple.int("n")? < 3) };
        let wide = |tuple: &Tuple<'_>| -> Outcome<Vec<Value>> { Ok(values![tuple.int("n")? % 3, "x", 100]) };
        let all = n.each("n", parity, "parity").unwrap().project(["parity", "n"]).unwrap();
        let smalls = all.filter("n", small).unwrap();
        let others = n.map_to(wide, ["rest", "x", "hundred"]).unwrap();
        let streams =
            [&all.group_by("parity").unwrap(), &smalls.group_by("parity").unwrap(), &others.group_by("rest").unwrap()];
        let reduced = topology.multi_reduce(&streams, CountsAndSum, ["counts", "sum"]).unwrap();
        assert_eq!(reduced.fields().iter().collect::<Vec<_>>(), ["parity", "counts", "sum"]);
        reduced
            .parallelism_hint(2)
            .unwrap()
            .aggregate(["parity", "counts", "sum"], FirstN::ascending(9, "parity"), ["key", "counts", "sum"])
            .unwrap()
    });
    // Odd: 1, 3; of them small: 1; with rest 1: 1, 4. Even: 2, 4, 2; small: 2, 2; with rest 0: 3. With rest 2 only: 2, 2.
    assert_eq!(reduced, r#"[[0,"[3, 2, 1]",112],[1,"[2, 1, 2]",205],[2,"[0, 0, 2]",200]]"#);
}

#[test]
fn streams_that_can_not_meet_are_refused() {
    let topology = TridentTopology::new("refused");
    let stream = topology.new_stream("s", FeederBatchSpout::new(["a", "b"]).unwrap()).unwrap();
    let (one, two) = (stream.group_by("a").unwrap(), stream.group_by(["a", "b"]).unwrap());
    let refusal = |result: monsoon_trident::Result<Stream>| result.err().expect("this is refused").to_string();
    let widths = refusal(topology.multi_reduce(&[&one, &two], CountsAndSum, ["counts", "sum"]));
    assert!(widths.contains("differ in width"), "{widths}");
    assert!(refusal(topology.multi_reduce(&[], CountsAndSum, ["counts", "sum"])).contains("needs a stream"));
    let twice = refusal(topology.multi_reduce(&[&one], CountsAndSum, ["a", "sum"]));
    assert!(twice.contains(r#"field "a" is declared twice"#), "{twice}");
    let (inner, left) = (JoinType::Inner, stream.group_by("b").unwrap());
    let named = refusal(topology.join(&[(&one, inner), (&left, inner)], ["key", "x"]));
    assert!(named.contains("the join gives 3 fields, 2 are named"), "{named}");
}

#[test]
fn a_running_total_is_one_value() {
    let topology = TridentTopology::new("total");
    let feeder = FeederBatchSpout::new("n").unwrap();
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    let numbers = topology.new_stream("numbers", feeder.clone()).unwrap().parallelism_hint(3).unwrap();
    let total = numbers.persistent_aggregate(|_| Ok(MemoryMapState::new()), "n", Sum, "total").unwrap();
    let news = Arc::new(Mutex::new(Vec::new()));
    let seen = news.clone();
    let see = move |tuple: &Tuple<'_>| -> Outcome {
        seen.lock().push(tuple.int("total")?);
        Ok(())
    };
    total.new_values_stream().unwrap().peek(see).unwrap();
    let request = topology.new_drpc_stream("total", drpc.clone()).unwrap();
    request.state_query(&total, (), SnapshotGet, "total").unwrap().project("total").unwrap();
    let running = run_local(topology).unwrap();
    running.wait_for_txid(2, PATIENCE).unwrap();
    assert_eq!(drpc.execute("total", "").unwrap(), "[[null]]");
    feeder.feed((1..=4).map(|n| values![n]).collect());
    feeder.feed(vec![values![5]]);
    assert!(feeder.wait_until_committed(PATIENCE));
    assert_eq!(drpc.execute("total", "").unwrap(), "[[15]]");
    assert_eq!(*news.lock(), [10, 15]);
    running.stop();
}

/// The windows' sums, in the order they come; what is fed after the clock is set is committed before it is set again.
fn windows(config: WindowConfig, fed: &[(u64, std::ops::RangeInclusive<i64>)]) -> Vec<i64> {
    let now = Arc::new(AtomicU64::new(0));
    let clock = now.clone();
    let clock = Arc::new(move || clock.load(Ordering::Relaxed));
    let topology = TridentTopology::new("windows").with_options(Options { clock, ..Options::default() });
    let feeder = FeederBatchSpout::new("n").unwrap();
    let stream = topology.new_stream("numbers", feeder.clone()).unwrap();
    let sums = Arc::new(Mutex::new(Vec::new()));
    let seen = sums.clone();
    let failing = std::sync::atomic::AtomicBool::new(true);
    let see = move |tuple: &Tuple<'_>| -> Outcome {
        if failing.swap(false, Ordering::Relaxed) {
            return Err(monsoon_trident::Failure::new("the first window fails once"));
        }
        seen.lock().push(tuple.int("sum")?);
        Ok(())
    };
    stream.window(config, "n", Sum, "sum").unwrap().peek(see).unwrap();
    let running = run_local(topology).unwrap();
    for (at, range) in fed {
        now.store(*at, Ordering::Relaxed);
        feeder.feed(range.clone().map(|n| values![n]).collect());
        assert!(feeder.wait_until_committed(PATIENCE));
        // The batch after it sees the same time.
        running.wait_for_txid(running.committed_txid() + 6, PATIENCE).unwrap();
    }
    running.stop();
    sums.lock().clone()
}

#[test]
fn windows_go_over_batches() {
    // W-1: [1,2], [1..4], [2..6], [4..8]
    assert_eq!(windows(WindowConfig::sliding_count(5, 2), &[(0, 1..=3), (0, 4..=8)]), [3, 10, 20, 30]);
    // W-6: [1..3], [4..6]
    assert_eq!(windows(WindowConfig::tumbling_count(3), &[(0, 1..=4), (0, 5..=6)]), [6, 15]);
    let ms = Duration::from_millis;
    // 1 and 2 in [0,100); 3 in [100,200); 4 has not ended.
    let fed = [(10, 1..=1), (99, 2..=2), (100, 3..=3), (250, 4..=4)];
    assert_eq!(windows(WindowConfig::tumbling_duration(ms(100)), &fed), [3, 3]);
    // Ends 50: 1; 100: 1, 2; 150: 2, 3; 200: 3.
    assert_eq!(windows(WindowConfig::sliding_duration(ms(100), ms(50)), &fed), [1, 3, 5, 3]);
}

#[test]
fn words_keep_their_group_through_partitions() {
    let topology = TridentTopology::new("groups");
    let drpc = Arc::new(LocalDrpc::with_timeout(PATIENCE));
    let request = topology.new_drpc_stream("f", drpc.clone()).unwrap();
    let words = request.each("args", split("args"), "word").unwrap().shuffle().unwrap().parallelism_hint(4).unwrap();
    let counts = words.group_by("word").unwrap().aggregate((), Count, "count").unwrap().parallelism_hint(3).unwrap();
    counts.aggregate(["word", "count"], FirstN::descending(2, "count"), ["word", "count"]).unwrap();
    let running = run_local(topology).unwrap();
    assert_eq!(drpc.execute("f", "a b c b a b").unwrap(), r#"[["b",3],["a",2]]"#);
    running.stop();
}
