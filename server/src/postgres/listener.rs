//! Accepts clients, each in its own task, until told to stop. An error of accept, or a panic in a connection, ends nothing
//! else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use monsoon_sql::SqlError;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Limits;
use super::backend::{Backend, SessionLike};
use super::budget::Budget;
use super::cancel::CancelRegistry;
use super::connection::Connection;
use super::failure::{Failure, Flow};
use super::frame::FrameReader;
use super::guard::Stop;
use super::reply::{self, Severity};
use super::startup::{self, PROTOCOL_3_0, Startup};
use super::writer::Writer;
use crate::accept::accept;

/// Sockets beyond the logged-in ones: logins, cancel requests, refusals.
const SOCKETS_EXTRA: usize = 100;

/// What all connections share.
struct Shared<B> {
    backend: Arc<B>,
    limits: Arc<Limits>,
    budget: Budget,
    registry: Arc<CancelRegistry>,
    sessions: Arc<Semaphore>,
    stop: Stop,
}

/// Serves clients until `shutdown` is true; returns when the last connection has ended.
pub async fn run<B: Backend>(
    listener: TcpListener,
    backend: Arc<B>,
    limits: Limits,
    mut shutdown: watch::Receiver<bool>,
) {
    let (stop_sender, stop) = watch::channel(None);
    let grace = limits.stop_grace;
    let sockets = Arc::new(Semaphore::new(limits.connections_max + SOCKETS_EXTRA));
    let shared = Arc::new(Shared {
        backend,
        budget: Budget::new(limits.buffered_bytes_max),
        registry: Arc::default(),
        sessions: Arc::new(Semaphore::new(limits.connections_max)),
        limits: Arc::new(limits),
        stop,
    });
    let mut tasks = JoinSet::new();
    tokio::select! {
        () = accept_forever(&listener, &shared, &sockets, &mut tasks) => {}
        _ = shutdown.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    stop_sender.send_replace(Some(Instant::now() + grace));
    let all = async { while tasks.join_next().await.is_some() {} };
    // Cut statements still have to tell their clients, who may not read.
    if tokio::time::timeout(grace + Duration::from_secs(5), all).await.is_err() {
        tracing::warn!(connections = tasks.len(), "connections did not end in time and are dropped");
        tasks.shutdown().await;
    }
}

async fn accept_forever<B: Backend>(
    listener: &TcpListener,
    shared: &Arc<Shared<B>>,
    sockets: &Arc<Semaphore>,
    tasks: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            (stream, peer) = accept(listener) => match sockets.clone().try_acquire_owned() {
                Ok(permit) => {
                    tasks.spawn(serve(shared.clone(), stream, peer, permit));
                }
                Err(_) => refuse(&stream),
            },
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
        }
    }
}

fn too_many() -> SqlError {
    SqlError::new("53300", "too many connections")
        .with_hint("raise the setting max-connections, or use a connection pool")
}

/// Says no without waiting for anything.
fn refuse(stream: &TcpStream) {
    let mut out = BytesMut::new();
    reply::error(&mut out, Severity::Fatal, &too_many());
    let _ = stream.try_write(&out);
}

async fn serve<B: Backend>(
    shared: Arc<Shared<B>>,
    mut stream: TcpStream,
    peer: SocketAddr,
    _socket: OwnedSemaphorePermit,
) {
    // One deadline from here to ReadyForQuery, whatever the client asks for in between.
    let deadline = Instant::now() + shared.limits.login_timeout;
    let opened = tokio::time::timeout_at(deadline, open(&shared, &mut stream)).await;
    let refusal = match opened {
        Ok(Ok(Some((startup, slot)))) => {
            let login = tokio::time::timeout_at(deadline, log_in(&shared, stream, peer, startup)).await;
            if let Ok(Ok(connection)) = login {
                connection.serve().await;
            }
            drop(slot);
            return;
        }
        Ok(Ok(None)) => return,
        Ok(Err(Failure::Gone)) => return,
        Ok(Err(Failure::Fatal(error) | Failure::Statement(error))) => error,
        Err(_) => login_timeout(&shared.limits),
    };
    tracing::debug!(%peer, sqlstate = refusal.sqlstate, error = %refusal.message, "refused a client");
    let mut out = BytesMut::new();
    reply::error(&mut out, Severity::Fatal, &refusal);
    let goodbye = async {
        stream.write_all(&out).await?;
        stream.shutdown().await?;
        // Unread bytes would turn the close into a reset, which may overtake the message; but don't read for ever.
        let mut rest = [0; 1024];
        for _ in 0..16 {
            stream.readable().await?;
            if !matches!(stream.try_read(&mut rest), Ok(1..)) {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let _ = tokio::time::timeout(Duration::from_millis(500), goodbye).await;
}

fn login_timeout(limits: &Limits) -> SqlError {
    SqlError::new("57014", format!("login took longer than {} s", limits.login_timeout.as_secs()))
}

/// Reads the startup packet and takes a place among the connections.
async fn open<B: Backend>(shared: &Shared<B>, stream: &mut TcpStream) -> Flow<Option<(Startup, OwnedSemaphorePermit)>> {
    let Some(startup) = startup::open(stream, &shared.registry).await? else { return Ok(None) };
    match shared.sessions.clone().try_acquire_owned() {
        Ok(slot) => Ok(Some((startup, slot))),
        Err(_) => Err(Failure::Fatal(too_many())),
    }
}

/// There is no password yet: whoever reaches the socket is let in. That is why it listens on loopback only, unless told otherwise.
async fn log_in<B: Backend>(
    shared: &Shared<B>,
    stream: TcpStream,
    peer: SocketAddr,
    startup: Startup,
) -> Flow<Connection<B>> {
    // Quoted and cut: a client chooses its name.
    let user: String = startup.login.user.chars().take(64).collect();
    tracing::debug!(?user, %peer, "login");
    let (read_half, write_half) = stream.into_split();
    let cancel = shared.registry.enter();
    let session = shared.backend.session(startup.login);
    let mut writer = Writer::new(write_half, shared.limits.write_timeout);
    let out = writer.buffer();
    if startup.must_negotiate {
        reply::negotiate_protocol_version(out, PROTOCOL_3_0, &startup.unknown_options);
    }
    reply::authentication_ok(out);
    for (name, value) in session.parameters() {
        reply::parameter_status(out, &name, &value);
    }
    reply::backend_key_data(out, cancel.pid, &cancel.secret);
    let mut connection = Connection {
        session,
        frames: FrameReader::new(read_half, shared.limits.message_bytes_max, &shared.budget),
        writer,
        cancel,
        stop: shared.stop.clone(),
        limits: shared.limits.clone(),
        statements: Default::default(),
        portals: Default::default(),
        skip_until_sync: false,
    };
    connection.send_notices();
    connection.ready().await?;
    Ok(connection)
}
