//! Expected values are worked out by hand from Postgres's documentation of its types.

use arrow::datatypes::{IntervalMonthDayNano, TimeUnit};

use super::super::oid;
use super::*;

fn text(value: &str, oid: u32, wanted: &DataType) -> ScalarValue {
    parameter(Some(value.as_bytes()), 0, oid, wanted, 1).expect("a value")
}

fn refusal(value: &[u8], format: i16, oid: u32, wanted: &DataType) -> &'static str {
    parameter(Some(value), format, oid, wanted, 1).expect_err("no value").sqlstate
}

fn binary(value: &[u8], oid: u32, wanted: &DataType) -> ScalarValue {
    parameter(Some(value), 1, oid, wanted, 1).expect("a value")
}

const STAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

#[test]
fn nulls_have_the_wanted_type() {
    assert_eq!(parameter(None, 0, oid::INT4, &DataType::Int64, 1).expect("null"), ScalarValue::Int64(None));
}

#[test]
fn simple_values_from_text() {
    assert_eq!(text(" 42 ", oid::INT4, &DataType::Int32), ScalarValue::Int32(Some(42)));
    assert_eq!(text("42", oid::INT4, &DataType::Int64), ScalarValue::Int64(Some(42)));
    assert_eq!(text("42", 0, &DataType::Int64), ScalarValue::Int64(Some(42)));
    assert_eq!(text("-Infinity", oid::FLOAT8, &DataType::Float64), ScalarValue::Float64(Some(f64::NEG_INFINITY)));
    for (word, expected) in [("t", true), ("YES", true), ("on", true), ("1", true), ("f", false), ("of", false)] {
        assert_eq!(text(word, oid::BOOL, &DataType::Boolean), ScalarValue::Boolean(Some(expected)), "{word}");
    }
    assert_eq!(text("\\x00fF", oid::BYTEA, &DataType::Binary), ScalarValue::Binary(Some(vec![0, 255])));
    assert_eq!(text("a\\\\\\001", oid::BYTEA, &DataType::Binary), ScalarValue::Binary(Some(b"a\\\x01".to_vec())));
    let decimal = DataType::Decimal128(10, 2);
    assert_eq!(text("123.45", oid::NUMERIC, &decimal), ScalarValue::Decimal128(Some(12_345), 10, 2));
    assert_eq!(text("1.5e-1", oid::NUMERIC, &decimal), ScalarValue::Decimal128(Some(15), 10, 2));
    assert_eq!(text("15E2", oid::NUMERIC, &decimal), ScalarValue::Decimal128(Some(150_000), 10, 2));
    let uuid = text("00112233445566778899AABBCCDDEEFF", oid::UUID, &DataType::Utf8);
    assert_eq!(uuid, ScalarValue::from("00112233-4455-6677-8899-aabbccddeeff"));
}

#[test]
fn bad_text_is_refused_with_postgres_codes() {
    assert_eq!(refusal(b"x", 0, oid::INT4, &DataType::Int32), "22P02");
    assert_eq!(refusal(b"3000000000", 0, oid::INT4, &DataType::Int32), "22003");
    assert_eq!(refusal(b"o", 0, oid::BOOL, &DataType::Boolean), "22P02");
    assert_eq!(refusal(b"\\x0", 0, oid::BYTEA, &DataType::Binary), "22P02");
    assert_eq!(refusal(b"{", 0, oid::JSON, &DataType::Utf8), "22P02");
    assert_eq!(refusal(b"\xff", 0, oid::TEXT, &DataType::Utf8), "22021");
    assert_eq!(refusal(b"2026-13-01", 0, oid::DATE, &DataType::Date32), "22007");
    assert_eq!(refusal(b"1 fortnight", 0, oid::INTERVAL, &text::data_type(oid::INTERVAL)), "22007");
    assert_eq!(refusal(&[0, 0, 1], 1, oid::INT4, &DataType::Int32), "22P03");
}

#[test]
fn moments_from_text() {
    let micros = 1_767_323_045_123_000; // 2026-01-02 03:04:05.123 UTC
    let stamp = ScalarValue::TimestampMicrosecond(Some(micros), None);
    assert_eq!(text("2026-01-02 03:04:05.123", oid::TIMESTAMP, &STAMP), stamp);
    assert_eq!(text("2026-01-02T03:04:05.123+05:30", oid::TIMESTAMP, &STAMP), stamp);
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let expected = ScalarValue::TimestampMicrosecond(Some(micros - 19_800_000_000), Some("+00:00".into()));
    assert_eq!(text("2026-01-02 03:04:05.123+05:30", oid::TIMESTAMPTZ, &zoned), expected);
    assert_eq!(text("1970-01-02", oid::DATE, &DataType::Date32), ScalarValue::Date32(Some(1)));
    assert_eq!(text("0001-12-31 BC", oid::DATE, &DataType::Date32), ScalarValue::Date32(Some(-719_163)));
    let time = DataType::Time64(TimeUnit::Microsecond);
    assert_eq!(text("01:02", oid::TIME, &time), ScalarValue::Time64Microsecond(Some(3_720_000_000)));
}

