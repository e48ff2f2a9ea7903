//! A provider's error object, in the shapes that providers give it.
//! It refuses to decide what follows from it.

use serde_json::Value;

use super::times::{self, When};
use crate::caps;
use crate::upstream_error::scrub;

/// An error as a provider words it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorBody {
    /// The provider's words as they came, at most `caps::MAX_ERROR_MESSAGE_BYTES`. Not for a client: see [`ErrorBody::message`].
    pub(super) words: String,
    /// `type` and `code`, a number as its digits.
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    /// Google's `status` and, of its details, the `reason`.
    pub(super) status_name: Option<String>,
    pub(super) reason: Option<String>,
    /// The status that the error would have had by itself, where it came in the midst of an answer.
    pub(super) status: Option<u16>,
    /// When to come back, told by a member.
    pub(super) retry: Option<When>,
    /// Whether it is the request's contents that were refused, by the model's moderator.
    pub(super) is_moderated: bool,
}

impl ErrorBody {
    /// Reads `{"error":{…}}`, `{"error":"…"}`, `{"detail":…}`, `{"message":…}`, the error itself, or the first of a list of these;
    /// else the text as it is.
    pub(crate) fn read(body: &[u8]) -> Self {
        let whole = if body.len() <= caps::MAX_ERROR_BODY_BYTES { serde_json::from_slice::<Value>(body).ok() } else { None };
        let Some(json) = whole else {
            return Self { words: plain_text(body), ..Self::default() };
        };
        // Google's endpoint for OpenAI's language wraps its error in a list.
        let json = json.as_array().and_then(|list| list.first()).unwrap_or(&json);
        let error = json.get("error").filter(|error| !error.is_null()).unwrap_or(json);
        let member = |name: &str| error.get(name).and_then(said);
        // Beside an error that is but a word stand its code and, sometimes, the longer text.
        let beside = |name: &str| member(name).or_else(|| if error.is_string() { json.get(name).and_then(said) } else { None });
        let words = match (error.as_str(), json.get("message").and_then(Value::as_str)) {
            (Some(word), Some(text)) => Some(format!("{word}: {text}")),
            (Some(word), None) => Some(word.to_owned()),
            (None, _) => member("message").or_else(|| member("detail")).or_else(|| member("error")),
        };
        let status = ["code", "status", "status_code", "raw_status_code"].iter().find_map(|name| number(error.get(name)?));
        Self {
            words: bounded(words.unwrap_or_default()),
            kind: beside("type").or_else(|| json.get("error_type").and_then(said)),
            code: beside("code"),
            status_name: error.get("status").and_then(Value::as_str).map(str::to_owned),
            reason: details(error).find_map(|detail| detail.get("reason").and_then(said)),
            status: status.and_then(|number| u16::try_from(number).ok()).filter(|status| (400..600).contains(status)),
            retry: retry(json, error),
            is_moderated: error.pointer("/metadata/flagged_input").is_some()
                || names_content(&beside("code"))
                || names_content(&beside("type")),
        }
    }

    /// The words as a client may see them: without `secrets` and what [`scrub`] takes out.
    pub(crate) fn message(&self, secrets: &[&str]) -> String {
        scrub(&self.words, secrets)
    }
}

fn names_content(name: &Option<String>) -> bool {
    name.as_deref().is_some_and(|name| ["content_policy_violation", "content_filter"].contains(&name))
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error.get("details").and_then(Value::as_array).into_iter().flatten()
}

/// Members that say when to come back: Google's `RetryInfo`, Tidegate's `retry_after_ms`, others' `retry_after`, and OpenRouter's
/// headers in its `metadata`.
fn retry(json: &Value, error: &Value) -> Option<When> {
    let in_google = || details(error).find_map(|detail| times::reset(detail.get("retryDelay")?.as_str()?));
    let member = |name: &str, unit_us: f64| {
        let value = [json, error].into_iter().find_map(|object| object.get(name).or_else(|| object.pointer("/metadata")?.get(name)))?;
        times::count(&said(value)?, unit_us)
    };
    let in_headers = || {
        let headers = error.pointer("/metadata/headers")?.as_object()?;
        let header = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).and_then(|(_, value)| said(value));
        header("retry-after").or_else(|| header("x-ratelimit-reset")).and_then(|text| times::reset(&text))
    };
    in_google()
        .or_else(|| member("retry_after_ms", times::MILLISECOND_US))
        .or_else(|| member("retry_after_seconds", times::SECOND_US))
        .or_else(|| member("retry_after", times::SECOND_US))
        .or_else(in_headers)
}

/// What isn't JSON, unless it is a page.
fn plain_text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..body.len().min(caps::MAX_ERROR_MESSAGE_BYTES)).unwrap_or_default()).trim().to_owned();
    if text.starts_with('<') { String::new() } else { text }
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(caps::MAX_ERROR_MESSAGE_BYTES.min(text.len())));
    text
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
