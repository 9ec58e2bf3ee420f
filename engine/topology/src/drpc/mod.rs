//! DRPC: functions that topologies serve. A request is a text, and so is its answer.
//!
//! Requests wait here until a [`DrpcSpout`] takes them; its topology works on them and a [`ReturnResult`] bolt answers. Invariants: every request is
//! answered exactly once (result, failure, or given up by who asked), at most [`WAITING_MAX`] wait per function, and nothing is kept of one that is
//! answered.

mod component;
mod polled;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use crate::collector::Waker;

pub use component::{DrpcSpout, ReturnResult};
pub use polled::PolledFunction;

/// Requests that may wait for one function (Storm's `drpc.queue.size`); one more is refused.
pub const WAITING_MAX: usize = 128;

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrpcError {
    /// No topology serves the function.
    #[error("no topology serves function {0:?}")]
    NoFunction(String),
    /// Too many requests wait already: try again later.
    #[error("{WAITING_MAX} requests wait for function {0:?} already")]
    Busy(String),
    /// The topology could not answer.
    #[error("{0}")]
    Failed(String),
}

/// A request that a topology works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrpcRequest {
    /// Its number, to answer by.
    pub id: u64,
    /// What was asked.
    pub args: String,
}

/// Gives the answer to who asked.
pub type Reply = Box<dyn FnOnce(Result<String, DrpcError>) + Send>;

/// The requests of all functions.
#[derive(Default)]
pub struct Drpc(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    functions: HashMap<String, Function>,
    /// Who waits for which request.
    replies: HashMap<u64, Reply>,
}

#[derive(Default)]
struct Function {
    waiting: VecDeque<DrpcRequest>,
    /// Spouts that take requests.
    servers: Vec<Waker>,
}

impl std::fmt::Debug for Drpc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.lock().functions.keys()).finish()
    }
}

impl Drpc {
    /// Asks a function. Returns the request's number, for [`Drpc::give_up`]; the answer goes to `reply`.
    pub fn ask(&self, function: &str, args: &str, reply: Reply) -> Result<u64, DrpcError> {
        let mut state = self.0.lock();
        let id = state.next;
        let served = state.functions.get_mut(function).filter(|served| !served.servers.is_empty());
        let Some(served) = served else { return Err(DrpcError::NoFunction(function.into())) };
        if served.waiting.len() >= WAITING_MAX {
            return Err(DrpcError::Busy(function.into()));
        }
        served.waiting.push_back(DrpcRequest { id, args: args.into() });
        served.servers.iter().for_each(Waker::wake);
        state.next += 1;
        state.replies.insert(id, reply);
        Ok(id)
    }

    /// Who asked waits no longer.
    pub fn give_up(&self, id: u64) {
        let mut state = self.0.lock();
        state.replies.remove(&id);
        state.functions.values_mut().for_each(|function| function.waiting.retain(|request| request.id != id));
    }

    /// The next request of a function.
    pub fn next(&self, function: &str) -> Option<DrpcRequest> {
        self.0.lock().functions.get_mut(function)?.waiting.pop_front()
    }

    /// Answers a request. What is answered or given up already isn't answered again.
    pub fn answer(&self, id: u64, answer: Result<String, DrpcError>) {
        let reply = self.0.lock().replies.remove(&id);
        if let Some(reply) = reply {
            reply(answer);
        }
    }

    /// A spout takes requests of a function from now on.
    pub(crate) fn serve(&self, function: &str, waker: Waker) {
        self.0.lock().functions.entry(function.into()).or_default().servers.push(waker);
    }

    /// A spout takes no more. When it was the last one, what waits fails.
    pub(crate) fn retire(&self, function: &str, waker: &Waker) {
        let mut state = self.0.lock();
        let Some(served) = state.functions.get_mut(function) else { return };
        served.servers.retain(|server| !server.is_same(waker));
        if !served.servers.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut served.waiting);
        state.functions.remove(function);
        let replies: Vec<Reply> = waiting.iter().filter_map(|request| state.replies.remove(&request.id)).collect();
        drop(state);
        let gone = DrpcError::Failed(format!("function {function:?} is no longer served"));
        replies.into_iter().for_each(|reply| reply(Err(gone.clone())));
    }
}
