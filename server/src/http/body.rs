//! Reads the body of a request, of bounded length and in bounded time.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;

use super::Limits;
use super::failure::Failure;

/// The body of a request. Its length is bounded by a layer of the routes.
pub(super) async fn read_text(request: Request, limits: &Limits) -> Result<String, Failure> {
    let body = tokio::time::timeout(limits.read_timeout, Bytes::from_request(request, &())).await;
    let late = |_| {
        let message = format!("the body has not come within {:?}", limits.read_timeout);
        Failure::new(StatusCode::REQUEST_TIMEOUT, message)
    };
    String::from_utf8(body.map_err(late)??.into()).map_err(|_| Failure::bad("the body is not UTF-8"))
}
