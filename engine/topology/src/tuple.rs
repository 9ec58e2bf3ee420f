//! Tuples: as they travel, as a bolt sees them, and as a bolt keeps them.

use std::ops::Index;
use std::sync::Arc;

use crate::anchor::Anchor;
use crate::stream::{SYSTEM_COMPONENT, StreamInfo, TICK_STREAM, TaskId};
use crate::{Failure, Outcome, Value};

/// Tuples of one stream from one task to another, row by row in one vector: a tuple costs no allocation of its own.
#[derive(Debug)]
pub(crate) struct TupleBatch {
    /// Place of the stream in the topology's table of streams.
    pub stream: u32,
    /// The task that emitted them.
    pub source: TaskId,
    /// Values per tuple.
    pub arity: usize,
    /// How many tuples.
    pub len: usize,
    /// `len * arity` values.
    pub values: Vec<Value>,
    /// One per tuple, or none at all when no tuple is in a tree.
    pub anchors: Vec<Anchor>,
}

impl TupleBatch {
    /// The values of a tuple.
    pub fn row(&self, row: usize) -> &[Value] {
        &self.values[row * self.arity..(row + 1) * self.arity]
    }
}

/// A tuple, as a bolt is given it: values of one stream's fields, and its place in the trees it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Tuple<'a> {
    values: &'a [Value],
    anchor: Option<&'a Anchor>,
    stream: &'a Arc<StreamInfo>,
    source: TaskId,
}

impl<'a> Tuple<'a> {
    pub(crate) fn new(
        values: &'a [Value],
        anchor: Option<&'a Anchor>,
        stream: &'a Arc<StreamInfo>,
        source: TaskId,
    ) -> Tuple<'a> {
        Tuple { values, anchor, stream, source }
    }

    /// Its values, in the order of the stream's fields.
    pub fn values(&self) -> &'a [Value] {
        self.values
    }

    /// The value of a field; a failure that names the fields there are when it isn't one.
    pub fn get(&self, field: &str) -> Outcome<&'a Value> {
        let fields = &self.stream.fields;
        let place = fields.position(field).and_then(|place| self.values.get(place));
        place.ok_or_else(|| Failure::new(format!("there is no field {field:?} among {fields:?}")))
    }

    /// The text of a field.
    pub fn text(&self, field: &str) -> Outcome<&'a str> {
        let value = self.get(field)?;
        value.as_str().ok_or_else(|| mismatch(field, "text", value))
    }

    /// The integer in a field.
    pub fn int(&self, field: &str) -> Outcome<i64> {
        let value = self.get(field)?;
        value.as_int().ok_or_else(|| mismatch(field, "integer", value))
    }

    /// Its stream: the component that emitted it, the stream's name and fields.
    pub fn stream(&self) -> &'a Arc<StreamInfo> {
        self.stream
    }

    /// The task that emitted it.
    pub fn source(&self) -> TaskId {
        self.source
    }

    /// Whether it is a tick, not data.
    pub fn is_tick(&self) -> bool {
        self.stream.component == SYSTEM_COMPONENT && self.stream.stream == TICK_STREAM
    }

    /// Its place in the trees it belongs to; `None` if it is in none.
    pub fn anchor(&self) -> Option<&'a Anchor> {
        self.anchor
    }

    /// Takes the tuple out, to be acked after this call of `execute`. The borrowed one is in no tree any more.
    pub fn hold(&self) -> HeldTuple {
        HeldTuple {
            values: self.values.into(),
            anchor: self.anchor.map(Anchor::moved).unwrap_or_default(),
            stream: self.stream.clone(),
            source: self.source,
        }
    }
}

fn mismatch(field: &str, expected: &str, value: &Value) -> Failure {
    Failure::new(format!("field {field:?} holds {}, not {expected}", value.kind()))
}

impl Index<usize> for Tuple<'_> {
    type Output = Value;

    fn index(&self, place: usize) -> &Value {
        &self.values[place]
    }
}

/// A tuple that a bolt keeps. Must be acked or failed in the end, or its trees time out.
#[derive(Debug)]
pub struct HeldTuple {
    values: Box<[Value]>,
    anchor: Anchor,
    stream: Arc<StreamInfo>,
    source: TaskId,
}

impl HeldTuple {
    /// The tuple as a bolt is given it.
    pub fn tuple(&self) -> Tuple<'_> {
        Tuple::new(&self.values, Some(&self.anchor), &self.stream, self.source)
    }

    /// Its values, in the order of the stream's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The task that emitted it.
    pub(crate) fn source(&self) -> TaskId {
        self.source
    }

    /// Its place in the trees it belongs to.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }
}

/// What a tuple can be made of: an array, a vector or a Rust tuple of things that are values, or another tuple.
pub trait Row {
    /// Appends the values.
    fn write(self, row: &mut Vec<Value>);
}

impl<V: Into<Value>, const N: usize> Row for [V; N] {
    fn write(self, row: &mut Vec<Value>) {
        row.extend(self.into_iter().map(Into::into));
    }
}

impl<V: Into<Value>> Row for Vec<V> {
    fn write(self, row: &mut Vec<Value>) {
        row.extend(self.into_iter().map(Into::into));
    }
}

impl Row for &[Value] {
    fn write(self, row: &mut Vec<Value>) {
        row.extend_from_slice(self);
    }
}

impl Row for Tuple<'_> {
    fn write(self, row: &mut Vec<Value>) {
        row.extend_from_slice(self.values);
    }
}

macro_rules! row_of_tuple {
    ($($part:ident),*) => {
        impl<$($part: Into<Value>),*> Row for ($($part,)*) {
            #[allow(non_snake_case)]
            fn write(self, row: &mut Vec<Value>) {
                let ($($part,)*) = self;
                $(row.push($part.into());)*
            }
        }
    };
}

row_of_tuple!(A);
row_of_tuple!(A, B);
row_of_tuple!(A, B, C);
row_of_tuple!(A, B, C, D);
row_of_tuple!(A, B, C, D, E);
row_of_tuple!(A, B, C, D, E, F);
