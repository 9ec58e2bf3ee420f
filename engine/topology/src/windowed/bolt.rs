//! What users write: a bolt that is given windows.

use std::sync::Arc;

use super::{TupleWindow, WindowCollector};
use crate::Outcome;
use crate::config::Config;
use crate::context::TaskContext;
use crate::state::StateChanges;
use crate::stream::{StreamInfo, Streams};

/// A consumer of windows of tuples. Added by [`crate::TopologyBuilder::set_windowed_bolt`].
pub trait WindowedBolt: Send {
    /// Declares the streams it emits on. The stream for late tuples is declared by the [`super::Window`].
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

    /// Works on a window. What it emits is anchored to all tuples of the window. An error is reported and fails them all; they stay in the windows
    /// they are still to be part of. A panic fails every tuple that is held, and a new instance begins with empty windows.
    fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome;

    /// Called when the topology ends in order. Not after a crash.
    fn cleanup(&mut self) {}

    /// What of its own state has changed since the last checkpoint. The content of windows is kept without its doing.
    fn checkpoint(&mut self) -> StateChanges {
        StateChanges::default()
    }

    /// Its own state, as it was at the last durable checkpoint. Called after `prepare` where state is exactly once, also when there is none.
    fn restore(&mut self, _state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        Ok(())
    }
}
