//! `StatefulBolt`: a bolt with a key-value state that checkpoints keep.
//!
//! With a checkpoint store and replayable spouts the state is as if each tuple had been worked on once: after a failure the topology goes back to its
//! last checkpoint, state and spouts together. So a stateful bolt keeps what has to last in its state and nowhere else.

use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::component::Bolt;
use crate::config::Config;
use crate::context::TaskContext;
use crate::key_value_state::KeyValueState;
use crate::state::StateChanges;
use crate::stream::Streams;
use crate::tuple::Tuple;
use crate::{Failure, Outcome};

/// A bolt with a key-value state. Added by [`crate::TopologyBuilder::set_stateful_bolt`].
pub trait StatefulBolt: Send {
    /// Declares the streams it emits on.
    fn declare(&self, _streams: &mut Streams) {}

    /// Settings of its own; those given when the topology is built go before them.
    fn configuration(&self) -> Config {
        Config::default()
    }

    /// Called before anything else.
    fn prepare(&mut self, _context: &TaskContext) -> Outcome {
        Ok(())
    }

    /// Called once, before the first tuple, with the state as it was at the last durable checkpoint; empty if there is none.
    fn init_state(&mut self, _state: &mut KeyValueState) -> Outcome {
        Ok(())
    }

    /// Works on a tuple, which must be acked or failed as any bolt's.
    fn execute(&mut self, tuple: &Tuple<'_>, state: &mut KeyValueState, collector: &mut BoltCollector) -> Outcome;

    /// A checkpoint is about to be taken: the last chance to put into the state what belongs to it.
    fn before_checkpoint(&mut self, _state: &mut KeyValueState, _collector: &mut BoltCollector) -> Outcome {
        Ok(())
    }

    /// Whether everything it was given is done. A checkpoint waits for it.
    fn settled(&self) -> bool {
        true
    }

    /// Called at [`StatefulBolt::next_poll`], or sooner when a [`crate::Waker`] asked for it.
    fn poll(&mut self, _now: Moment, _state: &mut KeyValueState, _collector: &mut BoltCollector) -> Outcome {
        Ok(())
    }

    /// When [`StatefulBolt::poll`] is to be called.
    fn next_poll(&self) -> Option<Moment> {
        None
    }

    /// Called when the topology ends in order. Not after a crash.
    fn cleanup(&mut self) {}
}

/// A stateful bolt as a bolt.
pub struct Stateful<B> {
    bolt: B,
    state: KeyValueState,
}

impl<B: StatefulBolt> Stateful<B> {
    /// With an empty state.
    pub fn new(bolt: B) -> Stateful<B> {
        Stateful { bolt, state: KeyValueState::default() }
    }
}

impl<B: StatefulBolt> Bolt for Stateful<B> {
    fn declare(&self, streams: &mut Streams) {
        self.bolt.declare(streams);
    }

    fn configuration(&self) -> Config {
        self.bolt.configuration()
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.bolt.prepare(context)
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.bolt.execute(tuple, &mut self.state, collector)
    }

    fn cleanup(&mut self) {
        self.bolt.cleanup();
    }

    fn settled(&self) -> bool {
        self.bolt.settled()
    }

    fn poll(&mut self, now: Moment, collector: &mut BoltCollector) -> Outcome {
        self.bolt.poll(now, &mut self.state, collector)
    }

    fn next_poll(&self) -> Option<Moment> {
        self.bolt.next_poll()
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, collector: &mut BoltCollector) -> Option<StateChanges> {
        // A state that isn't ready must not be kept: the panic has the topology go back to the last checkpoint.
        if let Err(Failure(reason)) = self.bolt.before_checkpoint(&mut self.state, collector) {
            panic!("could not get its state ready for a checkpoint: {reason}");
        }
        Some(self.state.checkpoint())
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        self.state.restore(state)?;
        self.bolt.init_state(&mut self.state)
    }
}
