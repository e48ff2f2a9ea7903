//! `/healthz`, `/readyz`, and the answer for a path that nothing has.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use store::StoreHealth;

use super::body::Inner;

/// A short answer that no cache keeps and no browser guesses about.
pub(super) fn text(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<Inner> {
    let mut answer = Response::new(Inner::Text(Full::new(text.into())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

pub(super) fn problem(status: StatusCode, code: &str, message: &str) -> Response<Inner> {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let body = json!({ "error": { "type": kind, "code": code, "message": message, "param": null } });
    text(status, "application/json", body.to_string())
}

/// Refuses what is no reading.
pub(super) fn unless_reading(method: &Method) -> Option<Response<Inner>> {
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use GET");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(answer)
}

/// The process lives and its runtime turns.
pub(super) fn alive(method: &Method) -> Response<Inner> {
    unless_reading(method).unwrap_or_else(|| text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"))
}

/// Whether requests can be served. The configuration was checked when the server started; providers don't count.
pub(super) fn ready(method: &Method, store: &StoreHealth, is_stopping: bool) -> Response<Inner> {
    if let Some(refusal) = unless_reading(method) {
        return refusal;
    }
    let is_ready = store.is_ready() && !is_stopping;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let said_of_store = if store.is_ready() { "ok" } else { "full: the database does not take what is recorded" };
    let body = json!({ "ready": is_ready, "stopping": is_stopping, "checks": { "store": said_of_store, "configuration": "ok" } });
    text(status, "application/json", format!("{body}\n"))
}

pub(super) fn nowhere() -> Response<Inner> {
    problem(StatusCode::NOT_FOUND, "not_found", "nothing is here: the model API is under /v1, the control API under /api/v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_room_for_records_and_no_stop() {
        let store = |queued| StoreHealth { writable: true, queued, queue_capacity: 10, last_fault: None, failed_attempts: 0, written: 0 };
        let status = |queued, is_stopping| ready(&Method::GET, &store(queued), is_stopping).status().as_u16();
        assert_eq!([status(9, false), status(10, false), status(0, true)], [200, 503, 503]);
        assert_eq!(ready(&Method::POST, &store(0), false).status().as_u16(), 405);
    }
}
