//! Monsoon's server: the Postgres front door, the HTTP one, settings and the command line, around a database of `monsoon-sql`.
//!
//! Knows the wire, sockets, processes and their settings. Doesn't know SQL, circuits or state.

mod accept;
pub mod bench;
pub mod check;
pub mod cli;
pub mod demo;
pub mod http;
pub mod postgres;
pub mod server;
pub mod settings;
pub mod start_error;
pub mod topology;
