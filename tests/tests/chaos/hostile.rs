//! Hostile clients against the real server: another session keeps answering, and memory stays bounded.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::Client;

use super::process::{PATIENCE, Server, within};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const IDLE: usize = 1_000;
/// An idle session may cost this much.
const SESSION_KB_MAX: u64 = 100;
/// Clients that are refused cost nothing that stays; this is for the allocator.
const REFUSED_KB_MAX: u64 = 32_000;
/// Times each attack is made.
const ATTACKS: usize = 50;

fn startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0ann\0database\0monsoon\0\0";
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

fn query(text: &str) -> Vec<u8> {
    [&b"Q"[..], &(text.len() as u32 + 5).to_be_bytes(), text.as_bytes(), b"\0"].concat()
}

/// Sends these bytes and reads until the server closes. The server must close: the client doesn't.
async fn attack(server: &Server, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut socket = TcpStream::connect(server.address()).await?;
    let mut answer = Vec::new();
    let exchange = async {
        // The server may close before it has taken everything.
        let _ = socket.write_all(bytes).await;
        let _ = socket.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(PATIENCE, exchange).await.context("the server keeps a hostile connection open")?;
    Ok(answer)
}

async fn answers(client: &Client) -> Result<()> {
    let row = within(client.query_one("SELECT count(*) FROM t", &[])).await?;
    ensure!(row.get::<_, i64>(0) == 2, "another answer");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_do_not_notice_hostile_clients() {
    let directory = tempfile::tempdir().expect("a directory");
    assault(directory.path()).await.unwrap_or_else(|error| panic!("{error:?}"));
}

async fn assault(directory: &std::path::Path) -> Result<()> {
    let server = Server::start(&directory.join("data"), &directory.join("log")).await?;
    let client = server.client().await?;
    within(client.batch_execute("CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t VALUES (1), (2)")).await?;
    answers(&client).await?;
    let before_kb = server.resident_kb()?;
    let gigabyte = [startup(), vec![b'Q', 0x40, 0, 0, 0], vec![b' '; 1 << 20]].concat();
    let glued = [&SSL_REQUEST[..], &startup(), &query("DROP TABLE t")].concat();
    for number in 0..ATTACKS {
        attack(&server, &[0x43, 0, 0, 0, 1]).await?;
        attack(&server, &[0x40, 0, 0, 0, 0, 3, 0, 0]).await?;
        attack(&server, &gigabyte).await?;
        attack(&server, &glued).await?;
        answers(&client).await.with_context(|| format!("after attack {number}"))?;
    }
    let refused_kb = server.resident_kb()?.saturating_sub(before_kb);
    ensure!(refused_kb < REFUSED_KB_MAX, "refused clients cost {refused_kb} kB");
    idle(&server, &client, refused_kb).await?;
    server.stop()
}

/// A thousand sessions that do nothing, and as many sockets that never say who they are.
async fn idle(server: &Server, client: &Client, refused_kb: u64) -> Result<()> {
    let before_kb = server.resident_kb()?;
    let mut sessions = Vec::new();
    for number in 0..IDLE {
        sessions.push(server.client().await.with_context(|| format!("session {number}"))?);
    }
    answers(client).await?;
    let idle_kb = server.resident_kb()?.saturating_sub(before_kb);
    ensure!(idle_kb < IDLE as u64 * SESSION_KB_MAX, "{IDLE} idle sessions cost {idle_kb} kB");
    ensure!(sessions.iter().all(|session| !session.is_closed()), "an idle session was closed");
    answers(&sessions[IDLE / 2]).await?;
    drop(sessions);
    let mut silent = Vec::new();
    for _ in 0..IDLE {
        silent.push(tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(server.address())).await??);
    }
    answers(client).await?;
    println!("{} attacks cost {refused_kb} kB, {IDLE} idle sessions {idle_kb} kB", 4 * ATTACKS);
    Ok(())
}
