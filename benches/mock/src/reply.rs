//! What the mock says: fixed texts in the shapes of an OpenAI-compatible provider. It knows nothing of requests.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

pub(crate) const ANSWER: &[u8] = br#"{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I assist you today? I am a mock reply of a realistic length, so that a gateway has some text to copy.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":190,"completion_tokens":27,"total_tokens":217,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}},"service_tier":"default","system_fingerprint":"fp_06737a9306"}"#;
pub(crate) const MODELS: &[u8] =
    br#"{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1721172741,"owned_by":"system"}]}"#;
pub(crate) const REFUSAL: &[u8] =
    br#"{"error":{"message":"Rate limit reached for gpt-4o-mini","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;

const HEAD: &str = r#"data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741569952,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306","choices":"#;

/// The events of a stream. They never change, so each is built once.
pub(crate) struct Events {
    first: Bytes,
    token: Bytes,
    last: Bytes,
}

impl Events {
    pub(crate) fn new() -> Self {
        let event = |choices: &str, usage: &str| format!("{HEAD}{choices},\"usage\":{usage}}}\n\n");
        let choice = |delta: &str, reason: &str| {
            event(&format!(r#"[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}]"#), "null")
        };
        let usage = event("[]", r#"{"prompt_tokens":190,"completion_tokens":100,"total_tokens":290}"#);
        Self {
            first: choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null").into(),
            token: choice(r#"{"content":" token"}"#, "null").into(),
            last: (choice("{}", r#""stop""#) + &usage + "data: [DONE]\n\n").into(),
        }
    }
}

/// An answer's body: one piece, or a stream of events with a pause before each.
pub(crate) enum Reply {
    Whole(Option<Bytes>),
    Stream(Stream),
}

pub(crate) struct Stream {
    events: &'static Events,
    sent: u64,
    chunks: u64,
    delay: Duration,
    due: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    /// `chunks` events of content, each `delay` after the one before, then the closing ones.
    pub(crate) fn new(events: &'static Events, chunks: u64, delay: Duration) -> Self {
        let due = Instant::now() + delay;
        let sleep = (!delay.is_zero()).then(|| Box::pin(tokio::time::sleep_until(due)));
        Self { events, sent: 0, chunks, delay, due, sleep }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.sent > self.chunks {
            return Poll::Ready(None);
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            // A fixed schedule: a late chunk does not delay the next.
            self.due += self.delay;
            sleep.as_mut().reset(self.due);
        }
        let event = match self.sent {
            0 => &self.events.first,
            n if n < self.chunks => &self.events.token,
            _ => &self.events.last,
        };
        self.sent += 1;
        Poll::Ready(Some(event.clone()))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Self::Stream(stream) => stream.poll_event(cx).map(|event| event.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
