//! Batches there and back, and what becomes of damaged ones. A seed is fixed: `tests/arrow_dialect.rs` has random ones.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float32Array, Int8Array, Int16Array, Int32Array, LargeBinaryArray, LargeStringArray, RecordBatch,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};

use super::*;
use crate::Value;
use crate::multilang::{Emit, FromChild, ToChild};

/// Numbers of a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

fn body(rows: &[Vec<Value>]) -> Vec<u8> {
    let rows: Vec<Row> = rows.iter().map(|values| Row::new("1", "c", "s", 1, values).unwrap()).collect();
    let mut out = Vec::new();
    write::append(&rows, &mut out);
    out
}

fn samples() -> Vec<Vec<Value>> {
    let map = Value::Map(vec![("a".into(), Value::Float(f64::NAN)), ("a".into(), Value::Null)].into());
    let of_each = [
        vec![Value::Null, Value::Null],
        vec![Value::Bool(true), Value::Bool(false)],
        vec![Value::Int(i64::MIN), Value::Int(i64::MAX)],
        vec![Value::Float(-0.0), Value::Float(f64::INFINITY)],
        vec![Value::Timestamp(i64::MIN), Value::Timestamp(1)],
        vec![Value::from(""), Value::from("a text that is longer than fits in place")],
        vec![Value::from(Vec::<u8>::new()), Value::from(vec![0_u8, 255])],
        vec![map, Value::from(vec![Value::Timestamp(1), Value::from(vec![1_u8])])],
        vec![Value::Int(1), Value::from("1")],
        vec![Value::Int(1), Value::Float(1.0)],
        vec![Value::Timestamp(1), Value::Int(1)],
    ];
    // Three rows: each pair, and nulls.
    (0..3).map(|row| of_each.iter().map(|values| values.get(row).cloned().unwrap_or_default()).collect()).collect()
}

#[test]
fn every_kind_of_column_reads_back() {
    let rows = samples();
    assert_eq!(read::rows(&body(&rows), 3), Ok(rows));
}

#[test]
fn other_types_are_taken_for_those_there_are() {
    let columns: [(ArrayRef, Value); 12] = [
        (Arc::new(Int8Array::from(vec![-1])), Value::Int(-1)),
        (Arc::new(Int16Array::from(vec![i16::MIN])), Value::Int(-32768)),
        (Arc::new(Int32Array::from(vec![i32::MIN])), Value::Int(-2_147_483_648)),
        (Arc::new(UInt8Array::from(vec![255])), Value::Int(255)),
        (Arc::new(UInt16Array::from(vec![65535])), Value::Int(65535)),
        (Arc::new(UInt32Array::from(vec![u32::MAX])), Value::Int(4_294_967_295)),
        (Arc::new(UInt64Array::from(vec![i64::MAX as u64])), Value::Int(i64::MAX)),
        (Arc::new(Float32Array::from(vec![0.5])), Value::Float(0.5)),
        (Arc::new(LargeStringArray::from(vec!["人"])), Value::from("人")),
        (Arc::new(LargeBinaryArray::from(vec![b"x".as_slice()])), Value::from(b"x".as_slice())),
        (Arc::new(TimestampSecondArray::from(vec![-2])), Value::Timestamp(-2_000_000)),
        (Arc::new(TimestampMillisecondArray::from(vec![3])), Value::Timestamp(3000)),
    ];
    for (column, value) in columns {
        assert_eq!(read::rows(&written(column.clone()), 1), Ok(vec![vec![value]]), "{}", column.data_type());
    }
    let nanos = written(Arc::new(TimestampNanosecondArray::from(vec![-1])));
    assert_eq!(read::rows(&nanos, 1), Ok(vec![vec![Value::Timestamp(-1)]]));
    let far = written(Arc::new(TimestampSecondArray::from(vec![i64::MAX])));
    assert!(read::rows(&far, 1).unwrap_err().contains("outside the range of microseconds"));
}

fn written(column: ArrayRef) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn rows_without_values_have_no_body() {
    assert_eq!(read::rows(&[], 2), Ok(vec![vec![], vec![]]));
    let mut out = Vec::new();
    let rows = vec![Row::new("7", "c", "s", 1, &[]).unwrap(), Row::new("8", "c", "s", 1, &[]).unwrap()];
    assert_eq!(append_batches(rows, &mut out), 1);
    let header = r#"{"command":"tuples","comp":"c","stream":"s","task":1,"rows":2,"ids":[[7,8]]}"#;
    assert_eq!(frame::read(&mut out.as_slice(), 1000), Ok(Some((header.into(), Vec::new()))));
}

#[test]
fn a_body_with_any_bytes_changed_or_cut_off_does_no_harm() {
    let whole = body(&samples());
    let mut random = Random(7);
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut damaged = whole.clone();
        for _ in 0..=random.below(4) {
            let place = random.below(damaged.len());
            damaged[place] = [0, 0xff, 0x7f, 0x80, random.below(256) as u8][random.below(5)];
        }
        if random.below(4) == 0 {
            damaged.truncate(random.below(whole.len()) + 1);
        }
        refused += usize::from(read::rows(&damaged, 3).is_err());
    }
    assert!(refused > 5000, "{refused} were noticed");
}

