//! Zeros of both signs are equal, so they are one group and one distinct value.

use datafusion::functions_aggregate::count::count_udaf;

use super::*;

/// The two zeros in two batches, counted by group, with a restart in between.
fn count_zeros(form: InputForm) {
    let input = input(&[DataType::Float64]);
    let count = function(&count_udaf(), vec![column(0)], &input, false);
    let mut running = Running::of_form(&input, &[0], &[count], true, form);
    running.step(vec![floats(&[-0.0])], None);
    running.restart();
    running.step(vec![floats(&[0.0, -0.0])], None);
    assert_eq!(running.row(), [double(0.0), ScalarValue::Int64(Some(3))]);
    running.restart();
    running.step(vec![floats(&[0.0])], None);
    assert_eq!(running.row(), [double(0.0), ScalarValue::Int64(Some(4))]);
}

#[test]
fn zeros_are_one_group() {
    count_zeros(InputForm::Rows);
}

#[test]
fn zeros_are_one_group_of_partial_states() {
    count_zeros(InputForm::Partial);
}

#[test]
fn groups_of_older_state_are_folded_by_sign() {
    let input = input(&[DataType::Float64]);
    let mut running = Running::new(&input, &[0], &[], true);
    running.step(vec![floats(&[0.0])], None);
    // As written before keys were normalised.
    let written = running.changes.pop().unwrap();
    let mut columns = written.rows.columns().to_vec();
    columns[0] = floats(&[-0.0]);
    let rows = RecordBatch::try_new(written.rows.schema(), columns).unwrap();
    running.changes.push(StateChange { rows, ..written });
    running.restart();
    running.step(vec![floats(&[0.0])], None);
    assert_eq!(running.row(), [double(0.0)]);
}

#[test]
fn zeros_are_one_distinct_value() {
    let input = input(&[DataType::Float64]);
    for append_only in [false, true] {
        let count = function(&count_udaf(), vec![column(0)], &input, true);
        let mut running = Running::new(&input, &[], &[count], append_only);
        running.step(vec![floats(&[-0.0, 1.0])], None);
        running.restart();
        running.step(vec![floats(&[0.0])], None);
        assert_eq!(running.row(), [ScalarValue::Int64(Some(2))]);
    }
}
