//! Queues are bounded: who sends to a full one waits, and nothing is dropped (A-16, FLO-5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use monsoon_topology::{StartOptions, TopologyBuilder, Value};

use crate::bench::{Feed, Seen, doing, identity, start, wait_until};

/// A spout that emits 0.. as fast as it is let.
fn flood(builder: &mut TopologyBuilder, end: i64) {
    let mut next = 0;
    let numbers = move || {
        next += 1;
        (next <= end).then(|| vec![Value::Int(next - 1)])
    };
    builder.set_spout_fn("flood", ["word"], numbers);
}

/// Blocks in `execute` until it is let through; notes every number.
fn gate(open: &Arc<AtomicBool>, seen: &Seen<i64>) -> impl Fn() -> crate::bench::Doing + Send + Sync + use<> {
    let (open, seen) = (open.clone(), seen.clone());
    doing(move |tuple, collector| {
        wait_until("the gate", || open.load(Ordering::SeqCst));
        seen.note(tuple.int("word")?);
        collector.ack(tuple);
        Ok(())
    })
}

/// What is under way when nothing moves any more.
fn held_back(running: &monsoon_topology::RunningTopology) -> u64 {
    let emitted = || running.counts("flood").emitted;
    let last = std::cell::Cell::new((emitted(), Instant::now()));
    wait_until("the spout to be held back", || {
        let now = emitted();
        if now != last.get().0 {
            last.set((now, Instant::now()));
        }
        now > 0 && last.get().1.elapsed() > Duration::from_millis(200)
    });
    emitted()
}

fn bounded(batch: i64) {
    const QUEUE: u64 = 64;
    let (open, seen) = (Arc::new(AtomicBool::new(false)), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.config("topology.producer.batch.size", batch);
    flood(&mut builder, 20_000);
    let bolt = builder.set_bolt("gate", gate(&open, &seen));
    bolt.config("topology.executor.receive.buffer.size", QUEUE as i64).global_grouping("flood");
    let running = start(builder, StartOptions::default());
    let emitted = held_back(&running);
    assert!(running.task_counts().iter().all(|task| task.queued as u64 <= QUEUE), "the queue's bound");
    // The queue, what the task has taken out of it, and two batches, a full one and the next, at the spout.
    assert!(emitted <= 4 * QUEUE, "{emitted} tuples under way");
    open.store(true, Ordering::SeqCst);
    seen.wait_len(20_000);
    assert_eq!(seen.all(), (0..20_000).collect::<Vec<_>>(), "nothing dropped, all in order");
}

#[test]
fn a16_a_full_queue_holds_the_spout_back() {
    bounded(1);
    bounded(16);
}

/// Storm's queues take batches of half their size at most.
#[test]
fn a16_a_batch_is_no_larger_than_half_the_queue() {
    bounded(1_000);
}

#[test]
fn flo05_a_slow_bolt_holds_its_spout_back_through_others() {
    let (open, seen) = (Arc::new(AtomicBool::new(false)), Seen::default());
    let mut builder = TopologyBuilder::new();
    builder.config("topology.executor.receive.buffer.size", 100).config("topology.producer.batch.size", 10);
    flood(&mut builder, 50_000);
    builder.set_bolt("first", identity()).parallelism(2).shuffle_grouping("flood");
    builder.set_bolt("second", identity()).shuffle_grouping("first");
    builder.set_bolt("gate", gate(&open, &seen)).global_grouping("second");
    let running = start(builder, StartOptions::default());
    let emitted = held_back(&running);
    assert!(running.task_counts().iter().all(|task| task.queued <= 100));
    assert!(emitted <= 4 * 220 + 40, "{emitted} tuples under way in 4 tasks with queues of 100");
    open.store(true, Ordering::SeqCst);
    seen.wait_len(50_000);
    let mut all = seen.all();
    all.sort();
    assert_eq!(all, (0..50_000).collect::<Vec<_>>());
}

/// Acks get in though queues are full: else a spout and a bolt would wait for each other.
#[test]
fn flo14_acks_pass_full_queues() {
    let (feed, sleeps) = (Feed::default(), Arc::new(AtomicI64::new(20)));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.executor.receive.buffer.size", 2).config("topology.producer.batch.size", 1);
    builder.set_spout("words", {
        let feed = feed.clone();
        move || feed.spout()
    });
    let slow = doing(move |tuple, collector| {
        if sleeps.fetch_sub(1, Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        collector.ack(tuple);
        Ok(())
    });
    builder.set_bolt("branches", crate::bench::branching(5)).shuffle_grouping("words");
    builder.set_bolt("slow", slow).shuffle_grouping("branches");
    let _running = start(builder, StartOptions::default());
    (0..2_000).for_each(|number| feed.send(number));
    feed.wait_acked(2_000);
    assert!(feed.failed().is_empty());
}
