//! Windows as bolts: a [`WindowedBolt`] is given windows of tuples in place of tuples.
//!
//! [`Windowed`] is the [`Bolt`](crate::Bolt) around it. It holds the tuples, asks the pure part ([`crate::window`]) which of them belong together,
//! and hands windows over. [`JoinBolt`] is a windowed bolt that is ready to use.
//!
//! Invariants:
//! - What is emitted from a window is anchored to all of its tuples; a tuple is acked when it has left, after the windows that the same call fired.
//! - Where state is exactly once the content of windows is part of the checkpoint, a tuple is acked when it comes in, and after a failure the
//!   windows stand where they stood at the checkpoint: none fires twice, none is lost.
//! - Where tuples in memory are bounded the bound is a task's, whatever the number of keys; what fires is handed over a key at a time.
//! - Anchors stay in memory and in one place (`anchors`); the tuples themselves can be cloned and moved to files.

mod anchors;
mod bolt;
mod by_key;
mod collector;
mod content;
mod encoding;
mod event_clock;
mod from_config;
mod item;
mod join;
mod journal;
mod residents;
mod restore;
mod running;
mod spill;
mod tuple_window;
mod window;
mod wrapper;

pub use bolt::WindowedBolt;
pub use collector::WindowCollector;
pub use join::JoinBolt;
pub use tuple_window::{TupleWindow, WindowTuples};
pub use window::Window;
pub use wrapper::Windowed;
