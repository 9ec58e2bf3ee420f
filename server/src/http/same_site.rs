//! Refuses what a page of another site makes a browser ask. There is no password, so a browser on this machine could otherwise be made to kill topologies.
//!
//! Three signs, all of which a page can't forge: the `Host` that the browser believes to talk to (a name that an attacker has pointed at 127.0.0.1 is not
//! ours: DNS rebinding), `Sec-Fetch-Site`, and `Origin`. Programs send none of the last two. GET is checked as well: it makes a topology work.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::failure::Failure;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request through, or refuses it with 403.
pub(super) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(request.headers(), shared.loopback) {
        None => next.run(request).await,
        Some(reason) => Failure::new(StatusCode::FORBIDDEN, reason).into_response(),
    };
    // An answer is what it says it is: a browser must not find a page in the text that a topology has made.
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Why a request is refused. `loopback`: only this machine's own names can be meant.
fn refusal(headers: &HeaderMap, loopback: bool) -> Option<&'static str> {
    let text = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes).map(String::from_utf8_lossy);
    let host = text(header::HOST).unwrap_or_default();
    if loopback && !host.is_empty() && !is_address_or_localhost(&host) {
        return Some("the header Host names another machine: use an IP address or localhost");
    }
    if text(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return Some("a page of another site asks (header Sec-Fetch-Site)");
    }
    let origin = text(header::ORIGIN)?;
    let of_host = origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(&host));
    (!of_host).then_some("a page of another site asks (header Origin)")
}

/// An IP address or `localhost`, with a port or without.
fn is_address_or_localhost(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: &[(&'static str, &'static str)], loopback: bool) -> bool {
        let headers =
            given.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        refusal(&headers.collect(), loopback).is_some()
    }

    #[test]
    fn programs_and_our_own_pages_are_let_in() {
        for host in ["localhost:8440", "LOCALHOST", "127.0.0.1:8440", "[::1]:8440", "192.168.0.7"] {
            assert!(!refused(&[("host", host)], true), "{host}");
        }
        assert!(!refused(&[], true));
        assert!(!refused(&[("host", "localhost:8440"), ("origin", "http://localhost:8440")], true));
        assert!(!refused(&[("host", "localhost:8440"), ("sec-fetch-site", "none")], true));
        // Behind a proxy, or on a trusted network, names are what they are.
        assert!(!refused(&[("host", "storm.example"), ("origin", "https://storm.example")], false));
    }

    #[test]
    fn pages_of_other_sites_are_not() {
        assert!(refused(&[("host", "localhost:8440"), ("origin", "http://evil.example")], true));
        assert!(refused(&[("host", "localhost:8440"), ("origin", "http://localhost:3000")], true));
        assert!(refused(&[("host", "localhost:8440"), ("origin", "null")], true));
        assert!(refused(&[("host", "localhost:8440"), ("sec-fetch-site", "cross-site")], true));
        assert!(refused(&[("host", "localhost:8440"), ("sec-fetch-site", "same-site")], true));
        // A name of the attacker's that leads to 127.0.0.1: for the browser all is of one site.
        assert!(refused(&[("host", "evil.example:8440"), ("origin", "http://evil.example:8440")], true));
        assert!(refused(&[("host", "127.0.0.1.evil.example")], true));
        assert!(refused(&[("host", "storm.example"), ("origin", "https://evil.example")], false));
    }
}
