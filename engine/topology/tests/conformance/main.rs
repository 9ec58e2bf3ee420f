//! Conformance with Apache Storm, for what applies to one process: its own test cases, and the promises of its documentation, as tests of the public
//! API. A test's name begins with the number of its case in `docs/storm-conformance.md`, which lists them all; expected values are Storm's.

mod acking;
mod backpressure;
mod bench;
mod groupings;
mod hooks;
mod lifecycle;
mod on_error;
mod state;
mod word_count;
