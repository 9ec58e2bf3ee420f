//! Sums of doubles that are taken back.

use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;

use super::*;

/// Sum and mean over rows that come and go.
fn sums() -> Running {
    let input = input(&[DataType::Float64]);
    let functions = [sum_udaf(), avg_udaf()].map(|udaf| function(&udaf, vec![column(0)], &input, false));
    Running::new(&input, &[], &functions, false)
}

#[test]
fn rows_added_together_are_taken_back_one_by_one() {
    let mut running = sums();
    running.step(vec![floats(&[0.1, 0.0])], Some(vec![3, 1]));
    for _ in 0..3 {
        running.step(vec![floats(&[0.1])], Some(vec![-1]));
    }
    assert_eq!(running.row(), [double(0.0), double(0.0)]);
}