fn parsed(header: &str, body: Vec<u8>) -> Result<Vec<FromChild>, String> {
    let mut said = Vec::new();
    parse(header.as_bytes(), body, &mut said).map_err(|error| error.to_string()).map(|()| said)
}

fn emit(values: &[Value], anchors: &[&str]) -> FromChild {
    let anchors = anchors.iter().map(|id| (*id).into()).collect();
    let stream = "default".into();
    FromChild::Emit(Emit { id: None, anchors, stream, task: None, values: values.to_vec(), need_task_ids: false })
}

#[test]
fn headers_say_what_the_rows_are() {
    let (one, two) = ([Value::Int(1)], [Value::Int(2)]);
    let body = || body(&[one.to_vec(), two.to_vec()]);
    let each = parsed(r#"{"command":"emit","rows":2,"each":[[4,5]]}"#, body());
    assert_eq!(each, Ok(vec![emit(&one, &["4"]), emit(&two, &["5"])]));
    let lists = parsed(r#"{"command":"emit","rows":2,"anchors":[[],[[4,5],9]]}"#, body());
    assert_eq!(lists, Ok(vec![emit(&one, &[]), emit(&two, &["4", "5", "9"])]));
    let full = r#"{"command":"emit","rows":2,"ids":[{"a":1},null],"stream":"s","task":0,"need_task_ids":true}"#;
    let said = parsed(full, body()).unwrap();
    let [FromChild::Emit(first), FromChild::Emit(second)] = said.as_slice() else { panic!("two emits are expected") };
    assert_eq!((first.id.as_ref().map(ToString::to_string), &second.id), (Some("{\"a\": 1}".into()), &None));
    assert!(first.stream == "s" && first.task.is_none() && first.need_task_ids);
    let direct = parsed(r#"{"command":"emit","rows":1,"task":3,"need_task_ids":true}"#, Vec::new()).unwrap();
    assert!(matches!(&direct[0], FromChild::Emit(emit) if emit.task == Some(3) && !emit.need_task_ids));
    let acks = parsed(r#"{"command":"ack","ids":[7,[1,2]]}"#, Vec::new());
    assert_eq!(acks, Ok(["7", "1", "2"].map(|id| FromChild::Ack(id.into())).to_vec()));
    assert_eq!(parsed(r#"{"command":"sync"}"#, Vec::new()), Ok(vec![FromChild::Sync]));
    assert_eq!(parsed(r#"{"command":"more"}"#, Vec::new()), Ok(vec![FromChild::More]));
    assert_eq!(parsed(r#"{"command":"error","msg":"m"}"#, Vec::new()), Ok(vec![FromChild::Error("m".into())]));
}

#[test]
fn headers_that_say_too_much_are_refused() {
    let refused = |header: &str| parsed(header, Vec::new()).unwrap_err();
    assert!(refused(r#"{"command":"emit","rows":1048577}"#).contains("of at most 1048576"));
    assert!(refused(r#"{"command":"emit","rows":-1}"#).contains("not a header"));
    assert!(refused(r#"{"command":"emit"}"#).contains("missing field `rows`"));
    assert!(refused(r#"{"command":"emit","rows":1,"ids":[]}"#).contains("0 ids for 1 rows"));
    let lists = ["[[1,1000000]]"; 2].join(",");
    let many = format!(r#"{{"command":"emit","rows":2,"anchors":[{lists}]}}"#);
    assert!(refused(&many).contains("2000000 anchors, of at most 1048576"));
    assert!(refused(r#"{"pid":1}"#).contains("missing field `command`"));
}

#[test]
fn commands_to_children() {
    let said = |message: ToChild<'_>| {
        let mut out = Vec::new();
        append_command(message, &mut out);
        let (header, body) = frame::read(&mut out.as_slice(), 1000).unwrap().unwrap();
        assert!(body.is_empty());
        String::from_utf8(header).unwrap()
    };
    assert_eq!(said(ToChild::Next), r#"{"command":"next"}"#);
    assert_eq!(said(ToChild::Ack(&["a".into(), 7_i64.into()])), r#"{"command":"ack","ids":["a",7]}"#);
    assert_eq!(said(ToChild::Fail(&[Value::from(vec![Value::Null])])), r#"{"command":"fail","ids":[[null]]}"#);
    assert_eq!(said(ToChild::Heartbeat { id: "-1" }), r#"{"command":"heartbeat"}"#);
    assert_eq!(said(ToChild::TaskIds(&[4, 5])), r#"{"command":"task_ids","tasks":[4,5]}"#);
}

#[test]
fn a_tuple_that_cannot_be_said_is_refused() {
    assert!(Row::new("t1", "c", "s", 1, &[]).unwrap_err().to_string().contains("its id is no integer"));
    let large = [Value::from("x".repeat(257 << 20))];
    assert!(Row::new("1", "c", "s", 1, &large).unwrap_err().to_string().contains("are more than 268435456"));
}
