//! What datagen promises: ranges, sequences, exact replay, clear refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::AsArray;
use arrow::compute::concat_batches;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float64Type, Int16Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};

use super::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("size", DataType::Int16, true),
        Field::new("share", DataType::Float64, true),
        Field::new("amount", DataType::Decimal128(10, 2), true),
        Field::new("name", DataType::Utf8, true),
        Field::new("ok", DataType::Boolean, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("tz", DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())), true),
    ]))
}

fn open(options: &[(&str, &str)]) -> Result<DatagenSource> {
    DatagenSource::new(&options.iter().copied().collect(), schema(), Box::new(|| 0))
}

fn read_all(source: &mut DatagenSource, cut: usize) -> RecordBatch {
    let mut batches = Vec::new();
    while let Read::Rows { rows, next, bad } = source.read(cut).unwrap() {
        assert!(rows.num_rows() <= cut && bad.is_empty());
        assert_eq!(next, source.position());
        batches.push(rows);
    }
    concat_batches(&source.schema(), &batches).unwrap()
}

#[test]
fn values_keep_to_their_bounds() {
    let options = [
        ("row_count", "1000"),
        ("fields.id.kind", "sequence"),
        ("fields.id.start", "7"),
        ("fields.size.min", "-5"),
        ("fields.size.max", "5"),
        ("fields.amount.max", "2"),
        ("fields.name.length", "3"),
    ];
    let rows = read_all(&mut open(&options).unwrap(), 1000);
    let ids = rows.column(0).as_primitive::<Int64Type>();
    assert_eq!((ids.value(0), ids.value(999)), (7, 1006));
    let sizes = rows.column(1).as_primitive::<Int16Type>();
    assert_eq!(sizes.iter().flatten().min(), Some(-5));
    assert_eq!(sizes.iter().flatten().max(), Some(5));
    assert!(rows.column(2).as_primitive::<Float64Type>().iter().flatten().all(|share| (0.0..1.0).contains(&share)));
    let amounts = rows.column(3).as_primitive::<Decimal128Type>();
    assert!(amounts.iter().flatten().all(|amount| (0..=200).contains(&amount)));
    assert!(amounts.iter().flatten().any(|amount| amount % 100 != 0));
    assert!(rows.column(4).as_string::<i32>().iter().flatten().all(|name| name.len() == 3));
    let times = rows.column(6).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(1) - times.value(0), 1_000);
}

#[test]
fn replay_is_exact_however_reads_are_cut() {
    let options = [("row_count", "997"), ("seed", "3")];
    let whole = read_all(&mut open(&options).unwrap(), 1000);
    assert_eq!(whole.num_rows(), 997);
    for cut in [1, 7, 100] {
        assert_eq!(read_all(&mut open(&options).unwrap(), cut), whole);
    }
    for skipped in [0usize, 1, 500, 997] {
        let mut source = open(&options).unwrap();
        source.seek(&Position(serde_json::json!({"next_row": skipped, "start_us": START_US_DEFAULT}))).unwrap();
        assert_eq!(read_all(&mut source, 64), whole.slice(skipped, 997 - skipped));
    }
    assert_ne!(read_all(&mut open(&[("row_count", "997")]).unwrap(), 1000), whole);
}

#[test]
fn a_sequence_ends_the_source() {
    let rows = read_all(&mut open(&[("fields.id.start", "5"), ("fields.id.end", "9")]).unwrap(), 1000);
    assert_eq!(rows.num_rows(), 5);
    assert!(is_bounded(&Options::new().with("fields.id.end", "9")));
    assert!(!is_bounded(&Options::new().with("fields.id.start", "9")));
}

#[test]
fn rows_come_at_their_pace() {
    let time = Arc::new(AtomicI64::new(1_000_000));
    let clock = Arc::clone(&time);
    let options = Options::new().with("rows_per_second", "10");
    let mut source = DatagenSource::new(&options, schema(), Box::new(move || clock.load(Ordering::Relaxed))).unwrap();
    assert!(matches!(source.read(100).unwrap(), Read::Rows { rows, .. } if rows.num_rows() == 1));
    assert!(matches!(source.read(100).unwrap(), Read::Idle(wait) if wait.as_millis() == 100));
    time.store(1_300_000, Ordering::Relaxed);
    let Read::Rows { rows, .. } = source.read(100).unwrap() else { panic!("rows are due") };
    let times = rows.column(6).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values().as_ref(), [1_100_000, 1_200_000, 1_300_000]);
}

#[test]
fn mistakes_are_refused() {
    let refused = |name: &str, value: &str| open(&[(name, value)]).err().expect("refused").to_string();
    assert_eq!(refused("fields.nme.length", "3"), "option \"fields.nme.length\": there is no column \"nme\"");
    assert_eq!(
        refused("fields.size.max", "70000"),
        "option \"fields.size.max\" is \"70000\": expected a whole number from -32768 to 32767"
    );
    assert_eq!(
        refused("fields.ok.kind", "sequence"),
        "option \"fields.ok.kind\" is \"sequence\": expected random, for a boolean column"
    );
    assert!(refused("rows_per_sec", "1").contains("did you mean \"rows_per_second\"?"));
    let dates = Arc::new(Schema::new(vec![Field::new("d", DataType::Date32, true)]));
    assert!(DatagenSource::new(&Options::new(), dates, Box::new(|| 0)).is_err());
}
