//! `avg` over decimals that DataFusion can't compute.

use arrow::array::Decimal256Array;
use arrow::datatypes::i256;
use datafusion::functions_aggregate::average::avg_udaf;

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
