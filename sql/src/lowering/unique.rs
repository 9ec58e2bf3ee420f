//! Keys: which columns of an output no two rows agree on. A wrong key is corruption, so what isn't certain is `None`.
//!
//! NULL counts as a value equal to itself here, as it does in a view's index.

use arrow::datatypes::Schema;
use datafusion::common::JoinType;

/// The key after a projection: every key column must still be there. `places[i]` is the input column that output column `i`
/// passes through unchanged.
pub(super) fn projected(key: &[usize], places: &[Option<usize>]) -> Option<Vec<usize>> {
    let mut kept = key
        .iter()
        .map(|&column| places.iter().position(|&place| place == Some(column)))
        .collect::<Option<Vec<usize>>>()?;
    kept.sort_unstable();
    Some(kept)
}

/// One side of a join.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    /// Its key.
    pub key: Option<&'a [usize]>,
    /// Its columns.
    pub schema: &'a Schema,
}

/// The key of a join whose equal pairs include the plain columns `on` (left, right).
pub(super) fn joined(
    join_type: JoinType,
    left: Side<'_>,
    right: Side<'_>,
    on: &[(usize, usize)],
) -> Option<Vec<usize>> {
    let width = left.schema.fields().len();
    let shifted = |key: &[usize]| key.iter().map(|column| column + width).collect::<Vec<usize>>();
    match join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => return left.key.map(<[usize]>::to_vec),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => return right.key.map(<[usize]>::to_vec),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {}
    }
    // A side whose key is joined on has at most one match for each row of the other.
    let one_right = right.key.is_some_and(|key| key.iter().all(|column| on.iter().any(|pair| pair.1 == *column)));
    let one_left = left.key.is_some_and(|key| key.iter().all(|column| on.iter().any(|pair| pair.0 == *column)));
    if one_right && matches!(join_type, JoinType::Inner | JoinType::Left) && left.key.is_some() {
        return left.key.map(<[usize]>::to_vec);
    }
    if one_left && matches!(join_type, JoinType::Inner | JoinType::Right) && right.key.is_some() {
        return right.key.map(shifted);
    }
    let (left_key, right_key) = (left.key?, right.key?);
    // A full join pads unmatched rows of both sides with NULL: with a NULL in a key, or no key column to be NULL, two such
    // rows could be taken for one.
    if join_type == JoinType::Full && !(never_null(left_key, left.schema) && never_null(right_key, right.schema)) {
        return None;
    }
    Some(left_key.iter().copied().chain(shifted(right_key)).collect())
}

fn never_null(key: &[usize], schema: &Schema) -> bool {
    !key.is_empty() && key.iter().all(|&column| !schema.field(column).is_nullable())
}
