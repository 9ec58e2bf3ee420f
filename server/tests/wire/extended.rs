//! The extended protocol.

use monsoon::postgres::Limits;

use super::raw::{Reply, Server, frame, kinds};

fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame('P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

fn bind(portal: &str, statement: &str, values: &[Option<&[u8]>], formats: &[i16], result_formats: &[i16]) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    let codes = |body: &mut Vec<u8>, codes: &[i16]| {
        body.extend_from_slice(&(codes.len() as i16).to_be_bytes());
        codes.iter().for_each(|code| body.extend_from_slice(&code.to_be_bytes()));
    };
    codes(&mut body, formats);
    body.extend_from_slice(&(values.len() as i16).to_be_bytes());
    for value in values {
        let length = value.map_or(-1, |value| value.len() as i32);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(value.unwrap_or_default());
    }
    codes(&mut body, result_formats);
    frame('B', &body)
}

fn execute(portal: &str, rows_max: i32) -> Vec<u8> {
    frame('E', &[format!("{portal}\0").as_bytes(), &rows_max.to_be_bytes()].concat())
}

fn describe(kind: char, name: &str) -> Vec<u8> {
    frame('D', format!("{kind}{name}\0").as_bytes())
}

fn close(kind: char, name: &str) -> Vec<u8> {
    frame('C', format!("{kind}{name}\0").as_bytes())
}

fn sync() -> Vec<u8> {
    frame('S', b"")
}

#[tokio::test]
async fn parameters_go_in_and_rows_come_out_in_both_formats() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let seven = 7i64.to_be_bytes();
    let messages = [
        parse("s", "echo"),
        describe('S', "s"),
        bind("", "s", &[Some(b"42"), None], &[], &[]),
        describe('P', ""),
        execute("", 0),
        bind("", "s", &[Some(&seven), Some(b"x")], &[1, 0], &[1]),
        execute("", 0),
        sync(),
    ];
    client.send(&messages.concat()).await;
    let replies = client.until_ready().await;
    assert_eq!(kinds(&replies), "1tT2TDC2DCZ");
    assert_eq!(replies[1].body, [0, 2, 0, 0, 0, 20, 0, 0, 0, 25]);
    assert_eq!(replies[5].values(), [Some("42".into()), None]);
    assert_eq!(replies[8].fields(), [Some(seven.to_vec()), Some(b"x".to_vec())]);
    assert_eq!(replies[9], Reply::complete("SELECT 1"));
}

#[tokio::test]
async fn a_row_limit_suspends_the_portal() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.query("begin").await;
    client.send(&[parse("", "rows 150"), bind("p", "", &[], &[], &[]), execute("p", 120), sync()].concat()).await;
    let replies = client.until_ready().await;
    assert_eq!(kinds(&replies).matches('D').count(), 120);
    assert_eq!(replies[122].kind, 's');
    assert_eq!(replies[123], Reply::ready('T'));
    client.send(&[execute("p", 100), execute("p", 5), sync()].concat()).await;
    let replies = client.until_ready().await;
    assert_eq!(kinds(&replies).matches('D').count(), 30);
    assert_eq!(replies[0].values()[0].as_deref(), Some("120"));
    assert_eq!(replies[30..], [Reply::complete("SELECT 30"), Reply::complete("SELECT 0"), Reply::ready('T')]);
    client.query("commit").await;
    client.send(&[execute("p", 0), sync()].concat()).await;
    assert_eq!(client.until_ready().await[0].field('C').as_deref(), Some("34000"), "portals end with the transaction");
}

#[tokio::test]
async fn after_an_error_everything_up_to_sync_is_skipped() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let messages = [
        parse("", "unplannable"),
        bind("", "", &[], &[], &[]),
        execute("", 0),
        frame('Q', b"rows 1\0"),
        sync(),
        parse("", "rows 1"),
        sync(),
    ];
    client.send(&messages.concat()).await;
    assert_eq!(kinds(&client.until_ready().await), "EZ");
    assert_eq!(kinds(&client.until_ready().await), "1Z");
}

#[tokio::test]
async fn misuse_has_postgres_error_codes() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let cases: [(Vec<Vec<u8>>, &str); 9] = [
        (vec![parse("a", "rows 1"), parse("a", "rows 1")], "42P05"),
        (vec![bind("", "nothing", &[], &[], &[])], "26000"),
        (vec![describe('S', "nothing")], "26000"),
        (vec![describe('P', "nothing")], "34000"),
        (vec![execute("nothing", 0)], "34000"),
        (vec![parse("", "rows 1; rows 2")], "42601"),
        (vec![parse("", "echo"), bind("", "", &[None], &[], &[])], "08P01"),
        (vec![parse("", "rows 1"), bind("", "", &[], &[], &[0, 1, 0])], "08P01"),
        (vec![parse("", "begin"), bind("b", "", &[], &[], &[]), execute("b", 0), execute("b", 0)], "55000"),
    ];
    for (messages, sqlstate) in cases {
        client.send(&[messages.concat(), sync()].concat()).await;
        let replies = client.until_ready().await;
        let error = replies.iter().find(|reply| reply.kind == 'E').expect("an error");
        assert_eq!(error.field('C').as_deref(), Some(sqlstate), "{error:?}");
        client.query("commit").await;
    }
    let bad_number = [parse("", "echo"), bind("", "", &[Some(b"4x"), None], &[], &[]), sync()];
    client.send(&bad_number.concat()).await;
    assert_eq!(client.until_ready().await[1].field('C').as_deref(), Some("22P02"));
}

#[tokio::test]
async fn flush_answers_without_sync_and_close_closes() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(&[parse("s", "rows 1"), describe('S', "s"), frame('H', b"")].concat()).await;
    assert_eq!(kinds(&client.until('T').await), "1tT");
    let messages = [bind("p", "s", &[], &[], &[]), close('S', "s"), close('S', "s"), execute("p", 0), sync()];
    client.send(&messages.concat()).await;
    let replies = client.until_ready().await;
    assert_eq!(kinds(&replies), "233EZ", "a statement's portals end with it");
    client
        .send(&[parse("", ""), bind("", "", &[], &[], &[]), describe('P', ""), execute("", 0), sync()].concat())
        .await;
    assert_eq!(kinds(&client.until_ready().await), "12nIZ");
}
