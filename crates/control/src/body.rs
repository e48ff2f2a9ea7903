//! JSON in: the bounded body of a write, read into a type, with errors that say where. It knows no type in particular.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::access::answered_before;
use crate::app::App;
use crate::caps::{MAX_BODY_BYTES, MAX_EVENT_BYTES};
use crate::problem::Problem;
use crate::strict::Strict;
use crate::value_fault::ValueFault;

/// The body of a write.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequest<App> for Body<T> {
    type Rejection = NoBody;

    async fn from_request(request: Request, app: &App) -> Result<Self, NoBody> {
        demand_json(request.headers())?;
        let (parts, body) = request.into_parts();
        let body = read(body, app, MAX_BODY_BYTES).await?;
        let value = parse(&body)?;
        match answered_before(app, &parts, &body).await? {
            Some(answer) => Err(NoBody::Answered(Box::new(answer))),
            None => Ok(Self(value)),
        }
    }
}

/// Why a handler gets no body.
pub(crate) enum NoBody {
    /// Something is wrong with it.
    Problem(Problem),
    /// It was acted on before, and this was the answer.
    Answered(Box<Response>),
}

impl From<Problem> for NoBody {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for NoBody {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Answered(response) => *response,
        }
    }
}

/// The body of what is told by others, as it was signed.
pub(crate) struct Event(pub(crate) Bytes);

impl FromRequest<App> for Event {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        read(request.into_body(), app, MAX_EVENT_BYTES).await.map(Self)
    }
}

async fn read(body: axum::body::Body, app: &App, most: usize) -> Result<Bytes, Problem> {
    let reading = Limited::new(body, most).collect();
    let read = tokio::time::timeout(app.config().body_timeout, reading).await;
    Ok(read.map_err(|_| late())?.map_err(|error| broken(&*error, most))?.to_bytes())
}

fn demand_json(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |message: String| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message));
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(encoding) = text(header::CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return refuse(format!("Bodies are taken uncompressed; this one has content-encoding {encoding}."));
    }
    let Some(declared) = text(header::CONTENT_TYPE) else {
        return refuse("Send \"content-type: application/json\".".into());
    };
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    refuse(format!("Send JSON with \"content-type: application/json\"; this is declared as {essence}."))
}

fn late() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body did not arrive in time.")
}

fn broken(error: &(dyn std::error::Error + Send + Sync + 'static), most: usize) -> Problem {
    if error.is::<LengthLimitError>() {
        let message = format!("The body is longer than {most} bytes.");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
    }
    Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", "The body ended before it was complete.")
}

/// Reads `body` as a `T`: 400 where it is not JSON, whatever else is wrong with it; 422 where it is, but not a `T`.
fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(not_json("The body is empty; JSON is expected."));
    }
    let text = std::str::from_utf8(body).map_err(|e| not_json(format!("The body is not UTF-8 from byte {} on.", e.valid_up_to())))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|e| not_json(format!("The body is not JSON: {e}.")))?;
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(Strict(&mut json)).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        match error.classify() {
            Category::Data => wrong_value(&path, &error),
            // It is JSON: where a word of several is expected, serde_json calls anything else a fault of syntax.
            Category::Syntax if error.to_string().starts_with("expected value ") => wrong_value(&path, &error),
            Category::Io | Category::Syntax | Category::Eof => not_json(format!("The body is not JSON: {error}.")),
        }
    })
}

fn not_json(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", message)
}

fn wrong_value(path: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let fault = ValueFault::read(text.strip_suffix(&place).unwrap_or(&text));
    let within = path.trim_start_matches('.');
    let param = match fault.member {
        Some(member) if within.is_empty() => member.into(),
        Some(member) if within.rsplit('.').next() != Some(member) => format!("{within}.{member}"),
        Some(_) | None => within.to_owned(),
    };
    let said = |of: &str| format!("{of}: {}{place}.", fault.message);
    if param.is_empty() {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault.code, said("The body"))
    } else {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, fault.code, said(&param)).at(param)
    }
}
