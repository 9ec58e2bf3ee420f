//! What the tests are made of: a spout that the test feeds, bolts that do what the test says, and waiting for events.

use std::collections::VecDeque;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use monsoon_topology::{
    Bolt, BoltCollector, HeldTuple, ManualClock, Outcome, RunningTopology, Spout, SpoutCollector, StartOptions,
    Streams, TaskContext, TopologyBuilder, Tuple, Value, Waker,
};
use parking_lot::Mutex;

/// Far more than anything here takes.
pub const WAIT: Duration = Duration::from_secs(30);

/// Waits until a condition holds.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < WAIT, "{what} did not come about in {WAIT:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Builds and starts a topology.
pub fn start(builder: TopologyBuilder, options: StartOptions) -> RunningTopology {
    RunningTopology::start(&builder.build("conformance").unwrap(), options).unwrap()
}

/// With a clock that the test moves on.
pub fn with_clock(clock: &Arc<ManualClock>) -> StartOptions {
    StartOptions { clock: clock.clone(), seed: 1, ..StartOptions::default() }
}

/// Keeps panics that a test wants out of its output.
pub fn expect_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().downcast_ref::<&str>().is_some_and(|message| message.contains("on purpose")) {
                usual(info);
            }
        }));
    });
}

#[derive(Default)]
struct Fed {
    waiting: VecDeque<(Vec<Value>, Option<Value>)>,
    acked: Vec<Value>,
    failed: Vec<Value>,
    opened: usize,
    calls: u64,
    waker: Option<Waker>,
}

/// What a spout of one task emits, and what it is told (Storm's FeederSpout and AckTracker).
#[derive(Clone, Default)]
pub struct Feed(Arc<Mutex<Fed>>);

impl Feed {
    /// A spout that emits what is fed.
    pub fn spout(&self) -> Feeder {
        Feeder { feed: self.clone(), fields: &["word"], replay: false }
    }

    /// Has the spout emit a tracked tuple of one field, which is its message id too.
    pub fn send(&self, value: impl Into<Value>) {
        let value = value.into();
        self.send_row(vec![value.clone()], Some(value));
    }

    /// Has the spout emit a tuple.
    pub fn send_row(&self, row: Vec<Value>, id: Option<Value>) {
        let mut fed = self.0.lock();
        fed.waiting.push_back((row, id));
        if let Some(waker) = &fed.waker {
            waker.wake();
        }
    }

    /// Message ids acked, in order.
    pub fn acked(&self) -> Vec<Value> {
        self.0.lock().acked.clone()
    }

    /// Message ids failed, in order.
    pub fn failed(&self) -> Vec<Value> {
        self.0.lock().failed.clone()
    }

    /// How often a spout was opened.
    pub fn opened(&self) -> usize {
        self.0.lock().opened
    }

    /// How often `next_tuple` was called.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// Waits until the spout has looked at everything that was there for it when this was called: time, acks and fails.
    pub fn look(&self) {
        let calls = self.calls();
        wait_until("a call of next_tuple", || self.calls() >= calls + 2);
    }

    /// Waits until this many are acked.
    pub fn wait_acked(&self, count: usize) {
        wait_until("acks", || self.acked().len() >= count);
        assert_eq!(self.acked().len(), count);
    }
}

/// The spout of a [`Feed`].
pub struct Feeder {
    feed: Feed,
    fields: &'static [&'static str],
    replay: bool,
}

impl Feeder {
    /// With these fields.
    pub fn fields(mut self, fields: &'static [&'static str]) -> Feeder {
        self.fields = fields;
        self
    }

    /// Emits again what has failed, if it is its own id.
    pub fn replaying(mut self) -> Feeder {
        self.replay = true;
        self
    }
}

impl Spout for Feeder {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(self.fields);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        let mut fed = self.feed.0.lock();
        fed.opened += 1;
        fed.waker = Some(context.waker());
        Ok(())
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        let mut fed = self.feed.0.lock();
        fed.calls += 1;
        match fed.waiting.pop_front() {
            Some((row, Some(id))) => collector.emit_tracked(row, id).map(drop),
            Some((row, None)) => collector.emit(row).map(drop),
            None => Ok(()),
        }
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.feed.0.lock().acked.push(id);
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        let mut fed = self.feed.0.lock();
        if self.replay {
            fed.waiting.push_back((vec![id.clone()], Some(id.clone())));
        }
        fed.failed.push(id);
        Ok(())
    }
}

/// What a bolt of the test does with a tuple.
pub type Work = Arc<dyn Fn(&Tuple<'_>, &mut BoltCollector) -> Outcome + Send + Sync>;

/// A bolt of a closure that its tasks share. It emits the field `word`.
pub struct Doing(Work);

impl Bolt for Doing {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        (self.0)(tuple, collector)
    }
}

/// Makes bolts of a closure.
pub fn doing(
    work: impl Fn(&Tuple<'_>, &mut BoltCollector) -> Outcome + Send + Sync + 'static,
) -> impl Fn() -> Doing + Send + Sync + 'static {
    let work: Work = Arc::new(work);
    move || Doing(work.clone())
}

/// Passes every tuple on, anchored, and acks it (Storm's IdentityBolt).
pub fn identity() -> impl Fn() -> Doing + Send + Sync + 'static {
    branching(1)
}

/// Emits every tuple so many times, anchored, and acks it (Storm's BranchingBolt).
pub fn branching(times: usize) -> impl Fn() -> Doing + Send + Sync + 'static {
    doing(move |tuple, collector| {
        for _ in 0..times {
            collector.emit(tuple, *tuple)?;
        }
        collector.ack(tuple);
        Ok(())
    })
}

/// Gathers so many tuples, emits one that is anchored to all of them, and acks them (Storm's AggBolt).
pub struct Agg {
    size: usize,
    held: Vec<HeldTuple>,
}

/// Makes gathering bolts.
pub fn agg(size: usize) -> impl Fn() -> Agg + Send + Sync + 'static {
    move || Agg { size, held: Vec::new() }
}

impl Bolt for Agg {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.held.push(tuple.hold());
        if self.held.len() == self.size {
            collector.emit(&self.held, [Value::Null])?;
            collector.ack(&self.held);
            self.held.clear();
        }
        Ok(())
    }
}

/// What bolts tell the test, in the order they do.
pub struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Seen<T> {
        Seen(self.0.clone())
    }
}

impl<T> Default for Seen<T> {
    fn default() -> Seen<T> {
        Seen(Arc::default())
    }
}

impl<T: Clone> Seen<T> {
    /// Adds something.
    pub fn note(&self, thing: T) {
        self.0.lock().push(thing);
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        self.0.lock().clone()
    }

    /// How much there is.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Waits until there is so much.
    pub fn wait_len(&self, len: usize) {
        wait_until("what bolts were to see", || self.len() >= len);
        assert_eq!(self.len(), len);
    }
}

/// Values of integers or texts, to compare with.
pub fn values<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Vec<Value> {
    values.into_iter().map(Into::into).collect()
}
