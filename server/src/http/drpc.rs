//! `/drpc/...`: asks a function that a topology serves, at the paths of Storm's DRPC server. The answer is text.
//!
//! Statuses: 404 nobody serves the function, 429 too many requests wait for it, 502 the topology could not answer, 504 it took too long. A client that goes
//! away drops the handler's future, and with it the request.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};

use super::Shared;
use super::body::read_text;
use super::failure::Failure;

/// What the path names.
type Name<T> = Result<Path<T>, PathRejection>;

/// `GET /drpc/{function}`.
pub(super) async fn without_args(State(shared): State<Arc<Shared>>, path: Name<String>) -> Result<String, Failure> {
    let Path(function) = path?;
    Ok(shared.database.ask(&function, "").await?)
}

/// `GET /drpc/{function}/{args}`.
pub(super) async fn with_args(
    State(shared): State<Arc<Shared>>,
    path: Name<(String, String)>,
) -> Result<String, Failure> {
    let Path((function, args)) = path?;
    Ok(shared.database.ask(&function, &args).await?)
}

/// `POST /drpc/{function}`: the body is the argument.
pub(super) async fn with_body(
    State(shared): State<Arc<Shared>>,
    path: Name<String>,
    request: Request,
) -> Result<String, Failure> {
    let Path(function) = path?;
    let args = read_text(request, &shared.limits).await?;
    Ok(shared.database.ask(&function, &args).await?)
}
