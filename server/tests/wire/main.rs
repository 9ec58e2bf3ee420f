//! The wire, against a fake session: hand-made clients for what no driver would send, and real drivers for what they do.

mod drivers;
mod extended;
mod fake;
mod hostile;
mod lifecycle;
mod raw;
mod simple;
