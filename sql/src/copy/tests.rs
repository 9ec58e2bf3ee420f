//! Tests of both formats in both directions.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::*;
use crate::pg_text::value_text;
use crate::pg_type::named_field;
use crate::statement::{CopyFormat, CopyKind};

fn text() -> CopyFormat {
    CopyFormat {
        kind: CopyKind::Text,
        delimiter: b'\t',
        null: "\\N".to_owned(),
        header: false,
        quote: b'"',
        escape: b'"',
    }
}

fn csv() -> CopyFormat {
    CopyFormat { kind: CopyKind::Csv, delimiter: b',', null: String::new(), ..text() }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]))
}

fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values: Vec<String> = batch
                .columns()
                .iter()
                .zip(batch.schema().fields())
                .map(|(array, field)| value_text(array, field, row).unwrap().unwrap_or_else(|| "<null>".to_owned()))
                .collect();
            rows.push(values.join("|"));
        }
    }
    rows
}

/// Decodes `data` cut at every `cut` bytes.
fn decode_cut(data: &str, format: &CopyFormat, schema: SchemaRef, cut: usize) -> Result<Vec<String>, String> {
    let shown =
        |error: crate::SqlError| format!("{} {} [{}]", error.sqlstate, error.message, error.detail.unwrap_or_default());
    let mut decoder = CopyDecoder::new("t", schema, format.clone(), 2).map_err(shown)?;
    let mut batches = Vec::new();
    for piece in data.as_bytes().chunks(cut) {
        batches.extend(decoder.push(piece).map_err(shown)?);
    }
    batches.extend(decoder.finish().map_err(shown)?);
    Ok(rows(&batches))
}

/// The same rows must come however the bytes are cut.
fn decode(data: &str, format: &CopyFormat) -> Result<Vec<String>, String> {
    let whole = decode_cut(data, format, schema(), data.len().max(1));
    for cut in 1..=3 {
        assert_eq!(decode_cut(data, format, schema(), cut), whole, "cut at {cut}: {data:?}");
    }
    whole
}

#[test]
fn text_lines() {
    let cases: [(&str, &[&str]); 9] = [
        ("1\tx\n2\ty\n", &["1|x", "2|y"]),
        ("1\tx", &["1|x"]),
        ("1\tx\r\n2\ty\r\n", &["1|x", "2|y"]),
        ("\\N\t\\N\n", &["<null>|<null>"]),
        ("1\t\n", &["1|"]),
        ("1\ta\\tb\\\\c\\nd\n", &["1|a\tb\\c\nd"]),
        ("1\ta\\\nb\n", &["1|a\nb"]),
        ("1\t\\x41\\102\n", &["1|AB"]),
        ("1\tx\n\\.\nignored", &["1|x"]),
    ];
    for (data, expected) in cases {
        assert_eq!(decode(data, &text()).unwrap(), expected, "{data:?}");
    }
}

#[test]
fn csv_lines() {
    let cases: [(&str, &[&str]); 8] = [
        ("1,x\n2,y", &["1|x", "2|y"]),
        (",\n", &["<null>|<null>"]),
        ("1,\"\"\n", &["1|"]),
        ("1,\"a,b\"\r\n2,\"c\"\r\n", &["1|a,b", "2|c"]),
        ("1,\"line 1\nline 2\"\n2,z\n", &["1|line 1\nline 2", "2|z"]),
        ("1,\"say \"\"hi\"\"\"\n", &["1|say \"hi\""]),
        ("1, x \n", &["1| x "]),
        ("1,a\"b,c\"d\n", &["1|ab,cd"]),
    ];
    for (data, expected) in cases {
        assert_eq!(decode(data, &csv()).unwrap(), expected, "{data:?}");
    }
    let format = CopyFormat { header: true, delimiter: b';', null: "nil".to_owned(), ..csv() };
    assert_eq!(decode("a;b\n1;nil\n2;\"nil\"\n", &format).unwrap(), ["1|<null>", "2|nil"]);
}

#[test]
fn long_lines_make_batches_of_few_rows() {
    let line = format!("1\t{}\n", "x".repeat(1 << 20));
    let mut decoder = CopyDecoder::new("t", schema(), text(), 8_192).unwrap();
    let mut batches = Vec::new();
    for _ in 0..20 {
        batches.extend(decoder.push(line.as_bytes()).unwrap());
    }
    batches.extend(decoder.finish().unwrap());
    // 8 lines of a megabyte each, and a byte for `1`.
    let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [8, 8, 4]);
}

