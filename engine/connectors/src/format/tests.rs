//! Rows survive being written and read; bad records are found, and only those.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{Field, Int64Type, SchemaRef};

use super::*;

fn every_type() -> RecordBatch {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(-3)]),
    ]);
    let decimals = Decimal128Array::from(vec![Some(12_345), None, Some(-1), Some(0)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
        ("small", Arc::new(Int16Array::from(vec![Some(-5), None, Some(i16::MAX), Some(0)]))),
        ("number", Arc::new(Int32Array::from(vec![Some(7), None, Some(i32::MIN), Some(0)]))),
        ("big", Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN), Some(0)]))),
        ("real", Arc::new(Float32Array::from(vec![Some(0.5), None, Some(-1e10), Some(0.0)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(1e300), Some(0.0)]))),
        ("amount", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
        ("text", Arc::new(StringArray::from(vec![Some("a,\"b\"\nc\r\n"), None, Some(""), Some(" ü\\ ")]))),
        ("bytes", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xFF"), None, Some(b""), Some(b"a")]))),
        ("day", Arc::new(Date32Array::from(vec![Some(20_000), None, Some(-1), Some(0)]))),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![Some(1), None, Some(86_399_999_999), Some(0)]))),
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None, Some(-1), Some(0)]))),
        (
            "tz",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None, Some(1), Some(0)])
                    .with_timezone("+00:00"),
            ),
        ),
        ("numbers", Arc::new(lists)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn csv(header: bool) -> Format {
    Format::Csv(CsvStyle { header, ..CsvStyle::default() })
}

fn encoded(format: &Format, rows: &RecordBatch) -> Vec<u8> {
    let mut encoder = Encoder::new(format, rows.schema(), Vec::new()).unwrap();
    encoder.write(rows).unwrap();
    encoder.finish().unwrap()
}

fn records<'a>(format: &Format, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let splitter = TextSplitter::new(format);
    let mut records = Vec::new();
    let mut at = 0;
    while let Split::Record { text_end, next } = splitter.next(&bytes[at..], true) {
        records.push(&bytes[at..at + text_end]);
        at += next;
    }
    assert_eq!(at, bytes.len());
    records
}

fn decode(format: &Format, schema: SchemaRef, text: &str) -> DecodedRows {
    let mut decoder = TextDecoder::new(format, schema).unwrap();
    decoder.decode(&records(format, text.as_bytes())).unwrap()
}

fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, kind): &(&str, DataType)| Field::new(*name, kind.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn rejected(decoded: &DecodedRows) -> Vec<(usize, &str)> {
    decoded.rejected.iter().map(|record| (record.index, record.reason.as_str())).collect()
}

fn strings(decoded: &DecodedRows, column: usize) -> Vec<Option<&str>> {
    decoded.rows.column(column).as_string::<i32>().iter().collect()
}

#[test]
fn json_lines_hold_every_type() {
    let rows = every_type();
    let bytes = encoded(&Format::Json, &rows);
    let decoded = decode(&Format::Json, rows.schema(), std::str::from_utf8(&bytes).unwrap());
    assert_eq!(rejected(&decoded), []);
    assert_eq!(decoded.rows, rows);
}

#[test]
fn csv_holds_every_type() {
    let rows = every_type();
    let null = Format::Csv(CsvStyle { header: false, delimiter: b'|', null: "NULL".to_string() });
    for format in [csv(false), null] {
        let bytes = encoded(&format, &rows);
        let decoded = decode(&format, rows.schema(), std::str::from_utf8(&bytes).unwrap());
        assert_eq!(rejected(&decoded), []);
        assert_eq!(decoded.rows, rows);
    }
}

#[test]
fn csv_is_written_as_postgres_does() {
    let rows = every_type().project(&[0, 5, 6, 7, 8, 11, 12, 13]).unwrap();
    let text = String::from_utf8(encoded(&csv(true), &rows)).unwrap();
    let expected = "flag,double,amount,text,bytes,ts,tz,numbers\n\
        true,0.1,123.45,\"a,\"\"b\"\"\nc\r\n\",\\x00ff,2023-11-14 22:13:20.123456,2023-11-14 22:13:20+00:00,\"[1,null]\"\n\
        ,,,,,,,\n\
        false,1e300,-0.01,\"\",\\x,1969-12-31 23:59:59.999999,1970-01-01 00:00:00.000001+00:00,[]\n\
        true,0.0,0.00, ü\\ ,\\x61,1970-01-01 00:00:00,1970-01-01 00:00:00+00:00,[-3]\n";
    assert_eq!(text, expected);
}

#[test]
fn one_bad_line_costs_one_row() {
    let schema = schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
    let text =
        "{\"a\":1,\"b\":\"x\"}\n{\"a\":\"y\"}\n\n{\"a\":2\n{\"b\":null}\n{\"a\":3}{\"a\":4}\n[1]\n{\"a\":5,\"c\":0}\n";
    let decoded = decode(&Format::Json, schema, text);
    let reasons = rejected(&decoded);
    assert_eq!(reasons.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3, 5, 6]);
    assert_eq!(reasons[0].1, "column \"a\": \"y\" is no BIGINT");
    assert!(reasons[1].1.starts_with("the line is no JSON: EOF while parsing an object"), "{}", reasons[1].1);
    assert!(reasons[2].1.starts_with("the line is no JSON: trailing characters"), "{}", reasons[2].1);
    let numbers: Vec<Option<i64>> = decoded.rows.column(0).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(numbers, [Some(1), None, Some(5)]);
}

