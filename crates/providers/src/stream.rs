//! The relay of one event stream as a state machine over bytes: reads in, bytes to write out.
//! It knows no network and no time, and keeps at most one partial event and a slice of text.

use bytes::Bytes;
use domain::{Endpoint, TokenUsage, Tokenizer};
use thiserror::Error;

/// How a stream is to be relayed.
#[derive(Clone, Copy, Debug)]
pub struct StreamSettings<'a> {
    /// `ChatCompletions` or `Completions`.
    pub endpoint: Endpoint,
    /// The model's name that the client used; chunks that carry another are changed.
    pub requested_model: &'a str,
    /// Whether the extra usage chunk is taken out, because the client hadn't asked for it.
    pub strip_usage: bool,
    /// Counts the text where the provider gives no usage.
    pub tokenizer: Tokenizer,
}

/// An error that a provider sent inside a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InBandError {
    /// The provider's words, scrubbed and bounded.
    pub message: String,
    /// Whether the provider says it is rate limited (code 429 or `rate_limit_exceeded`).
    pub is_rate_limit: bool,
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

/// What the first event was: it decides whether another target may still be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstEvent<'a> {
    /// An ordinary event: this target answers.
    Answer,
    /// An error, or no event stream: nothing was relayed, the next target may be tried.
    Fault(&'a StreamFault),
}

/// What one read led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// To be written to the client, in one write; may be empty. Shares the read's buffer where nothing had to change.
    pub out: Bytes,
    /// Output tokens relayed so far in the whole stream, at least one for each event with content; never falls.
    pub output_tokens: u64,
    /// Set when the stream can't go on: after `out`, write [`StreamFault::event`] (if [`StreamReader::first_event`] was an answer) and end. Further reads are ignored.
    pub fault: Option<StreamFault>,
}

/// How the bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The provider ended the body as HTTP says.
    Whole,
    /// The connection broke, timed out, or the client left.
    Broken,
}

/// What is known at a stream's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEnd {
    /// Last bytes to write: an event without its blank line.
    pub tail: Bytes,
    /// The provider's count, where it gave one.
    pub usage: Option<TokenUsage>,
    /// Output tokens of the text that was relayed, by the tokenizer; 0 and not counted where there is `usage`.
    pub counted_output: u64,
    /// Whether `[DONE]` came.
    pub saw_done: bool,
    /// Whether some choice said why it finished.
    pub saw_finish: bool,
    /// The fault that ended it, if any: as pushed, or `EndedEarly`.
    pub fault: Option<StreamFault>,
}

/// The state of one stream.
#[derive(Debug)]
pub struct StreamReader {
    output_tokens: u64,
}

impl StreamReader {
    /// At the stream's begin.
    pub fn new(settings: StreamSettings<'_>) -> Self {
        let _ = settings;
        Self { output_tokens: 0 }
    }

    /// Takes what one read gave. Until [`Self::first_event`] is known the caller keeps `out` back, so that it can still fall back.
    pub fn push(&mut self, frame: Bytes) -> Pushed {
        Pushed { out: frame, output_tokens: self.output_tokens, fault: None }
    }

    /// What the first event was; `None` while there was none yet (comments don't count).
    pub fn first_event(&self) -> Option<FirstEvent<'_>> {
        None
    }

    /// Output tokens relayed so far, as [`Pushed::output_tokens`].
    pub fn output_tokens(&self) -> u64 {
        self.output_tokens
    }

    /// The provider's usage, if it has come already.
    pub fn usage(&self) -> Option<TokenUsage> {
        None
    }

    /// Whether `[DONE]` came.
    pub fn saw_done(&self) -> bool {
        false
    }

    /// Ends the stream.
    pub fn finish(self, ending: Ending) -> StreamEnd {
        let _ = ending;
        StreamEnd::default()
    }
}

/// `data: {"error":{"message","type","param":null,"code"}}` and a blank line: the only in-band error that all SDKs understand.
pub fn stream_error_event(message: &str, code: &str) -> Bytes {
    let event = serde_json::json!({ "error": { "message": message, "type": code, "param": null, "code": code } });
    Bytes::from(format!("data: {event}\n\n"))
}
