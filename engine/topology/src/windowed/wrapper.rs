//! `Windowed`: the bolt around a windowed bolt.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::journal::USER;
use super::restore::Restored;
use super::running::Running;
use super::{Window, WindowedBolt};
use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::component::Bolt;
use crate::config::Config;
use crate::context::TaskContext;
use crate::state::StateChanges;
use crate::stream::{StreamInfo, Streams};
use crate::tuple::Tuple;
use crate::{Failure, Outcome};

/// A windowed bolt as a bolt. Ticks aren't part of windows.
///
/// It has state: a topology of replayable spouts that keeps checkpoints is exactly once with it, and then the content of its windows is in them.
pub struct Windowed<B> {
    window: Window,
    bolt: B,
    running: Option<Running>,
}

impl<B: WindowedBolt> Windowed<B> {
    /// A bolt that is given the windows that `window` tells.
    pub fn new(window: Window, bolt: B) -> Windowed<B> {
        Windowed { window, bolt, running: None }
    }

    /// Works with what there is once it is prepared. When user code panics the windows are lost, so what they hold fails.
    fn run(
        &mut self,
        collector: &mut BoltCollector,
        work: impl FnOnce(&mut Running, &mut B, &mut BoltCollector) -> Outcome,
    ) -> Outcome {
        let running = self.running.as_mut().ok_or_else(|| Failure::new("a windowed bolt that isn't prepared"))?;
        let bolt = &mut self.bolt;
        match catch_unwind(AssertUnwindSafe(|| work(running, bolt, collector))) {
            Ok(outcome) => outcome,
            Err(panicked) => {
                running.fail_all(collector);
                resume_unwind(panicked)
            }
        }
    }
}

impl<B: WindowedBolt> Bolt for Windowed<B> {
    fn declare(&self, streams: &mut Streams) {
        self.bolt.declare(streams);
        if let Some(late) = &self.window.late_stream {
            streams.declare_stream(late, ["late_tuple"]);
        }
    }

    fn declare_from(&self, inputs: &[Arc<StreamInfo>], streams: &mut Streams) -> Outcome {
        self.bolt.declare_from(inputs, streams)
    }

    fn configuration(&self) -> Config {
        self.bolt.configuration()
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        self.running = Some(Running::prepare(&self.window, context)?);
        self.bolt.prepare(context)
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.run(collector, |running, bolt, collector| running.execute(tuple, bolt, collector))
    }

    fn cleanup(&mut self) {
        self.bolt.cleanup();
    }

    fn poll(&mut self, now: Moment, collector: &mut BoltCollector) -> Outcome {
        self.run(collector, |running, bolt, collector| running.poll(now, bolt, collector))
    }

    fn next_poll(&self) -> Option<Moment> {
        self.running.as_ref().and_then(Running::next_poll)
    }

    fn fails_by_tuple(&self) -> bool {
        false
    }

    fn stateful(&self) -> bool {
        self.running.as_ref().is_none_or(Running::is_exactly_once)
    }

    fn checkpoint(&mut self, _collector: &mut BoltCollector) -> Option<StateChanges> {
        let windows = self.running.as_mut().filter(|running| running.is_exactly_once())?.checkpoint();
        let user = self.bolt.checkpoint();
        let own = user.changes.into_iter().map(|(key, value)| ([&[USER][..], &key].concat(), value));
        Some(StateChanges { changes: windows.into_iter().chain(own).collect(), beside: user.beside })
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        let mut restored = Restored::of(&state)?;
        let user = std::mem::take(&mut restored.user);
        if let Some(running) = &mut self.running {
            running.restore(restored)?;
        }
        self.bolt.restore(user)
    }
}
