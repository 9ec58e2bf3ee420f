//! `Shape`: what a join type yields, said once for both sides.

use datafusion::common::JoinType;

use crate::{Error, Result};

/// The left input.
pub(super) const LEFT: usize = 0;
/// The right input.
pub(super) const RIGHT: usize = 1;

/// What a row of one side yields by itself, beside its pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// Nothing.
    Nothing,
    /// When it has no match: the row with NULLs for the other side (outer joins).
    Extended,
    /// When it has a match: the row (semi joins).
    Matched,
    /// When it has no match: the row (anti joins).
    Unmatched,
    /// Always: the row and whether it has a match (mark joins).
    Marked,
}

impl Alone {
    /// How many times a row with or without a match is there, before its weight; a marked row is there either way.
    pub(super) fn is_present(self, matched: bool) -> bool {
        match self {
            Alone::Nothing => false,
            Alone::Matched => matched,
            Alone::Extended | Alone::Unmatched => !matched,
            Alone::Marked => true,
        }
    }
}

/// What a join yields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The pairs that match.
    pub(super) pairs: bool,
    /// Left rows and right rows by themselves.
    pub(super) alone: [Alone; 2],
}

impl Shape {
    pub(super) fn of(join_type: JoinType) -> Shape {
        use Alone::*;
        let (pairs, alone) = match join_type {
            JoinType::Inner => (true, [Nothing, Nothing]),
            JoinType::Left => (true, [Extended, Nothing]),
            JoinType::Right => (true, [Nothing, Extended]),
            JoinType::Full => (true, [Extended, Extended]),
            JoinType::LeftSemi => (false, [Matched, Nothing]),
            JoinType::RightSemi => (false, [Nothing, Matched]),
            JoinType::LeftAnti => (false, [Unmatched, Nothing]),
            JoinType::RightAnti => (false, [Nothing, Unmatched]),
            JoinType::LeftMark => (false, [Marked, Nothing]),
            JoinType::RightMark => (false, [Nothing, Marked]),
        };
        Shape { pairs, alone }
    }

    /// Number of output columns.
    pub(super) fn width(&self, widths: [usize; 2]) -> usize {
        if self.pairs {
            return widths[LEFT] + widths[RIGHT];
        }
        let side = if self.alone[LEFT] == Alone::Nothing { RIGHT } else { LEFT };
        widths[side] + usize::from(self.alone[side] == Alone::Marked)
    }

    /// The side whose delta is applied last. Its rows see all of the other side's at once, so rows that yield something
    /// by themselves don't yield it only to take it back in the same batch.
    pub(super) fn last(&self) -> usize {
        if self.alone[LEFT] == Alone::Nothing && self.alone[RIGHT] != Alone::Nothing { RIGHT } else { LEFT }
    }
}

/// A join plan that can't be run: refused when the operator is made.
pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Unsupported(reason.into()))
}
