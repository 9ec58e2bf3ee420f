//! Each shape of message in the protocol page and in what storm.py, storm.js and pystorm send.

use super::*;

fn said(message: ToChild<'_>) -> String {
    let mut out = Vec::new();
    message.append_frame(&mut out);
    String::from_utf8(out).unwrap()
}

fn parse(text: &str) -> FromChild {
    FromChild::parse(text.as_bytes()).unwrap()
}

fn refusal(text: &str) -> String {
    FromChild::parse(text.as_bytes()).unwrap_err().to_string()
}

fn emit(text: &str) -> Emit {
    match parse(text) {
        FromChild::Emit(emit) => emit,
        other => panic!("{other:?}"),
    }
}

fn plain(values: Vec<Value>) -> Emit {
    Emit { id: None, anchors: vec![], stream: "default".into(), task: None, values, need_task_ids: true }
}

#[test]
fn commands_to_spouts() {
    assert_eq!(said(ToChild::Next), "{\"command\":\"next\"}\nend\n");
    assert_eq!(said(ToChild::Activate), "{\"command\":\"activate\"}\nend\n");
    assert_eq!(said(ToChild::Deactivate), "{\"command\":\"deactivate\"}\nend\n");
    assert_eq!(said(ToChild::Ack(&["a".into()])), "{\"command\":\"ack\",\"id\":\"a\"}\nend\n");
    assert_eq!(said(ToChild::Fail(&[7_i64.into()])), "{\"command\":\"fail\",\"id\":7}\nend\n");
}