#[test]
fn an_object_over_two_lines_is_two_bad_records() {
    let decoded =
        decode(&Format::Json, schema(&[("a", DataType::Int64)]), "{\"a\":1}\n{\"a\":\n2}\n{\"a\":3}{\"a\":4}\n");
    assert_eq!(rejected(&decoded).iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(decoded.rows.num_rows(), 1);
}

#[test]
fn numbers_are_not_cut() {
    let schema = schema(&[("a", DataType::Int64), ("s", DataType::Int16)]);
    let text = "{\"a\":1.5}\n{\"a\":2.0}\n{\"a\":3e2}\n{\"a\":9223372036854775807}\n{\"a\":9223372036854775808}\n{\"s\":40000}\n{\"a\":true}\n{\"a\":\"7\"}\n";
    let decoded = decode(&Format::Json, schema, text);
    let expected = [
        (0, "column \"a\": \"1.5\" is no BIGINT"),
        (4, "column \"a\": \"9223372036854775808\" is no BIGINT"),
        (5, "column \"s\": \"40000\" is no SMALLINT"),
        (6, "column \"a\": \"true\" is no BIGINT"),
    ];
    assert_eq!(rejected(&decoded), expected);
    let numbers: Vec<i64> = decoded.rows.column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(numbers, [2, 300, i64::MAX, 7]);
}

#[test]
fn nested_values_come_as_text_where_text_is_wanted() {
    let schema = schema(&[("a", DataType::Utf8), ("b", DataType::Int64)]);
    let text = "{\"a\":{\"x\": [1, \"é\\n\"]},\"b\":1}\n{\"a\":\"plain\"}\n{\"a\":[],\"b\":[]}\n{\"a\":1.50,\"b\":2}\n";
    let mut decoder = TextDecoder::new(&Format::Json, schema).unwrap();
    let lines = records(&Format::Json, text.as_bytes());
    let together = decoder.decode(&lines).unwrap();
    assert_eq!(strings(&together, 0), [Some("{\"x\": [1, \"é\\n\"]}"), Some("plain"), Some("1.50")]);
    assert_eq!(rejected(&together).len(), 1);
    // The second time lines are prepared at once; the outcome is the same.
    assert_eq!(decoder.decode(&lines).unwrap().rows, together.rows);
}

#[test]
fn the_outcome_of_a_line_does_not_depend_on_its_neighbours() {
    let schema = schema(&[("a", DataType::Utf8), ("b", DataType::Float64)]);
    let lines: Vec<&[u8]> = vec![
        b"{\"a\":\"x\" \"b\":1}",
        b"{\"a\":{\"y\":1}}",
        b"{\"b\":\"q\"}",
        b"nonsense",
        b"{\"a\":\"\xFF\"}",
        b"{}",
        b"  ",
        b"{\"b\":1,\"b\":2}",
        b"{\"a\":[1}",
        b"\"text\"",
        b"{\"a\":\"\\ud800\"}",
        b"{\"b\":NaN}",
        b"{\"b\":\"NaN\"}",
    ];
    let outcome = |chunk: &[&[u8]]| {
        let decoded = TextDecoder::new(&Format::Json, schema.clone()).unwrap().decode(chunk).unwrap();
        let good: Vec<String> =
            (0..decoded.rows.num_rows()).map(|row| format!("{:?}", decoded.rows.slice(row, 1))).collect();
        (good, decoded.rejected.iter().map(|record| record.reason.clone()).collect::<Vec<_>>())
    };
    let together = outcome(&lines);
    let mut alone = (Vec::new(), Vec::new());
    for line in &lines {
        let (good, bad) = outcome(&[line]);
        alone.0.extend(good);
        alone.1.extend(bad);
    }
    assert_eq!(together, alone);
    assert!(!together.1.is_empty());
}

#[test]
fn csv_records_are_checked_one_by_one() {
    let schema =
        schema(&[("a", DataType::Int64), ("b", DataType::Utf8), ("l", DataType::new_list(DataType::Int64, true))]);
    let text = "1, x ,[1]\n2\n\nq,y,\n 3 ,\"\",\"[1,2]\"\n4,z,[1\n5,,null],\"v\":[2\n";
    let decoded = decode(&csv(false), schema, text);
    let reasons = rejected(&decoded);
    assert_eq!(reasons.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3, 5, 6]);
    assert_eq!(reasons[0].1, "the record has 1 fields instead of 3");
    assert_eq!(reasons[1].1, "column \"a\": \"q\" is no BIGINT");
    assert!(reasons[2].1.starts_with("column \"l\": "), "{}", reasons[2].1);
    assert_eq!(strings(&decoded, 1), [Some(" x "), Some("")]);
}

