//! Clients that mean harm, or are broken: each loses its own connection and nothing else happens.

use std::time::Duration;

use monsoon::postgres::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::raw::{Server, frame, kinds, query, reaches, startup};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

fn quick() -> Limits {
    Limits { login_timeout: Duration::from_millis(300), ..Limits::default() }
}

fn login() -> Vec<u8> {
    startup(3 << 16, &[("user", "ann")])
}

#[tokio::test]
async fn five_bytes_are_an_error_before_and_after_login() {
    let server = Server::start(Limits::default()).await;
    let mut early = server.socket().await;
    early.send(&[0x43, 0, 0, 0, 1]).await;
    early.assert_fatal("08P01").await;
    let mut late = server.client().await;
    late.send(&[0x43, 0, 0, 0, 1]).await;
    late.assert_fatal("08P01").await;
    let mut empty_close = server.client().await;
    empty_close.send(&[0x43, 0, 0, 0, 4]).await;
    empty_close.assert_fatal("08P01").await;
    server.assert_alive().await;
}

#[tokio::test]
async fn a_gigabyte_is_refused_at_its_announcement() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(&[b'Q', 0x40, 0, 0, 0]).await;
    client.assert_fatal("08P01").await;
    let mut glued = server.socket().await;
    glued.send(&[login(), vec![b'Q', 0x40, 0, 0, 0], vec![b' '; 100_000]].concat()).await;
    glued.until_ready().await;
    glued.assert_closed().await;
    server.assert_alive().await;
}

#[tokio::test]
async fn startup_packets_of_impossible_length_are_refused() {
    let server = Server::start(Limits::default()).await;
    for length in [i32::MIN, -1, 0, 4, 7, 10_001, i32::MAX] {
        let mut client = server.socket().await;
        client.send(&length.to_be_bytes()).await;
        client.assert_fatal("08P01").await;
    }
    let mut client = server.socket().await;
    let long = "x".repeat(9_900);
    client.send(&startup(3 << 16, &[("user", "ann"), ("application_name", &long)])).await;
    assert_eq!(kinds(&client.until_ready().await), "RSSKZ", "10,000 bytes are allowed");
}

#[tokio::test]
async fn bytes_glued_to_an_encryption_request_end_the_connection() {
    let server = Server::start(Limits::default()).await;
    for request in [SSL_REQUEST, GSS_REQUEST] {
        let mut client = server.socket().await;
        client.send(&[request.to_vec(), login(), query("rows 1")].concat()).await;
        client.assert_fatal("08P01").await;
    }
    let mut honest = server.socket().await;
    for request in [GSS_REQUEST, SSL_REQUEST] {
        honest.send(&request).await;
        assert_eq!(honest.stream.read_u8().await.expect("an answer"), b'N');
    }
    honest.send(&login()).await;
    honest.until_ready().await;

    let mut twice = server.socket().await;
    twice.send(&SSL_REQUEST).await;
    twice.stream.read_u8().await.expect("an answer");
    twice.send(&SSL_REQUEST).await;
    twice.assert_fatal("08P01").await;
}

#[tokio::test]
async fn a_query_glued_to_the_startup_packet_is_only_early() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.socket().await;
    client.send(&[login(), query("rows 1")].concat()).await;
    client.until_ready().await;
    assert_eq!(kinds(&client.until_ready().await), "TDCZ");
}

#[tokio::test]
async fn other_protocols_are_told_off() {
    let server = Server::start(Limits::default()).await;
    let mut web = server.socket().await;
    web.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    web.assert_closed().await;
    let mut old = server.socket().await;
    old.send(&startup(2 << 16, &[("user", "ann")])).await;
    old.assert_fatal("0A000").await;
    let mut nameless = server.socket().await;
    nameless.send(&startup(3 << 16, &[("database", "db")])).await;
    nameless.assert_fatal("28000").await;
}

#[tokio::test]
async fn frames_that_stop_in_the_middle_leave_nothing_behind() {
    let server = Server::start(Limits::default()).await;
    for cut in 1..12 {
        let mut client = server.client().await;
        client.send(&query("rows 1")[..cut]).await;
        client.stream.shutdown().await.expect("closes");
        client.assert_closed().await;
    }
    reaches(&server.database.sessions, 0).await;
    server.assert_alive().await;
}

#[tokio::test]
async fn messages_unknown_or_out_of_place_end_the_connection() {
    let server = Server::start(Limits::default()).await;
    for bytes in
        [frame('p', b"secret\0"), frame('?', b""), frame('S', b"x"), frame('D', b"Xname\0"), frame('Q', b"a\0b\0")]
    {
        let mut client = server.client().await;
        client.send(&bytes).await;
        client.assert_fatal("08P01").await;
    }
    let mut copying = server.client().await;
    copying.send(&query("copy-in")).await;
    copying.until('G').await;
    copying.send(&query("rows 1")).await;
    copying.assert_fatal("08P01").await;
    let mut calling = server.client().await;
    calling.send(&frame('F', b"anything at all")).await;
    assert_eq!(kinds(&calling.until_ready().await), "EZ");
}

#[tokio::test]
async fn a_silent_client_is_dropped_at_every_phase_of_login() {
    let server = Server::start(quick()).await;
    for beginning in [&b""[..], &[0, 0], &SSL_REQUEST, &login()[..15]] {
        let mut client = server.socket().await;
        client.send(beginning).await;
        client.assert_closed().await;
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn asking_for_encryption_does_not_extend_the_deadline() {
    let server = Server::start(quick()).await;
    let mut client = server.socket().await;
    let begin = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.send(&SSL_REQUEST).await;
    client.assert_closed().await;
    assert!(begin.elapsed() < Duration::from_millis(2_000), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn unfinished_messages_share_one_budget() {
    let server = Server::start(Limits { buffered_bytes_max: 1 << 20, ..Limits::default() }).await;
    let mut first = server.client().await;
    let announced = [&[b'Q'][..], &(4i32 << 20).to_be_bytes(), &vec![b' '; 700_000]].concat();
    first.send(&announced).await;
    // The first holds 700,000 bytes; how soon the server has read them is not known, so the second sends past the budget alone.
    let mut second = server.client().await;
    second.try_send(&[&announced[..], &vec![b' '; 400_000]].concat()).await;
    second.assert_closed().await;
    drop(first);
    reaches(&server.database.sessions, 0).await;
    let mut third = server.client().await;
    let long = format!("rows 1;{}", " ".repeat(900_000));
    assert_eq!(kinds(&third.query(&long).await), "TDCZ");
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped() {
    let server = Server::start(Limits { write_timeout: Duration::from_millis(300), ..Limits::default() }).await;
    let mut client = server.client().await;
    client.send(&query("wide")).await;
    reaches(&server.database.begun, 1).await;
    reaches(&server.database.running, 0).await;
    reaches(&server.database.sessions, 0).await;
}

#[tokio::test]
async fn a_panic_ends_only_its_connection() {
    let server = Server::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send(&query("panic")).await;
    client.assert_fatal("XX000").await;
    server.assert_alive().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_come_in_when_there_is_room() {
    let server = Server::start(Limits { connections_max: 2, ..Limits::default() }).await;
    let (first, _second) = (server.client().await, server.client().await);
    let mut third = server.socket().await;
    third.send(&login()).await;
    third.assert_fatal("53300").await;
    drop(first);
    reaches(&server.database.sessions, 1).await;
    // The place is given back just after the session has ended.
    for _ in 0..100 {
        let mut again = server.socket().await;
        again.send(&login()).await;
        if again.next().await.is_some_and(|reply| reply.kind == 'R') {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the free place was not given away");
}
