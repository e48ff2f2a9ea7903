//! An answer that says what went wrong, in OpenAI's object shape. Which fault becomes which problem is decided in `errors`.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::Body;

const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An error answer before it is written.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// `error.type`
    pub(crate) kind: &'static str,
    pub(crate) code: &'static str,
    pub(crate) param: Option<&'static str>,
    pub(crate) content: Content,
    /// `x-should-retry`, which SDKs obey.
    pub(crate) should_retry: Option<bool>,
    pub(crate) allow: Option<&'static str>,
    pub(crate) wait_us: Option<u64>,
    /// Whether the connection ends with this answer.
    pub(crate) close: bool,
    pub(crate) challenge: bool,
}

/// What an error answer says.
#[derive(Debug)]
pub(crate) enum Content {
    /// For people: what happened, whose limit or fault, what to do now. Written as OpenAI's object.
    Message(String),
    /// Exactly this JSON.
    Body(Bytes),
}

#[derive(Serialize)]
struct Shape<'a> {
    error: ErrorObject<'a>,
}

/// OpenAI's error object.
#[derive(Serialize)]
pub(crate) struct ErrorObject<'a> {
    pub(crate) message: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) param: Option<&'a str>,
    pub(crate) code: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code,
            param: None,
            content: Content::Message(message.into()),
            should_retry: None,
            allow: None,
            wait_us: None,
            close: false,
            challenge: false,
        }
    }

    /// The request itself is at fault.
    pub(crate) fn invalid(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    pub(crate) fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    /// Trying again can't help.
    pub(crate) fn final_word(mut self) -> Self {
        self.should_retry = Some(false);
        self
    }

    pub(crate) fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// `Retry-After` and `retry-after-ms` of this many microseconds, rounded up.
    pub(crate) fn wait(mut self, wait_us: u64) -> Self {
        self.wait_us = Some(wait_us);
        self
    }

    /// The answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let body = match &self.content {
            Content::Body(body) => body.clone(),
            Content::Message(message) => {
                let error = ErrorObject { message, kind: self.kind, param: self.param, code: self.code };
                json(&Shape { error })
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if let Some(retry) = self.should_retry {
            headers.insert(X_SHOULD_RETRY, HeaderValue::from_static(if retry { "true" } else { "false" }));
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(us) = self.wait_us {
            headers.insert(RETRY_AFTER, HeaderValue::from(us.div_ceil(1_000_000).max(1)));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(us.div_ceil(1_000).max(1)));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// JSON of a value that always has one.
pub(crate) fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
