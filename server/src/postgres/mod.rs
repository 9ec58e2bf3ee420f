//! The Postgres front door: framing, the protocol, values on the wire.
//!
//! Messages are cut, bounded and decoded here, by code that can't be made to read beyond a frame, to buffer what was only
//! announced, or to panic. Knows the protocol; knows of the database only what [`backend::Backend`] says.
//!
//! Order of reading: [`run`] accepts; `startup` finds out who it is; `connection` is the loop; `simple`, `extended` and
//! `copy` answer; `rows` and `encode` send; `guard` is what may interrupt.

pub mod backend;
mod budget;
mod cancel;
mod connection;
mod copy;
mod decode;
mod encode;
mod engine;
mod extended;
mod failure;
mod frame;
mod guard;
mod listener;
mod message;
pub mod oid;
mod reply;
mod rows;
mod simple;
mod startup;
mod writer;

use std::time::Duration;

pub use engine::Engine;
pub use listener::run;

/// Every bound of the front door.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Logged-in clients at a time.
    pub connections_max: usize,
    /// Length of one message.
    pub message_bytes_max: usize,
    /// Bytes of messages held for all connections together.
    pub buffered_bytes_max: usize,
    /// From accept to the first ReadyForQuery.
    pub login_timeout: Duration,
    /// How long a client may not read what is sent to it.
    pub write_timeout: Duration,
    /// How long a client may be idle outside a transaction.
    pub idle_timeout: Option<Duration>,
    /// How long a client may be idle within a transaction.
    pub idle_in_transaction_timeout: Option<Duration>,
    /// How long running statements may go on when the server stops.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 2_000,
            message_bytes_max: 16 << 20,
            buffered_bytes_max: 256 << 20,
            login_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
            idle_timeout: None,
            idle_in_transaction_timeout: None,
            stop_grace: Duration::from_secs(5),
        }
    }
}
