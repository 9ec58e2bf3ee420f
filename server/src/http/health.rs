//! `GET /health`: 200 while the engine works, 503 with the reason when it has failed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use futures::FutureExt;

use super::Shared;
use super::failure::Failure;

pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Result<&'static str, Failure> {
    match shared.database.failed().now_or_never() {
        None => Ok("ok"),
        Some(reason) => Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, reason)),
    }
}
