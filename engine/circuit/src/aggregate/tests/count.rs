//! `count` of what is NULL without saying so in a validity bitmap.

use std::sync::Arc;

use arrow::array::{DictionaryArray, NullArray, StringArray};
use arrow::datatypes::Int32Type;
use datafusion::functions_aggregate::count::count_udaf;

use super::*;

fn counts(values: ArrayRef, distinct: bool) -> ScalarValue {
    let input = input(&[values.data_type().clone()]);
    let count = function(&count_udaf(), vec![column(0)], &input, distinct);
    let mut running = Running::new(&input, &[], &[count], true);
    running.step(vec![values], None);
    running.row().remove(0)
}

#[test]
fn nulls_of_type_null_are_not_counted() {
    for distinct in [false, true] {
        assert_eq!(counts(Arc::new(NullArray::new(3)), distinct), ScalarValue::Int64(Some(0)), "distinct {distinct}");
    }
}

#[test]
fn keys_of_a_dictionary_that_stand_for_null_are_not_counted() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let keys = arrow::array::Int32Array::from(vec![0, 1, 0, 1]);
    let texts: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
    assert_eq!(counts(texts, false), ScalarValue::Int64(Some(2)));
}
