//! The coordinator by hand and by seed: a random world answers its effects, late and out of order.

use std::collections::BTreeMap;

use super::*;

const LIMITS: Limits = Limits {
    in_flight_max: 3,
    batch_interval_ms: 0,
    idle_interval_ms: 20,
    retry_delay_ms_min: 10,
    retry_delay_ms_max: 40,
    failures_max: None,
};

fn batch(txid: u64, attempt: u32) -> BatchId {
    BatchId { txid, attempt }
}

fn processed(txid: u64, attempt: u32) -> Event {
    Event::Processed { batch: batch(txid, attempt), tuples: 1 }
}

fn failed(txid: u64, attempt: u32) -> Event {
    Event::Failed { batch: batch(txid, attempt), reason: "no".into() }
}

fn report(txid: u64, attempt: u32, failures: u32) -> Effect {
    Effect::Report { batch: batch(txid, attempt), failures, reason: "no".into() }
}

fn start(txid: u64, attempt: u32) -> Effect {
    Effect::Start(batch(txid, attempt))
}

/// One that has started 1, 2 and 3.
fn started() -> Coordinator {
    let mut coordinator = Coordinator::new(LIMITS, Readiness::Always, 1, BTreeMap::new());
    assert_eq!(coordinator.handle(0, Event::Tick), [start(1, 0), start(2, 0), start(3, 0)]);
    coordinator
}

#[test]
fn commits_are_in_order_though_processing_is_not() {
    let mut coordinator = started();
    assert_eq!(coordinator.handle(1, processed(2, 0)), []);
    assert_eq!(coordinator.handle(1, processed(1, 0)), [Effect::Commit(batch(1, 0))]);
    let record = Effect::Record { batch: batch(1, 0), attempts: BTreeMap::from([(2, 0), (3, 0)]) };
    assert_eq!(coordinator.handle(1, Event::Committed(batch(1, 0))), [record]);
    assert_eq!(
        coordinator.handle(1, Event::Recorded(batch(1, 0))),
        [Effect::Succeeded(batch(1, 0)), Effect::Commit(batch(2, 0)), start(4, 0)]
    );
}

#[test]
fn a_failure_restarts_all_later_batches_with_a_higher_attempt() {
    let mut coordinator = started();
    assert_eq!(coordinator.handle(5, failed(2, 0)), [report(2, 0, 1), Effect::Cancel(batch(3, 0))]);
    assert_eq!(coordinator.wakeup_ms(), Some(15));
    assert_eq!(coordinator.handle(14, Event::Tick), []);
    assert_eq!(coordinator.handle(15, Event::Tick), [start(2, 1), start(3, 1)]);
    assert_eq!(coordinator.handle(16, processed(3, 0)), [], "the cancelled attempt counts no more");
    assert_eq!(coordinator.handle(16, failed(2, 0)), []);
    assert_eq!(coordinator.handle(16, processed(1, 0)), [Effect::Commit(batch(1, 0))], "earlier batches go on");
}

#[test]
fn the_retry_delay_doubles_up_to_its_bound() {
    let mut coordinator = started();
    let mut now = 0;
    for (attempt, delay) in [10, 20, 40, 40].into_iter().enumerate() {
        coordinator.handle(now, failed(1, attempt as u32));
        assert_eq!(coordinator.wakeup_ms(), Some(now + delay));
        now += delay;
        coordinator.handle(now, Event::Tick);
    }
}

#[test]
fn a_record_that_fails_is_tried_again_without_another_commit() {
    let mut coordinator = started();
    coordinator.handle(1, processed(1, 0));
    let record = Effect::Record { batch: batch(1, 0), attempts: BTreeMap::from([(2, 0), (3, 0)]) };
    assert_eq!(coordinator.handle(2, Event::Committed(batch(1, 0))), std::slice::from_ref(&record));
    assert_eq!(coordinator.handle(3, failed(1, 0)), [report(1, 0, 1)]);
    assert_eq!(coordinator.wakeup_ms(), Some(13));
    assert_eq!(coordinator.handle(4, processed(2, 0)), [], "the next commit waits");
    assert_eq!(coordinator.handle(13, Event::Tick), [record]);
    let effects = coordinator.handle(14, Event::Recorded(batch(1, 0)));
    assert_eq!(effects, [Effect::Succeeded(batch(1, 0)), Effect::Commit(batch(2, 0)), start(4, 0)]);
}

