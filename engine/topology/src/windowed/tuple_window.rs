//! `TupleWindow`: what a windowed bolt is given.

use std::sync::Arc;

use super::item::Item;
use crate::Value;
use crate::stream::StreamInfo;
use crate::tuple::Tuple;
use crate::window::FiredWindow;

/// A window of tuples.
pub struct TupleWindow<'a> {
    fired: &'a FiredWindow<Item>,
    key: &'a [Value],
    inputs: &'a [Arc<StreamInfo>],
}

impl<'a> TupleWindow<'a> {
    pub(super) fn new(
        fired: &'a FiredWindow<Item>,
        key: &'a [Value],
        inputs: &'a [Arc<StreamInfo>],
    ) -> TupleWindow<'a> {
        TupleWindow { fired, key, inputs }
    }

    /// All its tuples, by timestamp and then by arrival.
    pub fn get(&self) -> WindowTuples<'a> {
        self.tuples(&self.fired.items)
    }

    /// All its tuples, as [`TupleWindow::get`].
    pub fn iter(&self) -> WindowTuples<'a> {
        self.get()
    }

    /// Those that no earlier window held.
    pub fn get_new(&self) -> WindowTuples<'a> {
        self.tuples(&self.fired.new)
    }

    /// Tuples that have left since the window before. None in sessions, in a window that fires again for a late tuple, and in the first window of
    /// a key that had none for a while.
    pub fn get_expired(&self) -> WindowTuples<'a> {
        self.tuples(&self.fired.expired)
    }

    /// How many tuples it holds; at least one.
    pub fn len(&self) -> usize {
        self.fired.items.len()
    }

    /// Never so: a window without tuples isn't handed over.
    pub fn is_empty(&self) -> bool {
        self.fired.items.is_empty()
    }

    /// Where it begins, in ms: its end minus its length, exclusive; of a session the first tuple's timestamp; `None` of a number of tuples.
    pub fn start_ms(&self) -> Option<i64> {
        self.fired.start
    }

    /// Where it ends, in ms, inclusive; of a session the last tuple's timestamp plus the gap.
    pub fn end_ms(&self) -> i64 {
        self.fired.end
    }

    /// The values of the key fields; none if the windows have no key.
    pub fn key(&self) -> &'a [Value] {
        self.key
    }

    fn tuples(&self, items: &'a [Item]) -> WindowTuples<'a> {
        WindowTuples { items: items.iter(), inputs: self.inputs }
    }
}

impl<'a> IntoIterator for &TupleWindow<'a> {
    type Item = Tuple<'a>;
    type IntoIter = WindowTuples<'a>;

    fn into_iter(self) -> WindowTuples<'a> {
        self.get()
    }
}

/// Tuples of a window, in order.
#[derive(Clone)]
pub struct WindowTuples<'a> {
    items: std::slice::Iter<'a, Item>,
    inputs: &'a [Arc<StreamInfo>],
}

impl<'a> Iterator for WindowTuples<'a> {
    type Item = Tuple<'a>;

    fn next(&mut self) -> Option<Tuple<'a>> {
        self.items.next().map(|item| item.tuple(self.inputs))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<'a> DoubleEndedIterator for WindowTuples<'a> {
    fn next_back(&mut self) -> Option<Tuple<'a>> {
        self.items.next_back().map(|item| item.tuple(self.inputs))
    }
}

impl ExactSizeIterator for WindowTuples<'_> {}
