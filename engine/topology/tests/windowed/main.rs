//! Windows in running topologies, through the public API.

mod cases;
mod crashes;
mod forms;
mod reliability;
mod restart;
mod support;
