//! `/healthz`, `/readyz`, and the answer for a path that nothing has.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use store::StoreHealth;

use super::body::Inner;

/// A short answer that no cache keeps and no browser guesses about.
pub(crate) fn text(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response<Inner> {
    let mut answer = Response::new(Inner::Text(Full::new(text.into())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

pub(crate) fn problem(status: StatusCode, code: &str, message: &str) -> Response<Inner> {
    let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
    let body = json!({ "error": { "type": kind, "code": code, "message": message, "param": null } });
    text(status, "application/json", body.to_string())
}

/// Refuses what is no reading.
pub(crate) fn unless_reading(method: &Method) -> Option<Response<Inner>> {
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "use GET");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    Some(answer)
}

/// The process lives and its runtime turns.
pub(crate) fn alive(method: &Method) -> Response<Inner> {
    unless_reading(method).unwrap_or_else(|| text(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"))
}

/// Whether requests can be served. The configuration was checked when the server started; providers don't count.
pub(crate) fn ready(method: &Method, store: &StoreHealth, is_stopping: bool) -> Response<Inner> {
    if let Some(refusal) = unless_reading(method) {
        return refusal;
    }
    let is_ready = store.is_ready() && !is_stopping;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let said = |trouble: Option<String>| trouble.unwrap_or_else(|| "ok".into());
    let (of_store, of_journal) = (said(store.database_trouble()), said(store.journal_trouble()));
    let checks = json!({ "store": of_store, "journal": of_journal, "configuration": "ok" });
    let body = json!({ "ready": is_ready, "stopping": is_stopping, "checks": checks });
    text(status, "application/json", format!("{body}\n"))
}

pub(crate) fn nowhere() -> Response<Inner> {
    problem(StatusCode::NOT_FOUND, "not_found", "nothing is here: the model API is under /v1, the control API under /api/v1")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use store::{JournalHealth, JournalRefuses};

    use super::*;

    fn store(refuses: JournalRefuses, writable: bool) -> StoreHealth {
        let journal = JournalHealth {
            refuses,
            bytes: 1,
            capacity_bytes: 2,
            segments: 1,
            pending_bytes: 0,
            open_requests: 0,
            last_fault: (refuses != JournalRefuses::Nothing).then(|| "no room; make room on its disk".into()),
            write_failures: 0,
            fsync_failures: 0,
            rotation_failures: 0,
        };
        let last_fault = (!writable).then(|| "it is locked".into());
        StoreHealth { writable, queued: 7, last_fault, failed_attempts: 0, written: 0, damage: None, journal }
    }

    async fn checks(health: &StoreHealth) -> (u16, serde_json::Value) {
        let answer = ready(&Method::GET, health, false);
        let status = answer.status().as_u16();
        let Inner::Text(text) = answer.into_body() else { panic!("a short text") };
        let body = text.collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap()["checks"].clone())
    }

    #[tokio::test]
    async fn ready_means_that_the_journal_takes_requests_and_no_stop() {
        let fine = store(JournalRefuses::Nothing, true);
        let status = |health: &StoreHealth, is_stopping| ready(&Method::GET, health, is_stopping).status().as_u16();
        assert_eq!((status(&fine, false), status(&fine, true)), (200, 503));
        assert_eq!(ready(&Method::POST, &fine, false).status().as_u16(), 405);
        let ok = json!({ "store": "ok", "journal": "ok", "configuration": "ok" });
        assert_eq!(checks(&fine).await, (200, ok));

        let (status, of) = checks(&store(JournalRefuses::Nothing, false)).await;
        assert_eq!((status, &of["journal"]), (200, &json!("ok")));
        assert_eq!(of["store"], "the database takes no records; they wait in the journal: it is locked");
        for refuses in [JournalRefuses::Unwritable, JournalRefuses::NoReserve] {
            let (status, of) = checks(&store(refuses, true)).await;
            assert_eq!((status, &of["store"]), (503, &json!("ok")));
            assert!(of["journal"].as_str().unwrap().ends_with(": no room; make room on its disk"), "{of}");
        }
        let (status, of) = checks(&store(JournalRefuses::Full, false)).await;
        assert_eq!((status, &of["store"]), (503, &json!("the database takes no records; they wait in the journal: it is locked")));
        assert_eq!(of["journal"], "the journal is full because the database takes no records: it is locked");

        // What is told though requests are served.
        let mut told = store(JournalRefuses::Nothing, true);
        told.damage = Some("page 3".into());
        told.journal.last_fault = Some("no new file can be begun".into());
        let (status, of) = checks(&told).await;
        assert_eq!((status, &of["journal"]), (200, &json!("no new file can be begun")));
        assert!(of["store"].as_str().unwrap().contains("damaged (page 3)"), "{of}");
    }
}