#[test]
fn faults_name_the_line_and_the_column() {
    let cases = [
        (
            "1\tx\nzwei\ty\n",
            "22P02 invalid input syntax for type integer: \"zwei\" [COPY t, line 2, column a: \"zwei\"]",
        ),
        (
            "1\tx\n99999999999\ty",
            "22003 value \"99999999999\" is out of range for type integer [COPY t, line 2, column a: \"99999999999\"]",
        ),
        ("1\n", "22P04 missing data for column \"b\" [COPY t, line 1]"),
        ("1\tx\ty\n", "22P04 extra data after last expected column [COPY t, line 1]"),
    ];
    for (data, expected) in cases {
        assert_eq!(decode(data, &text()).unwrap_err(), expected, "{data:?}");
    }
    assert_eq!(decode("1,\"x\n", &csv()).unwrap_err(), "22P04 unterminated CSV quoted field [COPY t, line 1]");
    let required = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, false)]));
    let error = decode_cut("\\N\n", &text(), required, 9).unwrap_err();
    assert!(error.starts_with("23502 null value in column \"a\" of relation \"t\""), "{error}");
    assert!(CopyDecoder::new("t", schema(), CopyFormat { kind: CopyKind::Binary, ..text() }, 1).is_err());
}

#[test]
fn every_type_reads_what_it_writes() {
    let cases: [(&str, &[&str]); 17] = [
        ("bool", &["t", "f"]),
        ("int2", &["-32768"]),
        ("int8", &["9223372036854775807"]),
        ("float4", &["1.5", "NaN"]),
        ("float8", &["0.1", "-Infinity", "1e+300"]),
        ("numeric", &["12345.6789", "-0.5", "7"]),
        ("text", &["", "a\tb\\"]),
        ("bytea", &["\\x00ff", "\\x"]),
        ("date", &["2024-02-29"]),
        ("time", &["23:59:59.999999"]),
        ("timestamp", &["2024-02-29 12:34:56.789", "1969-12-31 23:59:59"]),
        ("timestamptz", &["2024-02-29 12:34:56+00"]),
        ("interval", &["1 year 2 mons 3 days 04:05:06.789", "00:00:00"]),
        ("json", &["{\"a\": [1, null]}"]),
        ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
        ("name", &["x"]),
        ("oid", &["16384"]),
    ];
    for (type_name, values) in cases {
        let schema = Arc::new(Schema::new(vec![named_field("x", type_name)]));
        for format in [text(), csv()] {
            check_round_trip(&schema, &format, values, type_name);
        }
    }
    let list = Field::new("x", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), true);
    check_round_trip(&Arc::new(Schema::new(vec![list])), &csv(), &["{a,NULL,\"x y\",\"\"}", "{}"], "text[]");
}

fn check_round_trip(schema: &SchemaRef, format: &CopyFormat, values: &[&str], name: &str) {
    for value in values {
        let text: Vec<Option<&str>> = vec![Some(value), None];
        let texts = arrow::array::StringArray::from(text);
        let column = crate::pg_text::read_column(&texts, schema.field(0))
            .unwrap_or_else(|bad| panic!("{name}: {:?}", bad.error));
        let batch = RecordBatch::try_new(Arc::clone(schema), vec![column]).unwrap();
        let bytes = CopyEncoder::new(format.clone()).unwrap().encode(&batch).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let back =
            decode_cut(&text, format, Arc::clone(schema), 7).unwrap_or_else(|error| panic!("{name} {text:?}: {error}"));
        assert_eq!(back, [*value, "<null>"], "{name} as {text:?}");
    }
}

#[test]
fn encoder_escapes_and_quotes() {
    let batch = {
        let a = arrow::array::Int32Array::from(vec![Some(1), None]);
        let b = arrow::array::StringArray::from(vec![Some("a\tb\nc,\"d\""), Some("")]);
        RecordBatch::try_new(schema(), vec![Arc::new(a), Arc::new(b)]).unwrap()
    };
    let encoded = |format: CopyFormat| {
        let encoder = CopyEncoder::new(format).unwrap();
        let header =
            encoder.header(&schema()).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).unwrap_or_default();
        header + &String::from_utf8(encoder.encode(&batch).unwrap().to_vec()).unwrap()
    };
    assert_eq!(encoded(text()), "1\ta\\tb\\nc,\"d\"\n\\N\t\n");
    assert_eq!(encoded(CopyFormat { header: true, ..csv() }), "a,b\n1,\"a\tb\nc,\"\"d\"\"\"\n,\"\"\n");
}
