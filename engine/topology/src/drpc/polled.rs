//! `PolledFunction`: a function whose requests are fetched by who serves it, rather than by a spout.

use std::sync::Arc;
use std::time::Duration;

use super::{Drpc, DrpcRequest};
use crate::collector::Waker;
use crate::inbox::Signal;

/// A function that is served as long as this lives. One thread fetches at a time.
pub struct PolledFunction {
    drpc: Arc<Drpc>,
    function: String,
    waker: Waker,
    signal: Arc<Signal>,
}

impl PolledFunction {
    /// Serves a function.
    pub fn serve(drpc: Arc<Drpc>, function: &str) -> PolledFunction {
        let signal = Signal::new();
        let waker = Waker::new(signal.clone());
        drpc.serve(function, waker.clone());
        PolledFunction { drpc, function: function.into(), waker, signal }
    }

    /// The function.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Where answers go.
    pub fn drpc(&self) -> &Arc<Drpc> {
        &self.drpc
    }

    /// The next request; waits for one at most this long.
    pub fn next(&self, longest: Duration) -> Option<DrpcRequest> {
        if let Some(request) = self.drpc.next(&self.function) {
            return Some(request);
        }
        self.signal.attach();
        self.signal.wait(Some(longest));
        self.drpc.next(&self.function)
    }
}

impl Drop for PolledFunction {
    fn drop(&mut self) {
        self.drpc.retire(&self.function, &self.waker);
    }
}
