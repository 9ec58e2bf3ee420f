//! Components in other languages: the engine's side of Storm's multilang protocol.
//!
//! A component is a child process. What the engine says goes to its standard input, what it says comes from its standard
//! output, one JSON value a message, each followed by a line `end`. Standard error is for the log.
//!
//! | file | what |
//! |---|---|
//! | `json` | values of tuples as JSON and back |
//! | `frame` | messages cut out of a stream of bytes, and put into one |
//! | `message` | what is said, and by whom |
//! | `setup` | the first message: configuration, and the task's place in the topology |
//! | `outbox` | what waits to be said to a child: replies first, tuples after |
//! | `stderr` | lines of standard error: cut, counted, kept |
//! | `group` | the child's process group: signalled, waited for, reaped |
//! | `process` | a child: started, greeted, listened to, killed |
//!
//! Invariants:
//! - Only `process` starts threads; `json`, `frame`, `message`, `setup` and the structures of `stderr` do no IO of their own.
//! - Nothing here knows executors, groupings or acking: a handler gets each message and answers through the [`Outbox`].
//! - Every queue has a bound, and no wait for one of them can hold up another (see `process`, "Why it can't deadlock").

mod error;
pub mod frame;
mod group;
pub mod json;
mod message;
mod outbox;
mod process;
mod setup;
mod stderr;

pub use error::{Error, Result};
pub use message::{Emit, FromChild, Level, ToChild};
pub use outbox::{Offer, Outbox};
pub use process::{ChildProcess, Handler, Launch};
pub use setup::{Context, Grouping, Setup};
