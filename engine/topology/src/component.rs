//! What users write: spouts and bolts.

use std::sync::Arc;

use crate::clock::Moment;
use crate::collector::{BasicCollector, BoltCollector, SpoutCollector};
use crate::config::Config;
use crate::context::TaskContext;
use crate::state::StateChanges;
use crate::stream::{StreamInfo, Streams};
use crate::tuple::Tuple;
use crate::{Outcome, Value};

/// A source of tuples. All of its methods are called from one thread, so `next_tuple` must not wait: acks would wait with it.
pub trait Spout: Send {
    /// Declares the streams it emits on.
    fn declare(&self, streams: &mut Streams);

    /// Settings of its own; those given when the topology is built go before them.
    fn configuration(&self) -> Config {
        Config::default()
    }

    /// Called before anything else, in the thread it runs on.
    fn open(&mut self, _context: &TaskContext) -> Outcome {
        Ok(())
    }

    /// Called when the topology ends in order. Not after a crash.
    fn close(&mut self) {}

    /// Called when the topology is activated, also the first time.
    fn activate(&mut self, _collector: &mut SpoutCollector) -> Outcome {
        Ok(())
    }

    /// Called when the topology is deactivated.
    fn deactivate(&mut self, _collector: &mut SpoutCollector) -> Outcome {
        Ok(())
    }

    /// Emits some tuples, or none if there are none now.
    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome;

    /// Called between two calls of `next_tuple`, and also while there are none because the spout is inactive or too many of its tuples are
    /// pending; not while there is no room for what it would emit. A [`crate::Waker`] from the context asks for a call.
    fn poll(&mut self, _now: Moment, _collector: &mut SpoutCollector) -> Outcome {
        Ok(())
    }

    /// Whether nothing is under way in the spout itself. A topology that is to end waits for it.
    fn settled(&self) -> bool {
        true
    }

    /// The tree of the tuple emitted with this message id is complete.
    fn ack(&mut self, _id: Value, _collector: &mut SpoutCollector) -> Outcome {
        Ok(())
    }

    /// The tree of the tuple emitted with this message id has failed or timed out. Emitting it again is the spout's business.
    fn fail(&mut self, _id: Value, _collector: &mut SpoutCollector) -> Outcome {
        Ok(())
    }

    /// Whether it can go back to a position and emit from there again.
    fn replayable(&self) -> bool {
        false
    }

    /// Where a replayable spout stands: what [`Spout::seek`] is given after a crash.
    fn position(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Goes to a position that it gave. Called after `open`.
    fn seek(&mut self, _position: &[u8]) -> Outcome {
        Ok(())
    }

    /// A position is part of a checkpoint that is durable now: nothing before it will be asked for again.
    fn committed(&mut self, _position: &[u8]) {}

    /// When `next_tuple` is to be called again at the latest after a call that emitted nothing; `None` leaves it to the engine, which asks
    /// every millisecond. A [`crate::Waker`] from the context asks for a call sooner. For a spout that isn't settled this goes for `poll` too.
    fn next_poll(&self) -> Option<Moment> {
        None
    }
}

/// A consumer of tuples, which may emit others. Each tuple it is given must be acked or failed, at once or later.
pub trait Bolt: Send {
    /// Declares the streams it emits on.
    fn declare(&self, _streams: &mut Streams) {}

    /// Declares the streams whose fields it makes of those of the streams it reads. Called after `declare` when the topology is built, and once these
    /// are known. An error says what is wrong with them; the topology isn't built then.
    fn declare_from(&self, _inputs: &[Arc<StreamInfo>], _streams: &mut Streams) -> Outcome {
        Ok(())
    }

    /// Settings of its own; those given when the topology is built go before them.
    fn configuration(&self) -> Config {
        Config::default()
    }

    /// Called before anything else, in the thread it runs on.
    fn prepare(&mut self, _context: &TaskContext) -> Outcome {
        Ok(())
    }

