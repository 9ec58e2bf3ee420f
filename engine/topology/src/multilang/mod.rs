//! Components in other languages: the engine's side of Storm's multilang protocol.
//!
//! A component is a child process. What the engine says goes to its standard input, what it says comes from its standard
//! output, one JSON value a message, each followed by a line `end`. Standard error is for the log. A child that chooses to in its
//! answer to the handshake speaks the Arrow dialect from then on: batches of tuples in columns (`docs/multilang-arrow.md`).
//!
//! | file | what |
//! |---|---|
//! | `json` | values of tuples as JSON and back |
//! | `frame` | messages cut out of a stream of bytes, and put into one |
//! | `message` | what is said, and by whom |
//! | `arrow` | the Arrow dialect: the same messages, with tuples in columns |
//! | `dialect` | which of the two is spoken, and all that differs because of it |
//! | `setup` | the first message: configuration, and the task's place in the topology |
//! | `outbox` | what waits to be said to a child: replies first, tuples after |
//! | `stderr` | lines of standard error: cut, counted, kept |
//! | `group` | the child's process group: signalled, waited for, reaped |
//! | `process` | a child: started, greeted, listened to, killed |
//! | `shell_spec` | what a component in another language is |
//! | `task_setup` | the first message, from a task's context |
//! | `mailbox` | what a child has said and its task hasn't taken yet |
//! | `supervisor` | the child of one task, started anew when it has ended |
//! | `heartbeat` | when a bolt's child is asked for a sign of life |
//! | `shell_log` | what children say for the log |
//! | `shell_bolt`, `shell_spout` | a child as a bolt, and as a spout |
//!
//! Invariants:
//! - Only `process` and `supervisor` start threads; `json`, `frame`, `message`, `arrow`, `setup` and the structures of `stderr` do no IO
//!   of their own.
//! - Nothing above `shell_spec` in the table knows executors, groupings or acking: a handler gets each message and answers through the
//!   [`Outbox`].
//! - A shell component never waits for its child, except when it is closed or dropped.
//! - Every queue has a bound, and no wait for one of them can hold up another (see `process`, "Why it can't deadlock").

mod arrow;
mod dialect;
mod error;
pub mod frame;
mod group;
mod heartbeat;
pub mod json;
mod mailbox;
mod message;
mod outbox;
mod process;
mod setup;
mod shell_bolt;
mod shell_log;
mod shell_spec;
mod shell_spout;
mod stderr;
mod supervisor;
mod task_setup;

pub use error::{Error, Result};
pub use message::{Emit, FromChild, Level, ToChild};
pub use outbox::{Offer, OnRoom, Outbox};
pub use process::{ChildProcess, Handler, Launch};
pub use setup::{Context, Grouping, Setup};
pub use shell_bolt::ShellBolt;
pub use shell_spec::ShellSpec;
pub use shell_spout::ShellSpout;
