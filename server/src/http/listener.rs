//! Accepts clients, each in its own task, until told to stop. A panic in a connection ends nothing else.

use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use monsoon_sql::database::Database;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::patient_stream::PatientStream;
use super::{Limits, Shared, routes};
use crate::accept::accept;

/// Said without waiting for anything.
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 73\r\n\
    connection: close\r\n\r\n{\"error\": \"Service Unavailable\", \"errorMessage\": \"too many connections\"}\n";

/// Serves clients until `shutdown` is true; returns when the last connection has ended.
pub async fn run(listener: TcpListener, database: Arc<Database>, limits: Limits, mut shutdown: watch::Receiver<bool>) {
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let grace = limits.stop_grace;
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let router = routes(Arc::new(Shared { database, limits: limits.clone(), loopback }));
    let mut tasks = JoinSet::new();
    let stop = shutdown.clone();
    let accepting = async {
        loop {
            tokio::select! {
                (stream, _) = accept(&listener) => match places.clone().try_acquire_owned() {
                    Ok(place) => {
                        tasks.spawn(serve(stream, router.clone(), limits.clone(), stop.clone(), place));
                    }
                    Err(_) => drop(stream.try_write(TOO_MANY)),
                },
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "a connection's task failed");
                    }
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = shutdown.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    let all = async { while tasks.join_next().await.is_some() {} };
    // A DRPC request may wait for minutes: nobody is left to answer it.
    if tokio::time::timeout(grace, all).await.is_err() {
        tasks.shutdown().await;
    }
}

/// Serves one connection: the request under way is finished when the server stops.
async fn serve(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let stream = TokioIo::new(PatientStream::new(stream, limits.write_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read_timeout)
        .max_buf_size(limits.head_bytes_max)
        .max_header_size(limits.head_bytes_max)
        .serve_connection(stream, TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = async { drop(stop.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
