//! Sums of doubles that are taken back, and that leave the range of doubles.

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

#[test]
fn sum_beyond_the_largest_double_is_infinite_until_it_is_back() {
    let mut running = sums();
    running.step(vec![floats(&[1.7e308, 0.5, 1.7e308])], None);
    assert_eq!(running.row(), [double(f64::INFINITY), double(f64::INFINITY)]);
    running.restart();
    running.step(vec![floats(&[1.7e308])], Some(vec![-1]));
    assert_eq!(running.row(), [double(1.7e308), double(1.7e308 / 2.0)]);
    running.restart();
    running.step(vec![floats(&[1.7e308])], Some(vec![-1]));
    assert_eq!(running.row(), [double(0.5), double(0.5)]);
}

#[test]
fn huge_values_with_a_weight_are_counted_exactly() {
    let mut running = sums();
    running.step(vec![floats(&[-1.7e308])], Some(vec![1000]));
    assert_eq!(running.row()[0], double(f64::NEG_INFINITY));
    running.step(vec![floats(&[-1.7e308])], Some(vec![-999]));
    assert_eq!(running.row(), [double(-1.7e308), double(-1.7e308)]);
    running.step(vec![floats(&[1.7e308])], None);
    assert_eq!(running.row(), [double(0.0), double(0.0)]);
}

#[test]
fn infinities_and_nan_leave_with_their_rows() {
    let mut running = sums();
    running.step(vec![floats(&[f64::INFINITY, 1.0, 1.7e308, 1.7e308])], None);
    assert_eq!(running.row()[0], double(f64::INFINITY));
    running.step(vec![floats(&[f64::NEG_INFINITY])], None);
    assert!(matches!(running.row()[0], ScalarValue::Float64(Some(value)) if value.is_nan()));
    running.restart();
    running.step(vec![floats(&[f64::INFINITY, f64::NEG_INFINITY, 1.7e308, 1.7e308])], Some(vec![-1; 4]));
    assert_eq!(running.row(), [double(1.0), double(1.0)]);
}

#[test]
fn partial_sums_that_overflow_are_merged() {
    let input = input(&[DataType::Int64, DataType::Float64]);
    let sum = function(&sum_udaf(), vec![column(1)], &input, false);
    let mut running = Running::of_form(&input, &[0], &[sum], false, InputForm::Partial);
    let piece = |values: &[f64]| {
        let key: ArrayRef = Arc::new(Int64Array::from(vec![1; values.len()]));
        (vec![key, floats(values)], None)
    };
    assert_eq!(running.step_pieces(vec![piece(&[1.7e308, 1.7e308, 1.0]), piece(&[-1.7e308])]), []);
    assert_eq!(running.row()[1], double(1.7e308));
}
