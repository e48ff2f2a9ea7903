//! A provider's error object, in the shapes that servers of OpenAI's language give it.
//! It refuses to decide what follows from it.

use serde_json::Value;

use crate::upstream_error::scrub;

/// An error as a provider words it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProviderError {
    /// Scrubbed.
    pub(crate) message: String,
    /// `type` and `code`, a number as its digits.
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
}

impl ProviderError {
    /// Reads `{"error":{…}}`, `{"error":"…"}`, `{"detail":…}`, `{"message":…}` or the error itself; else the text as it is.
    pub(crate) fn read(body: &[u8], secrets: &[&str]) -> Self {
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return Self { message: scrub(&plain_text(body), secrets), ..Self::default() };
        };
        let error = json.get("error").filter(|error| !error.is_null()).unwrap_or(&json);
        let member = |name: &str| error.get(name).and_then(said);
        let message =
            error.as_str().map(str::to_owned).or_else(|| member("message")).or_else(|| member("detail")).or_else(|| member("error"));
        Self { message: scrub(&message.unwrap_or_default(), secrets), kind: member("type"), code: member("code") }
    }

    /// Whether it says that the provider is over a limit of its own.
    pub(crate) fn is_rate_limit(&self) -> bool {
        let names = |text: &Option<String>| text.as_deref().is_some_and(|text| text == "429" || text.contains("rate_limit"));
        names(&self.code) || names(&self.kind)
    }

    /// Whether it says that the account has no money or quota left: waiting doesn't help.
    pub(crate) fn is_spent_quota(&self) -> bool {
        let names = |text: &Option<String>| {
            text.as_deref().is_some_and(|text| text == "insufficient_quota" || text == "billing_hard_limit_reached")
        };
        names(&self.code) || names(&self.kind)
    }
}

/// What isn't JSON, unless it is a page.
fn plain_text(body: &[u8]) -> String {
    let text =
        String::from_utf8_lossy(body.get(..body.len().min(crate::caps::MAX_ERROR_MESSAGE_BYTES)).unwrap_or_default()).trim().to_owned();
    if text.starts_with('<') { String::new() } else { text }
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
