//! `StreamInfo`: what a tuple's stream is called, and who emits it.

use std::fmt;

use smol_str::SmolStr;

use crate::Fields;

/// The stream a component emits on when it names none.
pub const DEFAULT_STREAM: &str = "default";
/// The component of tuples the engine makes.
pub const SYSTEM_COMPONENT: &str = "__system";
/// The stream of tick tuples.
pub const TICK_STREAM: &str = "__tick";

/// A task: one instance of a component. Numbered from 1 within a topology; the engine's own is -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub i32);

impl TaskId {
    /// The task that tuples made by the engine come from.
    pub const SYSTEM: TaskId = TaskId(-1);

    /// Its place in tables by task.
    pub(crate) fn index(self) -> usize {
        debug_assert!(self.0 >= 1, "system tasks have no place in tables");
        (self.0 - 1) as usize
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One stream of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The component that emits it.
    pub component: SmolStr,
    /// Its name.
    pub stream: SmolStr,
    /// Its fields.
    pub fields: Fields,
    /// Whether the emitter picks the task that receives a tuple.
    pub direct: bool,
}

/// The streams a component declares.
#[derive(Debug, Clone, Default)]
pub struct Streams(pub(crate) Vec<Declared>);

/// One declaration.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub stream: SmolStr,
    pub fields: Vec<SmolStr>,
    pub direct: bool,
}

impl Streams {
    /// Declares the fields of the default stream.
    pub fn declare<N: AsRef<str>>(&mut self, fields: impl IntoIterator<Item = N>) {
        self.add(DEFAULT_STREAM, fields, false);
    }

    /// Declares another stream.
    pub fn declare_stream<N: AsRef<str>>(&mut self, stream: &str, fields: impl IntoIterator<Item = N>) {
        self.add(stream, fields, false);
    }

    /// Declares a stream whose tuples are sent to tasks that the emitter picks.
    pub fn declare_direct<N: AsRef<str>>(&mut self, stream: &str, fields: impl IntoIterator<Item = N>) {
        self.add(stream, fields, true);
    }

    /// The streams declared, with their fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.0.iter().map(|declared| (declared.stream.as_str(), declared.fields.iter().map(SmolStr::as_str)))
    }

    fn add<N: AsRef<str>>(&mut self, stream: &str, fields: impl IntoIterator<Item = N>, direct: bool) {
        let fields = fields.into_iter().map(|name| SmolStr::new(name.as_ref())).collect();
        self.0.push(Declared { stream: SmolStr::new(stream), fields, direct });
    }
}
