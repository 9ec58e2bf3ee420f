//! Groups that end with event time.

use datafusion::functions_aggregate::count::count_udaf;

use super::*;
use crate::model::first_column_ends;

fn counts() -> (Running, impl Fn(Vec<i64>) -> Vec<ArrayRef>) {
    let input = input(&[DataType::Int64]);
    let count = function(&count_udaf(), vec![column(0)], &input, false);
    let running = Running::new(&input, &[0], &[count], true).closing(first_column_ends());
    (running, |ends| vec![Arc::new(Int64Array::from(ends)) as ArrayRef])
}

fn group(end: i64, count: i64) -> (Vec<ScalarValue>, i64) {
    (vec![ScalarValue::Int64(Some(end)), ScalarValue::Int64(Some(count))], 1)
}

#[test]
fn rows_that_come_as_their_window_closes_find_their_group() {
    let (mut running, ends) = counts();
    running.step(ends(vec![10, 20]), None);
    // Two aggregates below, over streams of their own, emit what they have of a window: the later one as it closes.
    running.watermarks.insert(RelationId(1), 10);
    running.step(ends(vec![10]), None);
    assert_eq!(running.content, HashMap::from([group(10, 2), group(20, 1)]));
}

#[test]
fn closed_groups_leave_state_and_stay_in_the_result() {
    let (mut running, ends) = counts();
    running.step(ends(vec![10, 20]), None);
    running.watermarks.insert(RelationId(1), 10);
    running.step(ends(vec![20]), None);
    running.restart();
    running.step(ends(vec![20]), None);
    assert_eq!(running.content, HashMap::from([group(10, 1), group(20, 3)]));
    running.watermarks.insert(RelationId(1), 20);
    running.step(ends(vec![]), None);
    assert_eq!(running.content, HashMap::from([group(10, 1), group(20, 3)]));
    let live = running.changes.iter().rev().take(1).map(|change| change.rows.column(3).clone()).next().unwrap();
    assert_eq!(arrow::array::AsArray::as_boolean(&live), &arrow::array::BooleanArray::from(vec![false]));
}
