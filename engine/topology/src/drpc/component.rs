//! The spout that takes requests, and the bolt that answers them.

use std::sync::Arc;

use super::{Drpc, DrpcError};
use crate::clock::Moment;
use crate::collector::{BasicCollector, SpoutCollector, Waker};
use crate::component::{BasicBolt, Spout};
use crate::context::TaskContext;
use crate::stream::Streams;
use crate::tuple::Tuple;
use crate::{Failure, Outcome, Value};

/// Emits the requests of a function as tuples `(id, args)`. A request whose tree fails or times out fails; one whose tree is complete without an
/// answer has none to come, and fails too.
pub struct DrpcSpout {
    drpc: Arc<Drpc>,
    function: String,
    waker: Option<Waker>,
}

impl DrpcSpout {
    /// Serves a function.
    pub fn new(drpc: Arc<Drpc>, function: &str) -> DrpcSpout {
        DrpcSpout { drpc, function: function.into(), waker: None }
    }

    fn fail_request(&self, id: &Value, reason: &str) {
        if let Some(id) = id.as_int() {
            self.drpc.answer(id as u64, Err(DrpcError::Failed(reason.into())));
        }
    }
}

impl Spout for DrpcSpout {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["id", "args"]);
    }

    fn open(&mut self, context: &TaskContext) -> Outcome {
        self.waker = Some(context.waker());
        Ok(())
    }

    fn activate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.waker.iter().for_each(|waker| self.drpc.serve(&self.function, waker.clone()));
        Ok(())
    }

    /// Nobody serves the function meanwhile: who asks is told at once.
    fn deactivate(&mut self, _: &mut SpoutCollector) -> Outcome {
        self.waker.iter().for_each(|waker| self.drpc.retire(&self.function, waker));
        Ok(())
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if let Some(request) = self.drpc.next(&self.function) {
            collector.emit_tracked((request.id as i64, request.args), request.id as i64)?;
        }
        Ok(())
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.fail_request(&id, "the topology is done with the request and has given no result");
        Ok(())
    }

    fn fail(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.fail_request(&id, "the topology failed the request, or took longer than its message time-out");
        Ok(())
    }

    fn next_poll(&self) -> Option<Moment> {
        Some(Moment(u64::MAX))
    }
}

impl Drop for DrpcSpout {
    fn drop(&mut self) {
        if let Some(waker) = &self.waker {
            self.drpc.retire(&self.function, waker);
        }
    }
}

/// Answers requests: its input has the request's id first, and the result second.
pub struct ReturnResult(Arc<Drpc>);

impl ReturnResult {
    /// Answers by this.
    pub fn new(drpc: Arc<Drpc>) -> ReturnResult {
        ReturnResult(drpc)
    }
}

impl BasicBolt for ReturnResult {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut BasicCollector<'_, '_>) -> Outcome {
        let [Value::Int(id), result, ..] = tuple.values() else {
            return Err(Failure::new("a result is a tuple of the request's id and a value"));
        };
        self.0.answer(*id as u64, Ok(result.to_string()));
        Ok(())
    }
}
