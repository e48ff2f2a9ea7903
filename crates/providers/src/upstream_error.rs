//! What a provider's status, headers and error body mean, and what of them a client may see.
//! It refuses to decide where a request goes next.

mod scrub;

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use domain::UnixMicros;
use serde_json::{Value, json};

use crate::caps;
use crate::openai::ProviderError;

pub use scrub::scrub;
use scrub::speaks_of_rate_limits;

/// What a provider's status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Answer,
    /// 400, 413, 422: the request is at fault; passed on (see [`passed_on_body`]), not tried elsewhere.
    RequestFault,
    /// 429: the provider is rate limited.
    RateLimited {
        /// The wait that it asks for, in milliseconds, at most `caps::MAX_RETRY_AFTER_MS`, 0 where it has passed; `None`: it doesn't say.
        retry_after_ms: Option<u64>,
    },
    /// 401, 403, 404, a spent quota and other 4xx: the operator's matter, such as a wrong key or a model that isn't there.
    OperatorFault,
    /// 408, 5xx, 529 and all else: the provider failed.
    Failed {
        /// The wait that it asks for, in milliseconds, at most `caps::MAX_RETRY_AFTER_MS`, 0 where it has passed; `None`: it doesn't say.
        retry_after_ms: Option<u64>,
    },
}

/// Judges an answer by its status, its headers (`header` looks one up by its name in lower case) and, for statuses that aren't 2xx, its body.
/// `now` serves to read a date in `Retry-After`.
pub fn judge<'h>(status: u16, header: impl Fn(&str) -> Option<&'h [u8]>, body: &[u8], now: UnixMicros) -> Verdict {
    match status {
        200..=299 => Verdict::Answer,
        400 | 413 | 422 => Verdict::RequestFault,
        // OpenAI says "you have spent your money" with a 429, too; no waiting helps against that.
        429 if ProviderError::read(body, &[]).is_spent_quota() => Verdict::OperatorFault,
        429 => Verdict::RateLimited { retry_after_ms: retry_after_ms(header, now) },
        408 | 409 | 423 | 425 | 498 | 499 => Verdict::Failed { retry_after_ms: retry_after_ms(header, now) },
        401..=499 => Verdict::OperatorFault,
        _ => Verdict::Failed { retry_after_ms: retry_after_ms(header, now) },
    }
}

/// `retry-after-ms` (OpenAI, Azure), else `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after_ms<'h>(header: impl Fn(&str) -> Option<&'h [u8]>, now: UnixMicros) -> Option<u64> {
    let text = |name: &str| header(name).and_then(|value| std::str::from_utf8(value).ok()).map(str::trim);
    let number = |text: &str, unit_ms: f64| {
        text.parse().ok().filter(|count: &f64| count.is_finite() && *count >= 0.0).map(|count| (count * unit_ms).ceil() as u64)
    };
    let in_ms = text("retry-after-ms").and_then(|text| number(text, 1.0));
    let in_seconds = || text("retry-after").and_then(|text| number(text, 1_000.0).or_else(|| until_date_ms(text, now)));
    in_ms.or_else(in_seconds).map(|ms| ms.min(caps::MAX_RETRY_AFTER_MS))
}

fn until_date_ms(text: &str, now: UnixMicros) -> Option<u64> {
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let left_us = i128::try_from(at.as_micros()).ok()? - i128::from(now.0);
    u64::try_from(left_us.max(0)).ok().map(|us| us.div_ceil(1_000))
}

/// The body of a provider's 400, 413 or 422 as the client may see it: OpenAI's object shape with the provider's words and members,
/// without `secrets` (the credential, the base URL, the host), without what looks like an API key or an address inside a private
/// network, and without the words kept for the 429.
pub fn passed_on_body(status: u16, body: &[u8], secrets: &[&str]) -> Bytes {
    let whole = if body.len() <= caps::MAX_ERROR_BODY_BYTES { serde_json::from_slice::<Value>(body).ok() } else { None };
    let kept = whole.and_then(|mut json| match json.get_mut("error").map(Value::take) {
        Some(Value::Object(members)) => Some(Value::Object(members)),
        _ => None,
    });
    let read = ProviderError::read(body, secrets);
    let mut error = kept.unwrap_or_else(|| json!({"type": read.kind, "param": null, "code": read.code}));
    scrub_all(&mut error, secrets);
    error["message"] = if read.message.is_empty() { told(status) } else { Value::from(read.message) };
    if !error["type"].is_string() {
        error["type"] = Value::from("invalid_request_error");
    }
    let passed_on = json!({ "error": error }).to_string();
    if speaks_of_rate_limits(&passed_on) {
        return Bytes::from(
            json!({"error": {"message": told(status), "type": "invalid_request_error", "param": null, "code": null}}).to_string(),
        );
    }
    Bytes::from(passed_on)
}

fn told(status: u16) -> Value {
    Value::from(format!("the provider rejected the request with status {status}"))
}

fn scrub_all(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::String(text) => *text = scrub(text, secrets),
        Value::Array(elements) => elements.iter_mut().for_each(|element| scrub_all(element, secrets)),
        Value::Object(members) => members.values_mut().for_each(|member| scrub_all(member, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
