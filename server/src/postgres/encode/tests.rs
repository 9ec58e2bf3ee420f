//! Expected values are what PostgreSQL 15 prints and sends, worked out by hand from its documentation and sources.

use std::sync::Arc;

use arrow::array::types::{Int16Type, Int32Type};
use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, DurationMillisecondArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int32Builder, Int64Array, IntervalMonthDayNanoArray, ListArray, ListBuilder,
    MapBuilder, StringArray, StringBuilder, StringViewArray, StructArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, Schema};

use super::super::oid;
use super::*;

/// Encodes a column and returns its fields; `None` is NULL.
fn encode(array: ArrayRef, oid: u32, array_element: Option<u32>, format: i16) -> Vec<Option<Vec<u8>>> {
    let schema = Schema::new(vec![Field::new("c", array.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![array]).expect("a batch");
    let wire_type = WireType { oid, size: -1, typmod: -1, array_element };
    let encoder = BatchEncoder::new(&batch, &[Column { name: "c".into(), wire_type, format }]).expect("an encoder");
    (0..encoder.rows()).map(|row| field(&encoder, row)).collect()
}

/// Takes a DataRow of one column apart.
fn field(encoder: &BatchEncoder, row: usize) -> Option<Vec<u8>> {
    let mut out = BytesMut::new();
    encoder.write_row(row, &mut out).expect("a row");
    assert_eq!(out[0], b'D');
    assert_eq!(u32::from_be_bytes(out[1..5].try_into().expect("4 bytes")) as usize, out.len() - 1);
    assert_eq!(&out[5..7], [0, 1]);
    let length = i32::from_be_bytes(out[7..11].try_into().expect("4 bytes"));
    assert_eq!(out.len(), 11 + usize::try_from(length).unwrap_or(0));
    (length >= 0).then(|| out[11..].to_vec())
}

fn text(array: impl Array + 'static) -> Vec<String> {
    let fields = encode(Arc::new(array), 0, None, 0);
    fields
        .into_iter()
        .map(|field| field.map_or("<null>".into(), |bytes| String::from_utf8(bytes).expect("text")))
        .collect()
}

fn binary(array: impl Array + 'static, oid: u32) -> Vec<Vec<u8>> {
    encode(Arc::new(array), oid, None, 1).into_iter().map(|field| field.expect("not null")).collect()
}

#[test]
fn simple_values_as_text() {
    assert_eq!(text(BooleanArray::from(vec![Some(true), Some(false), None])), ["t", "f", "<null>"]);
    assert_eq!(
        text(Int64Array::from(vec![0, -1, i64::MIN, i64::MAX])),
        ["0", "-1", "-9223372036854775808", "9223372036854775807"]
    );
    assert_eq!(text(UInt64Array::from(vec![u64::MAX])), ["18446744073709551615"]);
    assert_eq!(text(StringViewArray::from(vec![Some("ä"), None, Some("")])), ["ä", "<null>", ""]);
    assert_eq!(text(BinaryArray::from(vec![&b"\x00\xffa"[..], b""])), ["\\x00ff61", "\\x"]);
    let words: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("a")].into_iter().collect();
    assert_eq!(text(words), ["a", "<null>", "a"]);
}

#[test]
fn floats_as_text_round_trip_in_fewest_digits() {
    let cases: [(f64, &str); 16] = [
        (1.0, "1"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (100.0, "100"),
        (123_456.789, "123456.789"),
        (0.0001, "0.0001"),
        (0.000_012_5, "1.25e-05"),
        (1e14, "100000000000000"),
        (1e15, "1e+15"),
        (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
        (-0.0, "-0"),
    ];
    let (values, expected): (Vec<f64>, Vec<&str>) = cases.into_iter().unzip();
    assert_eq!(text(Float64Array::from(values)), expected);
    assert_eq!(
        text(Float32Array::from(vec![0.1, 999_999.0, 1e6, 1_234_567.0, 3.402_823_5e38])),
        ["0.1", "999999", "1e+06", "1.234567e+06", "3.4028235e+38"]
    );
}

#[test]
fn numerics_as_text_keep_their_scale() {
    let array =
        |values: Vec<i128>, scale| Decimal128Array::from(values).with_precision_and_scale(38, scale).expect("a scale");
    assert_eq!(text(array(vec![12_345, -5, 0, 100], 2)), ["123.45", "-0.05", "0.00", "1.00"]);
    assert_eq!(text(array(vec![42], 0)), ["42"]);
    assert_eq!(text(array(vec![42, 0], -2)), ["4200", "0"]);
}

#[test]
fn numerics_in_binary() {
    let array =
        |values: Vec<i128>, scale| Decimal128Array::from(values).with_precision_and_scale(38, scale).expect("a scale");
    // digits, weight, sign, scale, then base-10000 digits.
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let encoded = binary(array(vec![1_234_567, -5, 0, 1_000_000_000_000, 10_000], 2), oid::NUMERIC);
    assert_eq!(encoded[0], words(&[3, 1, 0, 2, 1, 2345, 6700])); // 12345.67
    assert_eq!(encoded[1], words(&[1, 0xffff, 0x4000, 2, 500])); // -0.05
    assert_eq!(encoded[2], words(&[0, 0, 0, 2])); // 0.00
    assert_eq!(encoded[3], words(&[1, 2, 0, 2, 100])); // 10000000000.00
    assert_eq!(encoded[4], words(&[1, 0, 0, 2, 100])); // 100.00
    assert_eq!(binary(array(vec![42], -2), oid::NUMERIC)[0], words(&[1, 0, 0, 0, 4200]));
    assert_eq!(binary(UInt64Array::from(vec![10_001]), oid::NUMERIC)[0], words(&[2, 1, 0, 0, 1, 1]));
}

#[test]
fn moments_as_text() {
    let second = 1_767_323_045_i64; // 2026-01-02 03:04:05 UTC
    let stamps = vec![second * 1_000_000 + 123_000, second * 1_000_000, -1, 951_782_400_000_000];
    let expected =
        ["2026-01-02 03:04:05.123", "2026-01-02 03:04:05", "1969-12-31 23:59:59.999999", "2000-02-29 00:00:00"];
    assert_eq!(text(TimestampMicrosecondArray::from(stamps.clone())), expected);
    let zoned = text(TimestampMicrosecondArray::from(stamps).with_timezone("UTC"));
    assert_eq!(zoned, expected.map(|stamp| format!("{stamp}+00")));
    assert_eq!(text(TimestampMillisecondArray::from(vec![second * 1000 + 50])), ["2026-01-02 03:04:05.05"]);
    assert_eq!(text(TimestampNanosecondArray::from(vec![1_500])), ["1970-01-01 00:00:00.000001"]);
    // 719162 days lie between 0001-01-01 and 1970-01-01.
    assert_eq!(text(Date32Array::from(vec![0, -719_162, -719_163])), ["1970-01-01", "0001-01-01", "0001-12-31 BC"]);
    assert_eq!(text(Time64MicrosecondArray::from(vec![0, 86_399_999_999])), ["00:00:00", "23:59:59.999999"]);
}

#[test]
fn moments_in_binary_count_from_2000() {
    assert_eq!(binary(Date32Array::from(vec![10_957, 10_956]), oid::DATE), [0i32.to_be_bytes(), (-1i32).to_be_bytes()]);
    let stamps = TimestampMillisecondArray::from(vec![946_684_800_001]);
    assert_eq!(binary(stamps, oid::TIMESTAMP)[0], 1000i64.to_be_bytes());
    assert_eq!(binary(Time64MicrosecondArray::from(vec![7]), oid::TIME)[0], 7i64.to_be_bytes());
}

#[test]
fn intervals_in_postgres_style() {
    let hours = (4 * 3600 + 5 * 60 + 6) * 1_000_000_000_i64;
    let cases = [
        ((14, 3, hours), "1 year 2 mons 3 days 04:05:06"),
        ((0, 0, 0), "00:00:00"),
        ((-13, 1, 0), "-1 years -1 mons +1 day"),
        ((0, -1, hours), "-1 days +04:05:06"),
        ((0, 0, -500_000_000), "-00:00:00.5"),
        ((24, 0, 0), "2 years"),
        ((0, 0, 100 * 3_600_000_000_000), "100:00:00"),
    ];
    let values: Vec<_> =
        cases.iter().map(|((months, days, nanos), _)| IntervalMonthDayNano::new(*months, *days, *nanos)).collect();
    assert_eq!(text(IntervalMonthDayNanoArray::from(values)), cases.map(|(_, expected)| expected));
    assert_eq!(text(DurationMillisecondArray::from(vec![1_500])), ["00:00:01.5"]);
    let one = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(14, 3, 1_000)]);
    assert_eq!(binary(one, oid::INTERVAL)[0], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 14]);
}

