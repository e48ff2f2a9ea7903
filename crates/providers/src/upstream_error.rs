//! What a client may see of a provider's error.
//! It refuses to know what follows from the error: see [`crate::verdict`].

mod scrub;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::caps;
use crate::verdict::ErrorBody;

pub use scrub::scrub;
pub(crate) use scrub::{speaks_of_rate_limits, without_keys_and_addresses};

/// The body of a provider's 400, 413 or 422 as the client may see it: OpenAI's object shape with the provider's words and members,
/// without `secrets` (the credential, the base URL, the host), without what looks like an API key or an address inside a private
/// network, and without the words kept for the 429.
pub fn passed_on_body(status: u16, body: &[u8], secrets: &[&str]) -> Bytes {
    let whole = if body.len() <= caps::MAX_ERROR_BODY_BYTES { serde_json::from_slice::<Value>(body).ok() } else { None };
    let kept = whole.and_then(|mut json| match json.get_mut("error").map(Value::take) {
        Some(Value::Object(members)) => Some(Value::Object(members)),
        _ => None,
    });
    let read = ErrorBody::read(body);
    let message = read.message(secrets);
    let mut error = kept.unwrap_or_else(|| json!({"type": read.kind, "param": null, "code": read.code}));
    scrub_all(&mut error, secrets);
    error["message"] = if message.is_empty() { told(status) } else { Value::from(message) };
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
