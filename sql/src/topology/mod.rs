//! Raw topologies in SQL: from CREATE TOPOLOGY to spouts and bolts, and the topologies that run.
//!
//! A topology is kept in the catalog as its text and planned again at every start, as relations are. Its checkpoints are commits of the engine,
//! together with the rows its bolts insert.

mod build;
mod checkpoint_store;
mod deployed;
mod from_flux;
mod from_json;
mod from_sql;
mod insert_bolt;
mod native;
mod registry;
mod rows;
mod shell;
mod spec;
mod sql_bolt;
mod stored;
mod stream_spout;
mod test_component;
mod window_bolt;

pub use native::{MakeBolt, MakeGrouping, MakeSpout, Natives};

pub(crate) use build::Surroundings;
pub(crate) use checkpoint_store::removals;
pub(crate) use deployed::{Deployed, guarantee_word};
pub(crate) use from_sql::{invalid, spec_of};
pub(crate) use registry::Topologies;
pub(crate) use stored::StoredTopology;