    /// Works on a tuple. An error is reported, and fails the tuple if it has been neither acked nor held; with the setting `on_error = 'skip'` a tuple
    /// that has failed too often is acked instead, without being given to the bolt again.
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome;

    /// Called when the topology ends in order. Not after a crash.
    fn cleanup(&mut self) {}

    /// Whether it can take a tuple now. While it can't, its queue fills and whoever sends to it waits.
    fn ready(&self) -> bool {
        true
    }

    /// Whether everything it was given is done. A checkpoint waits for it.
    fn settled(&self) -> bool {
        true
    }

    /// Called at [`Bolt::next_poll`], or sooner when a [`crate::Waker`] asked for it.
    fn poll(&mut self, _now: Moment, _collector: &mut BoltCollector) -> Outcome {
        Ok(())
    }

    /// When [`Bolt::poll`] is to be called.
    fn next_poll(&self) -> Option<Moment> {
        None
    }

    /// Whether it has state that checkpoints keep.
    fn stateful(&self) -> bool {
        false
    }

    /// Whether what an error of `execute` is about is the tuple it was given. If not, as where windows are worked on, the setting `on_error` can't be
    /// `skip`.
    fn fails_by_tuple(&self) -> bool {
        true
    }

    /// For a bolt with state: what of it has changed since the last call. `None` for others.
    fn checkpoint(&mut self, _collector: &mut BoltCollector) -> Option<StateChanges> {
        None
    }

    /// For a bolt with state: all of it, as it was at the last durable checkpoint. Called after `prepare`, also when there is none.
    fn restore(&mut self, _state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        Ok(())
    }
}

/// A bolt that is done with a tuple when `execute` returns: what it emits is anchored to the tuple, which is then acked, or failed on an error.
pub trait BasicBolt: Send {
    /// Declares the streams it emits on.
    fn declare(&self, _streams: &mut Streams) {}

    /// Settings of its own.
    fn configuration(&self) -> Config {
        Config::default()
    }

    /// Called before anything else.
    fn prepare(&mut self, _context: &TaskContext) -> Outcome {
        Ok(())
    }

    /// Works on a tuple.
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BasicCollector<'_, '_>) -> Outcome;

    /// Called when the topology ends in order.
    fn cleanup(&mut self) {}
}

/// A basic bolt as a bolt.
pub struct Basic<B>(pub B);

impl<B: BasicBolt> Bolt for Basic<B> {
    fn declare(&self, streams: &mut Streams) {
        self.0.declare(streams);
    }

    fn configuration(&self) -> Config {
        self.0.configuration()
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.0.prepare(context)
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0.execute(tuple, &mut BasicCollector::new(tuple, collector))?;
        collector.ack(tuple);
        Ok(())
    }

    fn cleanup(&mut self) {
        self.0.cleanup();
    }
}

/// A basic bolt of a closure and the fields it emits.
pub(crate) struct Closure<F> {
    pub fields: Vec<smol_str::SmolStr>,
    pub work: F,
}

impl<F> BasicBolt for Closure<F>
where
    F: FnMut(&Tuple<'_>, &mut BasicCollector<'_, '_>) -> Outcome + Send,
{
    fn declare(&self, streams: &mut Streams) {
        if !self.fields.is_empty() {
            streams.declare(&self.fields);
        }
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BasicCollector<'_, '_>) -> Outcome {
        (self.work)(tuple, collector)
    }
}

/// A spout of a closure that makes the next tuple, and the fields it has.
pub(crate) struct Supplier<F> {
    pub fields: Vec<smol_str::SmolStr>,
    pub next: F,
}

impl<F> Spout for Supplier<F>
where
    F: FnMut() -> Option<Vec<Value>> + Send,
{
    fn declare(&self, streams: &mut Streams) {
        streams.declare(&self.fields);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if let Some(row) = (self.next)() {
            collector.emit(row)?;
        }
        Ok(())
    }
}
