//! The invariant of the engine, checked: after every commit each view holds what DataFusion answers to the view's query over
//! everything the relations have accepted so far.
//!
//! A seed decides all of it: relations, queries, what is written, when views are created, how many tasks run, when the process
//! "dies" and which of its commits survive. [`run_seed`] plays one and tells the first difference.
//!
//! ```text
//! random -> world (relations and what they hold) -+-> scenario: writes, crashes -> engine -> what views hold --+-> compare
//!        -> query (SQL text) ---------------------+-> reference: DataFusion over the world --------------------+
//! ```

mod column;
mod compare;
mod plan;
mod query;
mod random;
mod recorder;
mod reference;
mod scenario;
mod server;
mod view;
mod world;

pub use query::form_names;
pub use scenario::{Outcome, Report, run_seed};
