//! `avg` over decimals: what DataFusion can't compute, and the types it sums in.

use arrow::array::{Decimal128Array, Decimal256Array};
use arrow::datatypes::i256;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;

use super::super::call::{Call, Situation};
use super::super::grouped_set::Listing;
use super::*;

#[test]
fn mean_that_overflows_is_null_and_noted_once() {
    let wide = DataType::Decimal256(76, 0);
    let input = input(std::slice::from_ref(&wide));
    let mean = function(&avg_udaf(), vec![column(0)], &input, false);
    let mut running = Running::new(&input, &[], &[mean], false);
    let largest = i256::from_string(&"9".repeat(76)).unwrap();
    let values = |values: Vec<i256>| -> Vec<ArrayRef> {
        vec![Arc::new(Decimal256Array::from(values).with_data_type(wide.clone()))]
    };
    let errors = running.step_pieces(vec![(values(vec![largest]), None)]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].expression.contains("avg") && errors[0].reason.contains("verflow"), "{errors:?}");
    assert_eq!(running.row(), [ScalarValue::Decimal256(None, 76, 4)]);
    let errors = running.step_pieces(vec![(values(vec![i256::from_i128(7), largest]), Some(vec![1, -1]))]);
    assert_eq!(errors, []);
    assert_eq!(running.row(), [ScalarValue::Decimal256(Some(i256::from_i128(70_000)), 76, 4)]);
}

/// Whether a call keeps more than fixed-size states.
fn keeps_rows(function: Arc<AggregateFunctionExpr>, input: &SchemaRef) -> bool {
    let situation = Situation { append_only: false, listing: Listing::None };
    let call = AggregateCall { function, filter: None };
    Call::new(&call, input, situation).unwrap().column.set().is_some()
}

#[test]
fn mean_of_wide_decimals_is_a_sum_and_a_count() {
    let data_type = DataType::Decimal128(38, 10);
    let input = input(std::slice::from_ref(&data_type));
    let mean = function(&avg_udaf(), vec![column(0)], &input, false);
    assert!(!keeps_rows(Arc::clone(&mean), &input));
    let mut running = Running::new(&input, &[], &[mean], false);
    let values = |values: Vec<i128>| -> Vec<ArrayRef> {
        vec![Arc::new(Decimal128Array::from(values).with_data_type(data_type.clone()))]
    };
    // The sum of two has 39 digits.
    let large = 9 * 10_i128.pow(33);
    running.step(values(vec![large]), Some(vec![100_000]));
    running.step(values(vec![large - 4]), Some(vec![100_000]));
    running.restart();
    assert_eq!(running.row(), [ScalarValue::Decimal128(Some((large - 2) * 10_000), 38, 14)]);
    running.step(values(vec![large]), Some(vec![-100_000]));
    assert_eq!(running.row(), [ScalarValue::Decimal128(Some((large - 4) * 10_000), 38, 14)]);
}

#[test]
fn sum_of_a_constant_keeps_no_rows() {
    let input = input(&[DataType::Int64]);
    let one: Arc<dyn PhysicalExpr> =
        Arc::new(datafusion::physical_expr::expressions::Literal::new(ScalarValue::Int64(Some(1))));
    let sum = function(&sum_udaf(), vec![one], &input, false);
    assert!(!keeps_rows(Arc::clone(&sum), &input));
    let mut running = Running::new(&input, &[], &[sum], false);
    running.step(vec![Arc::new(Int64Array::from(vec![5, 6]))], Some(vec![3, -1]));
    assert_eq!(running.row(), [ScalarValue::Int64(Some(2))]);
}