#[test]
fn numbers_in_binary_have_the_announced_width() {
    assert_eq!(binary(Int32Array::from(vec![258]), oid::INT4)[0], [0, 0, 1, 2]);
    assert_eq!(binary(Int64Array::from(vec![-2]), oid::INT8)[0], (-2i64).to_be_bytes());
    assert_eq!(binary(Int16Array::from(vec![-2]), oid::INT2)[0], [0xff, 0xfe]);
    assert_eq!(binary(Int64Array::from(vec![2205]), oid::OID)[0], 2205u32.to_be_bytes());
    assert_eq!(binary(Float32Array::from(vec![1.5]), oid::FLOAT4)[0], 1.5f32.to_be_bytes());
    assert_eq!(binary(Float64Array::from(vec![1.5]), oid::FLOAT8)[0], 1.5f64.to_be_bytes());
    assert_eq!(binary(BooleanArray::from(vec![true]), oid::BOOL)[0], [1]);
}

#[test]
fn strings_that_are_something_else_in_binary() {
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let bytes: Vec<u8> = (0..16).map(|index| index * 0x11).collect();
    assert_eq!(binary(StringArray::from(vec![uuid]), oid::UUID)[0], bytes);
    assert_eq!(binary(StringArray::from(vec!["{}"]), oid::JSONB)[0], b"\x01{}");
    assert_eq!(binary(StringArray::from(vec!["{}"]), oid::JSON)[0], b"{}");
    let vector = binary(StringArray::from(vec!["1 2"]), oid::INT2VECTOR);
    let expected = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0, 2];
    assert_eq!(vector[0], expected);
}

