//! DRPC: a function called with one string, computed by a topology, answered with one string.
//!
//! [`DrpcServer`] is what a topology needs of a registry of calls; [`LocalDrpc`] is one inside the process.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use monsoon_topology::drpc::PolledFunction;
use parking_lot::{Condvar, Mutex};

/// A call that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Names the call in the answer.
    pub id: String,
    /// The argument.
    pub args: String,
}

/// Where a topology gets calls and leaves answers. Each request is answered once.
pub trait DrpcServer: Send + Sync + 'static {
    /// The next call of a function, `None` when none waits. May wait for a moment; a topology asks again.
    fn next_request(&self, function: &str) -> Option<Request>;
    /// The answer of a call.
    fn result(&self, id: &str, text: String);
    /// Why a call has no answer.
    fn fail(&self, id: &str, reason: String);
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrpcError {
    /// No answer came in time: try again, or with more time.
    #[error("no answer from {function:?} within {waited:?}")]
    Timeout {
        /// The function.
        function: String,
        /// How long.
        waited: Duration,
    },
    /// The topology failed to compute the answer.
    #[error("{function:?} failed: {reason}")]
    Failed {
        /// The function.
        function: String,
        /// What it said.
        reason: String,
    },
    /// Too many calls of the function wait already: try again later.
    #[error("{waiting} calls of {function:?} are waiting")]
    Full {
        /// The function.
        function: String,
        /// How many.
        waiting: usize,
    },
}

/// How many calls of one function may wait to be fetched.
const WAITING_MAX: usize = 128;
/// How long one fetch waits for a call.
const FETCH_WAIT: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Calls {
    next_id: u64,
    waiting: HashMap<String, VecDeque<Request>>,
    /// The calls somebody waits for, with the answer once there is one.
    answers: HashMap<String, Option<Result<String, String>>>,
}

/// Functions that `SELECT drpc(...)` and the tuple path's topologies share, served by Trident: one for each function that a stream serves.
impl DrpcServer for PolledFunction {
    fn next_request(&self, function: &str) -> Option<Request> {
        if function != self.function() {
            return None;
        }
        let request = self.next(FETCH_WAIT)?;
        Some(Request { id: request.id.to_string(), args: request.args })
    }

    fn result(&self, id: &str, text: String) {
        if let Ok(id) = id.parse() {
            self.drpc().answer(id, Ok(text));
        }
    }

    fn fail(&self, id: &str, reason: String) {
        if let Ok(id) = id.parse() {
            self.drpc().answer(id, Err(monsoon_topology::drpc::DrpcError::Failed(reason)));
        }
    }
}

/// A DRPC server inside the process.
pub struct LocalDrpc {
    timeout: Duration,
    calls: Mutex<Calls>,
    called: Condvar,
    answered: Condvar,
}

impl LocalDrpc {
    /// One whose calls wait up to ten minutes for their answer.
    pub fn new() -> LocalDrpc {
        LocalDrpc::with_timeout(Duration::from_secs(600))
    }

    /// One whose calls wait so long for their answer.
    pub fn with_timeout(timeout: Duration) -> LocalDrpc {
        LocalDrpc { timeout, calls: Mutex::default(), called: Condvar::new(), answered: Condvar::new() }
    }

    /// Calls a function and waits for its answer: the tuples of the stream's end as a JSON list of lists.
    pub fn execute(&self, function: &str, args: &str) -> Result<String, DrpcError> {
        let deadline = Instant::now() + self.timeout;
        let mut calls = self.calls.lock();
        let id = enqueue(&mut calls, function, args)?;
        self.called.notify_all();
        while calls.answers.get(&id).is_some_and(Option::is_none) {
            if self.answered.wait_until(&mut calls, deadline).timed_out() {
                break;
            }
        }
        match calls.answers.remove(&id).flatten() {
            Some(Ok(text)) => Ok(text),
            Some(Err(reason)) => Err(DrpcError::Failed { function: function.to_owned(), reason }),
            None => {
                if let Some(waiting) = calls.waiting.get_mut(function) {
                    waiting.retain(|request| request.id != id);
                }
                Err(DrpcError::Timeout { function: function.to_owned(), waited: self.timeout })
            }
        }
    }

    fn answer(&self, id: &str, answer: Result<String, String>) {
        // The answer to a call nobody waits for any more is dropped.
        if let Some(place) = self.calls.lock().answers.get_mut(id) {
            *place = Some(answer);
            self.answered.notify_all();
        }
    }
}

fn enqueue(calls: &mut Calls, function: &str, args: &str) -> Result<String, DrpcError> {
    let id = calls.next_id.to_string();
    let waiting = calls.waiting.entry(function.to_owned()).or_default();
    if waiting.len() >= WAITING_MAX {
        return Err(DrpcError::Full { function: function.to_owned(), waiting: waiting.len() });
    }
    waiting.push_back(Request { id: id.clone(), args: args.to_owned() });
    calls.next_id += 1;
    calls.answers.insert(id.clone(), None);
    Ok(id)
}

impl Default for LocalDrpc {
    fn default() -> LocalDrpc {
        LocalDrpc::new()
    }
}

impl DrpcServer for LocalDrpc {
    fn next_request(&self, function: &str) -> Option<Request> {
        let deadline = Instant::now() + FETCH_WAIT;
        let mut calls = self.calls.lock();
        loop {
            if let Some(request) = calls.waiting.get_mut(function).and_then(VecDeque::pop_front) {
                return Some(request);
            }
            if self.called.wait_until(&mut calls, deadline).timed_out() {
                return None;
            }
        }
    }

    fn result(&self, id: &str, text: String) {
        self.answer(id, Ok(text));
    }

    fn fail(&self, id: &str, reason: String) {
        self.answer(id, Err(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_answer_times_out() {
        let server = LocalDrpc::with_timeout(Duration::from_millis(10));
        let error = server.execute("f", "x").unwrap_err();
        assert_eq!(error, DrpcError::Timeout { function: "f".into(), waited: Duration::from_millis(10) });
        assert_eq!(server.next_request("f"), None);
    }
}
