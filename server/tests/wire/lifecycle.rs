//! What ends a statement, a connection, the server.

use std::time::Duration;

use monsoon::postgres::Limits;
use tokio::io::AsyncWriteExt;

use super::raw::{Client, Reply, Server, eventually, kinds, query, reaches, startup, within};

/// A client, and the key to cancel its statements.
async fn client_with_key(server: &Server) -> (Client, Vec<u8>) {
    let mut client = server.socket().await;
    client.send(&startup(3 << 16, &[("user", "ann")])).await;
    let replies = client.until_ready().await;
    let key = replies.iter().find(|reply| reply.kind == 'K').expect("a key").body.clone();
    (client, key)
}

async fn cancel(server: &Server, key: &[u8]) {
    let mut client = server.socket().await;
    client.send(&[&16i32.to_be_bytes()[..], &80_877_102i32.to_be_bytes(), key].concat()).await;
    client.assert_closed().await;
}

#[tokio::test]
async fn cancel_stops_the_running_statement_and_only_that() {
    let server = Server::start(Limits::default()).await;
    let (mut client, key) = client_with_key(&server).await;
    let (mut other, _) = client_with_key(&server).await;
    for sql in ["hang", "hang-rows", "endless", "wide"] {
        let running = server.running();
        client.send(&query(sql)).await;
        eventually("the statement runs", || server.running() > running).await;
        let mut wrong = key.clone();
        wrong[7] ^= 1;
        cancel(&server, &wrong).await;
        cancel(&server, &key).await;
        let replies = client.until_ready().await;
        let error = &replies[replies.len() - 2];
        assert_eq!(error.field('C').as_deref(), Some("57014"), "{sql}");
        assert_eq!(error.field('M').as_deref(), Some("canceling statement due to user request"));
        reaches(&server.database.running, 0).await;
    }
    cancel(&server, &key).await;
    assert_eq!(kinds(&client.query("rows 1").await), "TDCZ", "nothing was running");
    assert_eq!(kinds(&other.query("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn a_wrong_key_cancels_nothing() {
    let server = Server::start(Limits::default()).await;
    let (mut client, key) = client_with_key(&server).await;
    client.send(&query("hang")).await;
    reaches(&server.database.running, 1).await;
    for place in 0..8 {
        let mut wrong = key.clone();
        wrong[place] ^= 0x10;
        cancel(&server, &wrong).await;
    }
    assert_eq!(server.running(), 1);
    cancel(&server, &key).await;
    assert_eq!(kinds(&client.until_ready().await), "EZ");
}

#[tokio::test]
async fn a_statement_ends_at_its_timeout() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.query("timeout 30").await;
    for sql in ["hang", "hang-rows", "endless"] {
        let replies = client.query(sql).await;
        let error = &replies[replies.len() - 2];
        assert_eq!(error.field('M').as_deref(), Some("canceling statement due to statement timeout"), "{sql}");
    }
    assert_eq!(kinds(&client.query("rows 1").await), "TDCZ");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_statement_with_it() {
    let server = Server::start(Limits::default()).await;
    for sql in ["hang", "hang-rows", "endless", "wide", "copy-in"] {
        let mut client = server.client().await;
        let begun = server.database.begun.load(std::sync::atomic::Ordering::SeqCst);
        client.send(&query(sql)).await;
        reaches(&server.database.begun, begun + 1).await;
        drop(client);
        reaches(&server.database.running, 0).await;
        reaches(&server.database.sessions, 0).await;
    }
}

#[tokio::test]
async fn live_rows_arrive_one_by_one() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(&query("endless")).await;
    assert_eq!(client.next().await.expect("a description").kind, 'T');
    for row in 0..5 {
        let reply = client.next().await.expect("a row");
        assert_eq!(reply.values()[0].as_deref(), Some(row.to_string().as_str()));
    }
}

#[tokio::test]
async fn a_large_result_goes_through_a_slow_reader_whole() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(&query("rows 20000")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let replies = client.until_ready().await;
    assert_eq!(replies[20_001], Reply::complete("SELECT 20000"));
}

#[tokio::test]
async fn many_statements_in_flight_are_answered_in_order() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    let all: Vec<u8> = (0..500).flat_map(|count| query(&format!("rows {}", count % 3))).collect();
    client.send(&all).await;
    for count in 0..500 {
        assert_eq!(client.until_ready().await.len(), count % 3 + 3);
    }
}

#[tokio::test]
async fn terminate_closes_quietly() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(b"X\0\0\0\x04").await;
    assert_eq!(client.next().await, None);
    reaches(&server.database.sessions, 0).await;
}

#[tokio::test]
async fn idle_clients_are_closed_where_a_limit_is_set() {
    let limits = Limits {
        idle_timeout: Some(Duration::from_millis(500)),
        idle_in_transaction_timeout: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut idle = server.client().await;
    let mut open = server.client().await;
    open.query("begin").await;
    open.assert_fatal("25P03").await;
    idle.assert_fatal("57P05").await;
}

#[tokio::test]
async fn a_stopping_server_tells_its_clients_and_ends() {
    let server = Server::start(Limits { stop_grace: Duration::from_millis(200), ..Limits::default() }).await;
    let (mut idle, mut live, mut hanging) = (server.client().await, server.client().await, server.client().await);
    live.send(&query("endless")).await;
    hanging.send(&query("hang")).await;
    reaches(&server.database.running, 2).await;
    let mut leaving = server.client().await;
    leaving.stream.shutdown().await.expect("closes");
    server.shutdown.send_replace(true);
    idle.assert_fatal("57P01").await;
    live.assert_fatal("57P01").await;
    hanging.assert_fatal("57P01").await;
    within("the server ends", server.task).await.expect("no panic");
    assert_eq!(server.database.sessions.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err(), "the port is closed");
}