#[test]
fn arrays_as_text_quote_what_needs_it() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for word in [Some("a"), None, Some("a b"), Some(""), Some("null"), Some("q\"\\"), Some("{x,y}")] {
        builder.values().append_option(word);
    }
    builder.append(true);
    builder.append(false);
    builder.append(true);
    assert_eq!(text(builder.finish()), [r#"{a,NULL,"a b","","null","q\"\\","{x,y}"}"#, "<null>", "{}"]);
}

fn matrix() -> ListArray {
    let mut builder = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    for row in [[Some(1), Some(2)], [Some(3), None]] {
        row.into_iter().for_each(|value| builder.values().values().append_option(value));
        builder.values().append(true);
    }
    builder.append(true);
    builder.finish()
}

#[test]
fn arrays_of_arrays_have_more_dimensions() {
    assert_eq!(text(matrix()), ["{{1,2},{3,NULL}}"]);
    let encoded = encode(Arc::new(matrix()), 1007, Some(oid::INT4), 1);
    let mut expected = BytesMut::new();
    for word in [2, 1, 23, 2, 1, 2, 1, 4, 1, 4, 2, 4, 3, -1] {
        expected.put_i32(word);
    }
    assert_eq!(encoded[0].as_deref(), Some(&expected[..]));
    let empty = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(Vec::<Option<i32>>::new())]);
    let encoded = encode(Arc::new(empty), 1007, Some(oid::INT4), 1);
    assert_eq!(encoded[0].as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23][..]));
}

#[test]
fn list_views_are_lists() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let DataType::List(element) = list.data_type().clone() else { panic!("a list") };
    let view = arrow::compute::cast(&list, &DataType::ListView(element)).expect("a view");
    let fields = encode(view, 1007, Some(oid::INT4), 0);
    assert_eq!(fields, [Some(b"{1,NULL}".to_vec()), None]);
}

#[test]
fn vectors_count_from_zero_and_have_no_braces() {
    let vector = ListArray::from_iter_primitive::<Int16Type, _, _>(vec![Some(vec![Some(1i16), Some(2)])]);
    let text = encode(Arc::new(vector.clone()), oid::INT2VECTOR, Some(oid::INT2), 0);
    assert_eq!(text[0].as_deref(), Some(&b"1 2"[..]));
    let encoded = encode(Arc::new(vector), oid::INT2VECTOR, Some(oid::INT2), 1);
    let expected = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0, 2];
    assert_eq!(encoded[0].as_deref(), Some(&expected[..]));
}

#[test]
fn structs_and_maps_are_json() {
    let fields = vec![
        (
            Arc::new(Field::new("n", DataType::Float64, true)),
            Arc::new(Float64Array::from(vec![Some(1.5), None])) as ArrayRef,
        ),
        (Arc::new(Field::new("s", DataType::Utf8, true)), Arc::new(StringArray::from(vec!["a\"\n", "b"])) as ArrayRef),
    ];
    assert_eq!(text(StructArray::from(fields)), ["{\"n\":1.5,\"s\":\"a\\\"\\n\"}", "{\"n\":null,\"s\":\"b\"}"]);
    let mut builder = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    builder.keys().append_value("k");
    builder.values().append_value(7);
    builder.append(true).expect("one entry");
    assert_eq!(text(builder.finish()), ["{\"k\":7}"]);
}

#[test]
fn a_failed_row_leaves_nothing_behind() {
    let array: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
    let schema = Schema::new(vec![Field::new("c", DataType::Int64, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![array]).expect("a batch");
    let wire_type = WireType { oid: oid::INT2, size: 2, typmod: -1, array_element: None };
    let encoder = BatchEncoder::new(&batch, &[Column { name: "c".into(), wire_type, format: 1 }]).expect("an encoder");
    let mut out = BytesMut::from(&b"before"[..]);
    assert_eq!(encoder.write_row(0, &mut out).expect_err("too large").sqlstate, "22003");
    assert_eq!(&out[..], b"before");
}
