//! The simple protocol.

use std::sync::atomic::Ordering;

use monsoon::postgres::Limits;

use super::raw::{Reply, Server, frame, kinds, query, startup};

#[tokio::test]
async fn a_login_is_answered_in_order() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.socket().await;
    client.send(&startup(3 << 16, &[("user", "ann"), ("database", "db"), ("application_name", "x")])).await;
    let replies = client.until_ready().await;
    assert_eq!(kinds(&replies), "RSSKZ");
    assert_eq!(replies[0].body, [0, 0, 0, 0]);
    assert_eq!(replies[1].body, b"server_version\x0016.6\0");
    let replies = client.query("who").await;
    assert_eq!(replies[0].field('M').as_deref(), Some("ann@db [(\"application_name\", \"x\")]"));
}

#[tokio::test]
async fn a_newer_protocol_is_negotiated_down() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.socket().await;
    client.send(&startup((3 << 16) + 2, &[("user", "ann"), ("_pq_.thing", "1")])).await;
    let replies = client.until_ready().await;
    assert_eq!(kinds(&replies), "vRSSKZ");
    assert_eq!(replies[0].body, b"\0\x03\0\0\0\0\0\x01_pq_.thing\0");
    assert_eq!(replies[4].body.len(), 8);
}

#[tokio::test]
async fn rows_come_with_their_description_and_count() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let replies = client.query("rows 250").await;
    assert_eq!(replies[0].kind, 'T');
    assert_eq!(replies[1].values(), [Some("0".into()), Some("n".into())]);
    assert_eq!(replies.iter().filter(|reply| reply.kind == 'D').count(), 250);
    assert_eq!(replies[251..], [Reply::complete("SELECT 250"), Reply::ready('I')]);
}

#[tokio::test]
async fn an_error_stops_the_statements_after_it() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let replies = client.query("begin; fail; commit").await;
    assert_eq!(kinds(&replies), "CEZ");
    assert_eq!(replies[1].field('C').as_deref(), Some("22012"));
    assert_eq!(replies[1].field('H').as_deref(), Some("don't"));
    assert_eq!(replies[2], Reply::ready('E'));
    assert_eq!(client.query("commit").await, [Reply::complete("COMMIT"), Reply::ready('I')]);
}

#[tokio::test]
async fn an_error_among_rows_follows_the_rows() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    assert_eq!(kinds(&client.query("late-error").await), "TDDEZ");
    let replies = client.query("unplannable").await;
    assert_eq!(replies[0].field('P').as_deref(), Some("8"));
    let replies = client.query("echo").await;
    assert_eq!(replies[0].field('C').as_deref(), Some("42P02"));
    assert_eq!(replies[0].field('P').as_deref(), Some("6"));
}

#[tokio::test]
async fn empty_queries_notices_and_changed_parameters() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    assert_eq!(kinds(&client.query("").await), "IZ");
    assert_eq!(kinds(&client.query("; ;").await), "IZ");
    let replies = client.query("warn; set a b").await;
    assert_eq!(kinds(&replies), "NCCSZ");
    assert_eq!(replies[0].field('S').as_deref(), Some("WARNING"));
    assert_eq!(replies[3].body, b"a\0b\0");
}

#[tokio::test]
async fn copy_out_sends_lines() {
    let server = Server::start(Limits::default()).await;
    let replies = server.client().await.query("copy-out").await;
    assert_eq!(kinds(&replies), "HdddcCZ");
    assert_eq!(replies[0].body, [0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(replies[2].body, b"1\tx\n");
    assert_eq!(replies[5], Reply::complete("COPY 3"));
}

#[tokio::test]
async fn copy_in_takes_lines_and_can_fail_from_either_side() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(&query("copy-in")).await;
    client.until('G').await;
    client.send(&[frame('d', b"1\ta\n2\tb\n"), frame('d', b"3\tc\n"), frame('c', b"")].concat()).await;
    assert_eq!(client.until_ready().await, [Reply::complete("COPY 3"), Reply::ready('I')]);

    client.send(&query("copy-in")).await;
    client.until('G').await;
    client.send(&[frame('d', b"1\ta\n"), frame('f', b"changed my mind\0")].concat()).await;
    let replies = client.until_ready().await;
    assert_eq!(replies[0].field('M').as_deref(), Some("COPY from stdin failed: changed my mind"));

    client.send(&query("copy-in")).await;
    client.until('G').await;
    client.send(&[frame('d', b"bad\n"), frame('d', b"1\ta\n"), frame('c', b"")].concat()).await;
    assert_eq!(client.until_ready().await[0].field('C').as_deref(), Some("22P04"));
    assert_eq!(client.query("rows 1").await.len(), 4, "what was left of the copy is skipped");
    assert_eq!(server.database.copied.load(Ordering::SeqCst), 3);
}