#[test]
fn intervals_from_text() {
    let wanted = text::data_type(oid::INTERVAL);
    let hours = (4 * 3600 + 5 * 60 + 6) * 1_000_000_000_i64;
    let cases = [
        ("1 year 2 mons 3 days 04:05:06", (14, 3, hours)),
        ("P1Y2M3DT4H5M6S", (14, 3, hours)),
        ("3 days 14706.5 s", (0, 3, hours + 500_000_000)),
        ("10s", (0, 0, 10_000_000_000)),
        ("-1 days +04:05:06", (0, -1, hours)),
        ("@ 1 week ago", (0, -7, 0)),
        ("1.5 days", (0, 1, 43_200_000_000_000)),
    ];
    for (value, (months, days, nanos)) in cases {
        let expected = ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos)));
        assert_eq!(text(value, oid::INTERVAL, &wanted), expected, "{value}");
    }
}

#[test]
fn values_from_binary() {
    assert_eq!(binary(&[0, 0, 1, 2], oid::INT4, &DataType::Int32), ScalarValue::Int32(Some(258)));
    assert_eq!(binary(&[0, 0, 0, 1], oid::DATE, &DataType::Date32), ScalarValue::Date32(Some(10_958)));
    let stamp = ScalarValue::TimestampMicrosecond(Some(EPOCH + 7), None);
    assert_eq!(binary(&7i64.to_be_bytes(), oid::TIMESTAMP, &STAMP), stamp);
    assert_eq!(binary(b"\x01[1]", oid::JSONB, &DataType::Utf8), ScalarValue::from("[1]"));
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let numeric = |bytes: &[u8]| binary(bytes, oid::NUMERIC, &DataType::Utf8);
    assert_eq!(numeric(&words(&[3, 1, 0, 2, 1, 2345, 6700])), ScalarValue::from("12345.67"));
    assert_eq!(numeric(&words(&[1, 0xffff, 0x4000, 2, 500])), ScalarValue::from("-0.05"));
    assert_eq!(numeric(&words(&[0, 0, 0, 2])), ScalarValue::from("0.00"));
    assert_eq!(numeric(&words(&[1, 2, 0, 0, 100])), ScalarValue::from("10000000000"));
    let decimal = binary(&words(&[3, 1, 0, 2, 1, 2345, 6700]), oid::NUMERIC, &DataType::Decimal128(12, 2));
    assert_eq!(decimal, ScalarValue::Decimal128(Some(1_234_567), 12, 2));
}

/// 2000-01-01 in microseconds from 1970-01-01.
const EPOCH: i64 = 946_684_800_000_000;

#[test]
fn arrays_from_text_and_binary() {
    let wanted = DataType::new_list(DataType::Int32, true);
    let expected = ScalarValue::List(ScalarValue::new_list(
        &[ScalarValue::Int32(Some(1)), ScalarValue::Int32(None), ScalarValue::Int32(Some(3))],
        &DataType::Int32,
        true,
    ));
    assert_eq!(text("{1, NULL,\"3\"}", 1007, &wanted), expected);
    let mut bytes = Vec::new();
    for word in [1, 1, 23, 3, 1, 4, 1, -1, 4, 3] {
        bytes.extend_from_slice(&i32::to_be_bytes(word));
    }
    assert_eq!(binary(&bytes, 1007, &wanted), expected);
    assert_eq!(refusal(&bytes[..bytes.len() - 1], 1, 1007, &wanted), "22P03");
    let words = DataType::new_list(DataType::Utf8, true);
    let expected = ["a b", "c\"d", ""].map(ScalarValue::from);
    let expected = ScalarValue::List(ScalarValue::new_list(&expected, &DataType::Utf8, true));
    assert_eq!(text("{a b,\"c\\\"d\",\"\"}", 1009, &words), expected);
    assert_eq!(refusal(b"{1,", 0, 1007, &wanted), "22P02");
    assert_eq!(refusal(b"{{1},{2}}", 0, 1007, &wanted), "22P02");
}

#[test]
fn random_bytes_never_panic() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(5);
    let oids =
        [16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 1007, 1009, 1082, 1083, 1114, 1184, 1186, 1231, 1700, 2950, 3802];
    for _ in 0..100_000 {
        let oid = oids[rng.random_range(0..oids.len())];
        let length = rng.random_range(0..24);
        let letters = b"{}\",\\0123456789-:. +TZPeE\0\x01\xff";
        let bytes: Vec<u8> = (0..length).map(|_| letters[rng.random_range(0..letters.len())]).collect();
        let _ = parameter(Some(&bytes), rng.random_range(0..2), oid, &text::data_type(oid), 1);
    }
}
