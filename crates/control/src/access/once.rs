//! The header `Idempotency-Key`: a POST that is sent again under the same key isn't done again, and gets the first one's answer. Only what
//! came past its proof and was understood gets so far. It knows no operation in particular.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use store::{Actor, DatabaseFault, OnceError};

use super::caller::Caller;
use crate::app::App;
use crate::caps::MAX_IDEMPOTENCY_KEY_BYTES;
use crate::problem::Problem;

/// The header, as the document names it.
pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const ASKED: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What makes and ends sessions sets cookies, which are given once.
const NEVER: &str = "/api/v1/auth/";

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

fn is_asked(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    method == Method::POST && !path.starts_with(NEVER) && headers.contains_key(ASKED)
}

/// Around the routes: what is asked for under a key is done to its end, though the client may go away, and its answer is kept.
pub(crate) async fn keep_answer(State(app): State<App>, request: Request, next: Next) -> Response {
    if !is_asked(request.method(), request.uri().path(), request.headers()) {
        return next.run(request).await;
    }
    let store = app.vault().store().clone();
    let work = {
        let store = store.clone();
        async move {
            let response = next.run(request).await;
            if !response.status().is_success() || response.headers().contains_key(REPLAYED) {
                return Ok::<_, DatabaseFault>(response);
            }
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let location = parts.headers.get(header::LOCATION).and_then(|location| location.to_str().ok()).map(str::to_owned);
            let answer = Answer { status: parts.status.as_u16(), location, body: String::from_utf8_lossy(&body).into_owned() };
            store.keep_answer(serde_json::to_vec(&answer).unwrap_or_default()).await?;
            Ok(Response::from_parts(parts, body.into()))
        }
    };
    match store.to_its_end(work).await {
        Some(Ok(response)) => response,
        Some(Err(fault)) => Problem::from(fault).into_response(),
        None => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something failed here; the log says what.").into_response(),
    }
}

/// Before a handler acts: the answer, if this was done under its key before.
pub(crate) async fn answered_before(app: &App, parts: &Parts, body: &Bytes) -> Result<Option<Response>, Problem> {
    if !is_asked(&parts.method, parts.uri.path(), &parts.headers) {
        return Ok(None);
    }
    let key = key_of(&parts.headers)?;
    let caller = match Caller::of(parts, app).await? {
        Caller::Token => Actor::Operator,
        Caller::Person(session) => Actor::Person(session.person.id),
    };
    let target = parts.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
    let kept = app.vault().store().begin_once(caller, key, &[target.as_bytes(), body]).await.map_err(refused)?;
    kept.map(|kept| shown(&kept)).transpose()
}

fn key_of(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut all = headers.get_all(ASKED).iter();
    let key = all.next().and_then(|value| value.to_str().ok());
    let sound = key.filter(|key| (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&key.len()) && all.next().is_none());
    sound.ok_or_else(|| {
        let message = format!("{IDEMPOTENCY_KEY} must be there once, with 1 to {MAX_IDEMPOTENCY_KEY_BYTES} printable ASCII characters.");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", message).at(ASKED.as_str())
    })
}

fn shown(kept: &[u8]) -> Result<Response, Problem> {
    let lost = || refused(OnceError::Lost);
    let Answer { status, location, body } = serde_json::from_slice(kept).map_err(|_| lost())?;
    let status = StatusCode::from_u16(status).map_err(|_| lost())?;
    let mut response = (status, [(REPLAYED, HeaderValue::from_static("true"))]).into_response();
    if !body.is_empty() {
        let content_type = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        *response.body_mut() = body.into();
    }
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn refused(error: OnceError) -> Problem {
    let (status, code) = match &error {
        OnceError::UnderWay => (StatusCode::CONFLICT, "idempotency_key_under_way"),
        OnceError::Differs => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
        OnceError::Lost => (StatusCode::CONFLICT, "idempotent_answer_lost"),
        OnceError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let retry_after = matches!(error, OnceError::UnderWay).then_some(1);
    let said = error.to_string();
    Problem { retry_after, ..Problem::new(status, code, format!("{IDEMPOTENCY_KEY}: {said}.")).at(ASKED.as_str()) }
}