#[test]
fn a_poison_batch_halts_the_later_ones_only() {
    let mut coordinator =
        Coordinator::new(Limits { failures_max: Some(2), ..LIMITS }, Readiness::Always, 1, BTreeMap::new());
    coordinator.handle(0, Event::Tick);
    coordinator.handle(0, failed(2, 0));
    coordinator.handle(10, Event::Tick);
    let halt = Effect::Halt { txid: 2, failures: 2, reason: "no".into() };
    assert_eq!(coordinator.handle(10, failed(2, 1)), [report(2, 1, 2), Effect::Cancel(batch(3, 1)), halt]);
    assert_eq!(coordinator.handle(1000, processed(1, 0)), [Effect::Commit(batch(1, 0))]);
    coordinator.handle(1000, Event::Committed(batch(1, 0)));
    assert_eq!(coordinator.handle(1000, Event::Recorded(batch(1, 0))), [Effect::Succeeded(batch(1, 0))]);
    assert_eq!(coordinator.wakeup_ms(), None);
}

#[test]
fn an_empty_batch_slows_new_ones_down() {
    let mut coordinator =
        Coordinator::new(Limits { in_flight_max: 1, ..LIMITS }, Readiness::Always, 1, BTreeMap::new());
    coordinator.handle(0, Event::Tick);
    coordinator.handle(5, Event::Processed { batch: batch(1, 0), tuples: 0 });
    coordinator.handle(6, Event::Committed(batch(1, 0)));
    assert_eq!(coordinator.handle(7, Event::Recorded(batch(1, 0))), [Effect::Succeeded(batch(1, 0))]);
    assert_eq!(coordinator.wakeup_ms(), Some(25));
    assert_eq!(coordinator.handle(25, Event::Tick), [start(2, 0)]);
}

#[test]
fn a_new_batch_waits_until_a_spout_is_ready_for_it() {
    let limits = Limits { in_flight_max: 1, ..LIMITS };
    let mut coordinator = Coordinator::new(limits, Readiness::Unknown, 1, BTreeMap::new());
    assert_eq!(coordinator.handle(0, Event::Tick), [Effect::Ask(1)]);
    assert_eq!(coordinator.handle(5, Event::Tick), [], "the answer is not there");
    assert_eq!(coordinator.wakeup_ms(), None);
    assert_eq!(coordinator.handle(6, Event::NotReady(1)), []);
    assert_eq!(coordinator.wakeup_ms(), Some(26));
    assert_eq!(coordinator.handle(26, Event::Tick), [Effect::Ask(1)]);
    assert_eq!(coordinator.handle(27, Event::Ready(1)), [start(1, 0)]);
    assert_eq!(coordinator.handle(28, failed(1, 0)), [report(1, 0, 1)]);
    assert_eq!(coordinator.handle(38, Event::Tick), [start(1, 1)], "a replay needs no readiness");
}

#[test]
fn a_stop_waits_for_the_commit_under_way() {
    let mut coordinator = started();
    coordinator.handle(1, processed(1, 0));
    coordinator.handle(1, processed(2, 0));
    assert_eq!(coordinator.handle(2, Event::Stop), []);
    assert!(!coordinator.is_quiet());
    coordinator.handle(3, Event::Committed(batch(1, 0)));
    assert_eq!(coordinator.handle(3, Event::Recorded(batch(1, 0))), [Effect::Succeeded(batch(1, 0))]);
    assert!(coordinator.is_quiet());
}

#[test]
fn a_restart_continues_with_higher_attempts() {
    let mut coordinator = Coordinator::new(LIMITS, Readiness::Always, 7, BTreeMap::from([(7, 2), (8, 0)]));
    assert_eq!(coordinator.handle(0, Event::Tick), [start(7, 3), start(8, 1), start(9, 0)]);
}

/// The threads and stores around a coordinator, as the coordinator may rely on them.
#[derive(Default)]
struct World {
    /// Whether spouts are asked, and for which txid one of them is ready.
    asks: bool,
    ready: Option<u64>,
    /// Answers that are due, in no order.
    due: Vec<Event>,
    last_attempt: BTreeMap<u64, u32>,
    processed: BTreeMap<u64, u32>,
    committing: Option<BatchId>,
    recording: Option<BatchId>,
    recorded: u64,
    started: BTreeMap<u64, u32>,
}

