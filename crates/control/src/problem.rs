//! The one shape of an error on the control API, and how it becomes a response. What leads to which is in `errors.rs`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caps::MAX_MESSAGE_CHARS;

/// The class of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) enum ErrorType {
    /// The request is at fault.
    #[serde(rename = "invalid_request_error")]
    InvalidRequest,
    /// There is no valid operator token.
    #[serde(rename = "authentication_error")]
    Authentication,
    /// The caller may not do this.
    #[serde(rename = "permission_error")]
    Permission,
    /// The server can't do it now.
    #[serde(rename = "server_error")]
    Server,
}

/// What went wrong, for programs (`type`, `code`, `param`) and for people (`message`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// The class of the error.
    #[serde(rename = "type")]
    pub(crate) kind: ErrorType,
    /// Stable name of the error.
    pub(crate) code: &'static str,
    /// What is wrong and what to do, in a sentence.
    pub(crate) message: String,
    /// The member, query parameter or path segment at fault.
    #[schema(required)]
    pub(crate) param: Option<String>,
}

/// Every error of the control API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// The error.
    pub(crate) error: ErrorDetail,
}

/// An error on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) detail: Box<ErrorDetail>,
    /// Seconds until it may be tried again.
    pub(crate) retry_after: Option<u64>,
}

impl Problem {
    /// An error of the class that goes with `status`.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::UNAUTHORIZED => ErrorType::Authentication,
            StatusCode::FORBIDDEN => ErrorType::Permission,
            status if status.is_server_error() => ErrorType::Server,
            _ => ErrorType::InvalidRequest,
        };
        let message = bounded(message.into());
        Self { status, detail: Box::new(ErrorDetail { kind, code, message, param: None }), retry_after: None }
    }

    /// The same, naming what is at fault.
    pub(crate) fn at(mut self, param: impl Into<String>) -> Self {
        self.detail.param = Some(bounded(param.into()));
        self
    }

    /// 422: the JSON is right, a value in it is not.
    pub(crate) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", message).at(param)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no {what} \"{name}\"."))
    }
}

/// The text, cut where it is longer than a message may be.
fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_MESSAGE_CHARS) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: *self.detail })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidegate\""));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
