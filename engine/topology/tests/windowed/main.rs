//! Windows in running topologies, through the public API.

mod cases;
mod crashes;
mod forms;
mod joins;
mod reliability;
mod restart;
mod support;