impl World {
    fn answer(&mut self, effect: Effect, random: &mut impl FnMut(u64) -> u64) {
        let fails = |batch| Event::Failed { batch, reason: "random".into() };
        match effect {
            Effect::Ask(txid) => {
                assert!(self.asks && !self.last_attempt.contains_key(&txid), "{txid} has started before");
                let ready = random(2) == 0;
                self.ready = ready.then_some(txid);
                self.due.push(if ready { Event::Ready(txid) } else { Event::NotReady(txid) });
            }
            Effect::Start(batch) => {
                let is_new = !self.last_attempt.contains_key(&batch.txid);
                assert!(!(self.asks && is_new) || self.ready == Some(batch.txid), "no spout is ready for {batch}");
                assert!(batch.txid > self.recorded, "{batch} is recorded already");
                assert!(self.last_attempt.get(&batch.txid).is_none_or(|last| *last < batch.attempt), "{batch} again");
                assert!(self.started.range(batch.txid..).next().is_none(), "{batch} starts after a later txid");
                self.last_attempt.insert(batch.txid, batch.attempt);
                self.started.insert(batch.txid, batch.attempt);
                assert!(self.started.len() <= 3);
                let ok = Event::Processed { batch, tuples: random(2) };
                self.due.push(if random(8) == 0 { fails(batch) } else { ok });
            }
            Effect::Commit(batch) => {
                assert_eq!(self.committing.replace(batch), None, "two commits at once");
                assert_eq!(batch.txid, self.recorded + 1, "a commit out of order");
                assert_eq!(self.processed.get(&batch.txid), Some(&batch.attempt), "{batch} isn't processed");
                self.due.push(if random(8) == 0 { fails(batch) } else { Event::Committed(batch) });
            }
            Effect::Record { batch, .. } => {
                assert_eq!(self.committing, Some(batch));
                self.recording = Some(batch);
                self.due.push(if random(8) == 0 { fails(batch) } else { Event::Recorded(batch) });
            }
            Effect::Succeeded(batch) => {
                assert_eq!(self.committing.take(), Some(batch));
                self.recording = None;
                self.recorded = batch.txid;
                self.started.remove(&batch.txid);
            }
            Effect::Report { batch, .. } if self.recording == Some(batch) => {}
            Effect::Report { batch, .. } => {
                if self.committing == Some(batch) {
                    self.committing = None;
                }
                drop(self.started.split_off(&batch.txid));
                drop(self.processed.split_off(&batch.txid));
            }
            Effect::Cancel(batch) => assert!(!self.started.contains_key(&batch.txid)),
            Effect::Halt { .. } => panic!("there is no bound on failures"),
        }
    }
}

fn simulate(seed: u64) {
    let mut state = seed;
    let mut random = move |bound: u64| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    };
    let asks = seed % 2 == 1;
    let (mut world, mut now) = (World { asks, ..World::default() }, 0);
    let readiness = if asks { Readiness::Unknown } else { Readiness::Always };
    let mut coordinator = Coordinator::new(LIMITS, readiness, 1, BTreeMap::new());
    for _ in 0..3000 {
        now += random(15);
        let event = match world.due.len() as u64 {
            0 => Event::Tick,
            due if random(4) > 0 => world.due.swap_remove(random(due) as usize),
            _ => Event::Tick,
        };
        if let Event::Processed { batch, .. } = &event
            && world.started.get(&batch.txid) == Some(&batch.attempt)
        {
            world.processed.insert(batch.txid, batch.attempt);
        }
        for effect in coordinator.handle(now, event) {
            world.answer(effect, &mut random);
        }
        assert_eq!(coordinator.last_committed(), world.recorded);
        assert!(!world.due.is_empty() || coordinator.wakeup_ms().is_some(), "nothing will ever happen again");
    }
    assert!(world.recorded > 50, "seed {seed}: only {} batches are committed", world.recorded);
}

/// One seed again: `MONSOON_SEED=7 cargo test -p monsoon-trident random_worlds`.
#[test]
fn random_worlds_keep_the_invariants() {
    let seeds = match std::env::var("MONSOON_SEED") {
        Ok(seed) => vec![seed.parse().expect("MONSOON_SEED is a number")],
        Err(_) => (0..200).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        simulate(seed);
    }
}
