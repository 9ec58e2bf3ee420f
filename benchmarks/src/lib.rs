//! Benchmarks: what `monsoon bench` runs.
//!
//! Knows the engine, the tuple path, the planner and DataFusion. Doesn't know the server.

pub mod nexmark;
mod process;
pub mod tuple;