#[test]
fn a_spouts_id_goes_back_as_it_came() {
    let id = r#"{"z":[1,2.0,null],"a":"人"}"#;
    let emit = emit(&format!(r#"{{"command":"emit","id":{id},"tuple":[]}}"#));
    let expected = format!("{{\"command\":\"ack\",\"id\":{id}}}\nend\n");
    assert_eq!(said(ToChild::Ack(&[emit.id.unwrap()])), expected);
}

#[test]
fn tuples_ticks_and_heartbeats_have_five_keys() {
    let values = [Value::from("snow white"), Value::Null, Value::Int(3)];
    let tuple = ToChild::Tuple { id: "-695", comp: "1", stream: "default", task: 9, values: &values };
    assert_eq!(
        said(tuple),
        "{\"id\":\"-695\",\"comp\":\"1\",\"stream\":\"default\",\"task\":9,\"tuple\":[\"snow white\",null,3]}\nend\n"
    );
    let tick = ToChild::Tuple { id: "1", comp: "__system", stream: "__tick", task: -1, values: &[Value::Int(5)] };
    assert_eq!(
        said(tick),
        "{\"id\":\"1\",\"comp\":\"__system\",\"stream\":\"__tick\",\"task\":-1,\"tuple\":[5]}\nend\n"
    );
    assert_eq!(
        said(ToChild::Heartbeat { id: "2" }),
        "{\"id\":\"2\",\"comp\":null,\"stream\":\"__heartbeat\",\"task\":-1,\"tuple\":[]}\nend\n"
    );
}

#[test]
fn task_ids_are_a_frame_of_their_own() {
    assert_eq!(said(ToChild::TaskIds(&[12, 22])), "[12,22]\nend\n");
    assert_eq!(said(ToChild::TaskIds(&[])), "[]\nend\n");
}

#[test]
fn pid() {
    assert_eq!(parse(r#"{"pid": 1234}"#), FromChild::Pid { pid: 1234, dialect: None });
    assert_eq!(parse(r#"{"pid": 1234, "dialect": null}"#), FromChild::Pid { pid: 1234, dialect: None });
    let arrow = FromChild::Pid { pid: 1234, dialect: Some("arrow-1".into()) };
    assert_eq!(parse(r#"{"pid": 1234, "dialect": "arrow-1"}"#), arrow);
    assert!(refusal(r#"{"pid": 1, "dialect": ["arrow-1"]}"#).contains("a dialect that is not a text"));
    assert!(refusal(r#"{"pid": -1}"#).contains("neither a command nor a pid"));
    assert!(refusal("{}").contains("neither a command nor a pid"));
}

#[test]
fn emits_of_spouts() {
    assert_eq!(emit(r#"{"command":"emit","tuple":["a"]}"#), plain(vec!["a".into()]));
    let full =
        r#"{"command": "emit", "id": "1", "stream": "s", "task": null, "tuple": [1, [2]], "need_task_ids": false}"#;
    let expected = Emit {
        id: Some("1".into()),
        stream: "s".into(),
        need_task_ids: false,
        ..plain(vec![Value::Int(1), vec![Value::Int(2)].into()])
    };
    assert_eq!(emit(full), expected);
    assert_eq!(emit(r#"{"command":"emit","id":null,"tuple":[]}"#).id, None);
}

#[test]
fn emits_of_bolts() {
    let two = emit(r#"{"command":"emit","anchors":["1","2"],"tuple":[]}"#);
    assert_eq!(two.anchors, ["1", "2"]);
    let single = emit(r#"{"command":"emit","anchors":"1","tuple":[]}"#);
    assert_eq!(single.anchors, ["1"]);
    assert!(emit(r#"{"command":"emit","anchors":null,"tuple":[]}"#).anchors.is_empty());
    assert!(refusal(r#"{"command":"emit","anchors":[null],"tuple":[]}"#).contains("anchors"));
}

#[test]
fn a_direct_emit_has_no_reply() {
    let direct = emit(r#"{"command":"emit","task":9,"tuple":[],"need_task_ids":true}"#);
    assert_eq!((direct.task, direct.need_task_ids), (Some(9), false));
    let not_direct = emit(r#"{"command":"emit","task":0,"tuple":[]}"#);
    assert_eq!((not_direct.task, not_direct.need_task_ids), (None, true));
    assert!(refusal(r#"{"command":"emit","task":"9","tuple":[]}"#).contains("task"));
}

#[test]
fn an_emit_without_a_list_of_values_is_refused() {
    assert!(refusal(r#"{"command":"emit"}"#).contains("without a tuple"));
    assert!(refusal(r#"{"command":"emit","tuple":null}"#).contains("without a tuple"));
    assert!(refusal(r#"{"command":"emit","tuple":"a"}"#).contains("not a message"));
}

#[test]
fn acks_and_fails_of_bolts() {
    assert_eq!(parse(r#"{"command":"ack","id":"-695"}"#), FromChild::Ack("-695".into()));
    assert_eq!(parse(r#"{"command":"fail","id":695}"#), FromChild::Fail("695".into()));
    assert!(refusal(r#"{"command":"ack"}"#).contains("without the id"));
}

#[test]
fn log_lines() {
    let log = |message: &str, level| FromChild::Log { message: message.into(), level };
    assert_eq!(parse(r#"{"command":"log","msg":"m"}"#), log("m", Level::Info));
    let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Info];
    for (number, level) in levels.into_iter().enumerate() {
        assert_eq!(parse(&format!(r#"{{"command":"log","msg":"m","level":{number}}}"#)), log("m", level));
    }
    assert_eq!(parse(r#"{"command":"log","msg":{"a":1},"level":"x"}"#), log(r#"{"a": 1}"#, Level::Info));
    assert_eq!(parse(r#"{"command":"log"}"#), log("", Level::Info));
}

#[test]
fn errors_metrics_and_syncs() {
    assert_eq!(parse(r#"{"command":"error","msg":"boom\nline 2"}"#), FromChild::Error("boom\nline 2".into()));
    let metrics = FromChild::Metrics { name: "n".into(), params: Value::Float(1.5) };
    assert_eq!(parse(r#"{"command":"metrics","name":"n","params":1.5}"#), metrics);
    assert!(refusal(r#"{"command":"metrics","params":1}"#).contains("without a name"));
    assert_eq!(parse(r#"{"command":"sync"}"#), FromChild::Sync);
    assert_eq!(parse("{\n  \"command\":\n\"sync\"\n}"), FromChild::Sync);
}

#[test]
fn unknown_commands_and_keys() {
    assert_eq!(parse(r#"{"command":"dance","x":[{}]}"#), FromChild::Unknown("dance".into()));
    assert_eq!(parse(r#"{"x":{"y":[1]},"command":"sync"}"#), FromChild::Sync);
    assert!(refusal(r#"{"command":1}"#).contains("not a text"));
}

#[test]
fn what_is_no_message_is_refused_with_its_beginning() {
    let printed = refusal("hello from print\n{\"command\":\"sync\"}");
    assert!(printed.contains("hello from print") && printed.contains("standard output"), "{printed}");
    assert!(refusal("[1,2]").contains("not a message"));
    assert!(refusal("null").contains("not a message"));
    assert!(refusal(r#"{"command":"emit","tuple":[NaN]}"#).contains("NaN"));
    assert!(refusal(&"x".repeat(1_000)).len() < 400);
}
