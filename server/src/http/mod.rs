//! The HTTP door: health, DRPC, and what can be done to topologies, at the paths that Storm's DRPC server and UI have.
//!
//! Invariants: everything a client sends is bounded ([`Limits`]); a page of another site can ask for nothing (`same_site`); a request whose client has
//! gone is given up. Knows of the database only that it runs SQL and answers DRPC.
//!
//! Order of reading: [`run`] accepts; [`routes`] says who answers; `drpc` and `topology` answer; `failure` is how a refusal looks.

mod body;
mod drpc;
mod failure;
mod health;
mod listener;
mod patient_stream;
mod same_site;
mod statement;
mod topology;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use monsoon_sql::database::Database;

use failure::Failure;
pub use listener::run;

/// Every bound of the HTTP door.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; one more is refused with status 503.
    pub connections_max: usize,
    /// Length of a request's line and headers together (431), and so of a DRPC argument in a path.
    pub head_bytes_max: usize,
    /// Length of a request's body (413).
    pub body_bytes_max: usize,
    /// How long the head of a request may take to come, from the connection or the last answer on; and then its body (408).
    pub read_timeout: Duration,
    /// How long a client may not read what is sent to it.
    pub write_timeout: Duration,
    /// How long requests may go on when the server stops.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 256,
            head_bytes_max: 64 << 10,
            body_bytes_max: 1 << 20,
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            stop_grace: Duration::from_secs(5),
        }
    }
}

/// What all requests share.
struct Shared {
    database: Arc<Database>,
    limits: Limits,
    /// Only programs of this machine can reach the door.
    loopback: bool,
}

type Routes = MethodRouter<Arc<Shared>>;

/// Every path there is.
fn routes(shared: Arc<Shared>) -> Router {
    let one = |operation: topology::Operation| -> Routes { post(move |shared, path| operation.run(shared, path)) };
    let body_limit = DefaultBodyLimit::max(shared.limits.body_bytes_max);
    Router::new()
        .route("/health", get(health::health))
        .route("/drpc/{function}", get(drpc::without_args).post(drpc::with_body))
        .route("/drpc/{function}/{args}", get(drpc::with_args))
        .route("/api/v1/topology/summary", get(topology::summary))
        .route("/api/v1/topology/{name}", get(topology::page))
        .route("/api/v1/topology/{name}/activate", one(topology::Operation::Activate))
        .route("/api/v1/topology/{name}/deactivate", one(topology::Operation::Deactivate))
        .route("/api/v1/topology/{name}/kill/{wait}", post(topology::kill))
        .route("/api/v1/topology/{name}/rebalance/{wait}", post(topology::rebalance))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(body_limit)
        .layer(middleware::from_fn_with_state(shared.clone(), same_site::check))
        .with_state(shared)
}

async fn nothing_here(uri: Uri) -> Failure {
    Failure::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

async fn not_so(method: Method, uri: Uri) -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} doesn't take {method}", uri.path()))
}
