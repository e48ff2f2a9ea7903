//! Why a stream can't go on, and the event that tells the client.
//! It refuses to decide whether another target is tried.

use bytes::Bytes;
use thiserror::Error;

use crate::verdict::{ErrorBody, Verdict, judge_error};

/// An error that a provider sent inside a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InBandError {
    /// The provider's words, scrubbed and bounded; may be empty.
    pub message: String,
    /// What the error means.
    pub verdict: Verdict,
}

impl InBandError {
    pub(super) fn read(payload: &[u8]) -> Self {
        let error = ErrorBody::read(payload);
        Self { message: error.message(&[]), verdict: judge_error(&error) }
    }
}

/// Why a stream can't go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamFault {
    /// The provider reported an error.
    #[error("the provider reported an error: {}", .0.message)]
    InBand(InBandError),
    /// An event is not JSON, or what came isn't an event stream at all.
    #[error("the provider sent something that is no event of this API")]
    NotItsLanguage,
    /// An event is longer than `caps::MAX_EVENT_BYTES`.
    #[error("the provider sent an event that is too long")]
    EventTooLong,
    /// The stream ended inside an event, or before the first.
    #[error("the provider's stream ended early")]
    EndedEarly,
}

impl StreamFault {
    /// The in-band error event that tells the client, after which the stream ends without `[DONE]`.
    pub fn event(&self) -> Bytes {
        stream_error_event(&self.to_string(), "provider_error")
    }
}

/// `data: {"error":{"message","type","param":null,"code"}}` and a blank line: the only in-band error that all SDKs understand.
pub fn stream_error_event(message: &str, code: &str) -> Bytes {
    let event = serde_json::json!({ "error": { "message": message, "type": code, "param": null, "code": code } });
    Bytes::from(format!("data: {event}\n\n"))
}
