//! `Failure`: a request that is refused, as Storm's UI tells it: a status and a JSON object with `error` and `errorMessage`.

use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use monsoon_sql::SqlError;
use serde_json::json;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }

    /// A request that makes no sense.
    pub(super) fn bad(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        let hint = error.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        Failure::new(status(error.sqlstate), error.message + &hint)
    }
}

impl From<PathRejection> for Failure {
    fn from(rejection: PathRejection) -> Failure {
        Failure::new(rejection.status(), rejection.body_text())
    }
}

impl From<BytesRejection> for Failure {
    fn from(rejection: BytesRejection) -> Failure {
        Failure::new(rejection.status(), rejection.body_text())
    }
}

/// The status for an SQLSTATE, by who has to do something about it.
fn status(sqlstate: &str) -> StatusCode {
    match (&sqlstate[..2], sqlstate) {
        // A topology or function that is not there.
        (_, "42704" | "42883") => StatusCode::NOT_FOUND,
        (_, "53400") => StatusCode::TOO_MANY_REQUESTS,
        (_, "57014") => StatusCode::GATEWAY_TIMEOUT,
        ("38", _) => StatusCode::BAD_GATEWAY,
        ("22" | "42" | "0A", _) => StatusCode::BAD_REQUEST,
        ("40" | "55", _) => StatusCode::CONFLICT,
        ("53" | "57", _) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({"error": error, "errorMessage": self.message});
        (self.status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_tells_who_is_at_fault() {
        let cases = [
            ("42883", 404),
            ("42704", 404),
            ("53400", 429),
            ("38000", 502),
            ("57014", 504),
            ("42P17", 400),
            ("22023", 400),
            ("53200", 503),
            ("XX000", 500),
        ];
        for (sqlstate, expected) in cases {
            assert_eq!(Failure::from(SqlError::new(sqlstate, "x")).status.as_u16(), expected, "{sqlstate}");
        }
    }
}
