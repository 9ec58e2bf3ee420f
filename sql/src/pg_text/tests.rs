//! Tests of the text formats. Expected values are what PostgreSQL 15 prints.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;

use super::*;

fn shown(array: impl Array + 'static) -> Vec<String> {
    let array: ArrayRef = Arc::new(array);
    let field = Field::new("x", array.data_type().clone(), true);
    (0..array.len())
        .map(|row| value_text(&array, &field, row).unwrap().unwrap_or_else(|| "<null>".to_owned()))
        .collect()
}

#[test]
fn numbers() {
    assert_eq!(shown(BooleanArray::from(vec![Some(true), Some(false), None])), ["t", "f", "<null>"]);
    assert_eq!(shown(Int64Array::from(vec![0, -5, i64::MIN])), ["0", "-5", "-9223372036854775808"]);
    let floats =
        vec![0.0, -0.0, 1.0, 0.1, 1e15, 123456789012345.0, 1e-5, 0.0001, 1.5e300, f64::NAN, f64::INFINITY, -2.5];
    assert_eq!(
        shown(Float64Array::from(floats)),
        ["0", "-0", "1", "0.1", "1e+15", "123456789012345", "1e-05", "0.0001", "1.5e+300", "NaN", "Infinity", "-2.5"]
    );
    assert_eq!(shown(Float32Array::from(vec![1.1, 1e6, 123456.0])), ["1.1", "1e+06", "123456"]);
    let decimals = Decimal128Array::from(vec![15, -5, 100]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(shown(decimals), ["0.15", "-0.05", "1.00"]);
    let plain =
        Decimal128Array::from(vec![15_000_000_000, 20_000_000_000, 1, 0]).with_precision_and_scale(38, 10).unwrap();
    assert_eq!(shown(plain), ["1.5", "2", "0.0000000001", "0"]);
}

#[test]
fn times() {
    assert_eq!(
        shown(Date32Array::from(vec![0, 19_782, -719_163, -719_162])),
        ["1970-01-01", "2024-02-29", "0001-12-31 BC", "0001-01-01"]
    );
    assert_eq!(shown(Time64MicrosecondArray::from(vec![0, 3_661_500_000])), ["00:00:00", "01:01:01.5"]);
    let stamps = vec![0, 1_700_000_000_123_456, -1, 1_700_000_000_000_000];
    assert_eq!(
        shown(TimestampMicrosecondArray::from(stamps.clone())),
        ["1970-01-01 00:00:00", "2023-11-14 22:13:20.123456", "1969-12-31 23:59:59.999999", "2023-11-14 22:13:20"]
    );
    assert_eq!(
        shown(TimestampMicrosecondArray::from(vec![stamps[3]]).with_timezone("+00:00")),
        ["2023-11-14 22:13:20+00"]
    );
    assert_eq!(shown(TimestampNanosecondArray::from(vec![1_500_000_000])), ["1970-01-01 00:00:01.5"]);
    let intervals = vec![
        IntervalMonthDayNano::new(14, 3, 14_706_789_000_000),
        IntervalMonthDayNano::new(0, 0, 0),
        IntervalMonthDayNano::new(-1, 2, -3_000_000_000),
        IntervalMonthDayNano::new(0, 1, 0),
        IntervalMonthDayNano::new(12, 0, 0),
    ];
    assert_eq!(
        shown(IntervalMonthDayNanoArray::from(intervals)),
        ["1 year 2 mons 3 days 04:05:06.789", "00:00:00", "-1 mons +2 days -00:00:03", "1 day", "1 year"]
    );
}

#[test]
fn texts_bytes_and_lists() {
    assert_eq!(shown(BinaryArray::from(vec![&[0u8, 255, 16][..]])), ["\\x00ff10"]);
    assert_eq!(shown(StringViewArray::from(vec!["grüß"])), ["grüß"]);
    let dictionary: DictionaryArray<Int32Type> = vec!["a", "b", "a"].into_iter().collect();
    assert_eq!(shown(dictionary), ["a", "b", "a"]);
    let mut list = ListBuilder::new(StringBuilder::new());
    for value in [Some("a"), Some(""), Some("NULL"), Some("x y"), Some("q\"\\"), None] {
        list.values().append_option(value);
    }
    list.append(true);
    list.append(true);
    list.append(false);
    assert_eq!(shown(list.finish()), ["{a,\"\",\"NULL\",\"x y\",\"q\\\"\\\\\",NULL}", "{}", "<null>"]);
}