#[test]
fn csv_columns_are_found_by_name() {
    let schema = schema(&[("b", DataType::Utf8), ("A", DataType::Int64)]);
    let mut decoder = TextDecoder::new(&csv(true), schema).unwrap();
    decoder.set_header("\u{FEFF}a,\"x\",B".as_bytes()).unwrap();
    let decoded = decoder.decode(&[b"1,2,3", b"4,5"]).unwrap();
    assert_eq!(strings(&decoded, 0), [Some("3")]);
    assert_eq!(rejected(&decoded), [(1, "the record has 2 fields instead of 3")]);
    let error = decoder.set_header(b"1,2,3").unwrap_err().to_string();
    assert!(error.starts_with("column \"b\" is not in the header (1, 2, 3); for a file without header"), "{error}");
}

#[test]
fn null_is_refused_where_none_may_be() {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
    for (format, text) in [(csv(false), "1\n\n2\n"), (Format::Json, "{\"a\":1}\n{}\n{\"a\":2}\n")] {
        let decoded = decode(&format, schema.clone(), text);
        assert_eq!(rejected(&decoded), [(1, "column \"a\" is NULL")]);
        assert_eq!(decoded.rows.num_rows(), 2);
    }
}

#[test]
fn types_that_text_cannot_hold_are_refused() {
    let interval = schema(&[("i", DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano))]);
    let error = TextDecoder::new(&Format::Json, interval.clone()).err().unwrap();
    assert_eq!(error.to_string(), "column \"i\" is INTERVAL, which format json can't hold");
    assert!(Format::Parquet.check_schema(&interval).is_ok());
}

#[test]
fn format_options_are_checked() {
    let read = |options: &[(&str, &str)]| Format::from_options(&options.iter().copied().collect());
    assert_eq!(read(&[("format", "JSON")]).unwrap(), Format::Json);
    assert_eq!(
        read(&[("format", "csv"), ("header", "off"), ("delimiter", ";"), ("null", "NA")]).unwrap(),
        Format::Csv(CsvStyle { header: false, delimiter: b';', null: "NA".to_string() })
    );
    let message = |options: &[(&str, &str)]| read(options).unwrap_err().to_string();
    assert_eq!(message(&[]), "option \"format\" is missing: expected one of json, csv, parquet, arrow");
    assert_eq!(
        message(&[("format", "json"), ("header", "1")]),
        "option \"header\" belongs to format csv; the format is json"
    );
    assert!(message(&[("format", "csv"), ("delimiter", "\"")]).contains("neither a quote nor a line end"));
}
