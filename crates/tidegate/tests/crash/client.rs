//! A client: puts one request until it is answered, waits as it is told, and writes down what it received and when.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Call, Opened};
use tokio::time::{Instant, sleep};

use crate::provider::{Errand, words_in};

/// A key of an organisation.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) errand: Errand,
    pub(crate) model: &'static str,
    pub(crate) stream: bool,
    pub(crate) max_tokens: Option<u64>,
    /// Seconds of `Prefer: wait=`.
    pub(crate) wait: Option<u64>,
    /// Leaves after so many words.
    pub(crate) leave_after: Option<u64>,
}

/// How it ended for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// `[DONE]`, or the whole body, with the usage that came with it.
    Whole { input: u64, output: u64 },
    /// The connection broke.
    Cut,
    /// The client left.
    Left,
    /// An error within the stream.
    Broken,
    /// Another status than 200 and 429.
    Failed(u16),
    /// It was refused, and the client gave up.
    GaveUp,
}

/// What a client saw of one request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) ask: Ask,
    pub(crate) key: String,
    /// How often it was refused.
    pub(crate) refusals: u64,
    /// When it was sent the last time.
    pub(crate) sent: Instant,
    /// When the head of an answer came.
    pub(crate) head: Option<Instant>,
    /// Words received, and when.
    pub(crate) pieces: Vec<(Instant, u64)>,
    pub(crate) end: End,
    /// When it was over for the client.
    pub(crate) ended: Instant,
    /// Bytes of its body.
    pub(crate) body_bytes: u64,
    /// The longest time between two pieces.
    pub(crate) longest_pause: Duration,
}

impl Seen {
    /// Words that were received.
    pub(crate) fn words(&self) -> u64 {
        self.pieces.iter().map(|(_, words)| words).sum()
    }
}

/// What a client asks of those around it.
pub(crate) trait Around {
    /// It was refused and is about to wait.
    fn refused(&self);
    /// It has received something.
    fn received(&self);
    /// How often it lets itself be refused.
    fn patience(&self) -> u64;
}

impl Ask {
    fn call(&self, key: &Key) -> (Call, u64) {
        let words = usize::try_from(self.errand.input.saturating_sub(7)).expect("few words");
        let mut body = json!({"model": self.model, "stream": self.stream, "user": self.errand.written(),
                              "messages": [{"role": "user", "content": "tide ".repeat(words)}]});
        if self.stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        if let Some(max_tokens) = self.max_tokens {
            body["max_tokens"] = json!(max_tokens);
        }
        let call = Call::post("/v1/chat/completions", &body).key(&key.secret);
        let call = match self.wait {
            Some(seconds) => call.header("prefer", &format!("wait={seconds}")),
            None => call,
        };
        (call, body.to_string().len() as u64)
    }

    /// Puts it, again and again while it is refused.
    pub(crate) async fn put(self, addr: SocketAddr, key: &Key, around: &impl Around) -> Seen {
        let seen = self.put_until_over(addr, key, around).await;
        Seen { ended: Instant::now(), ..seen }
    }

    async fn put_until_over(self, addr: SocketAddr, key: &Key, around: &impl Around) -> Seen {
        let (call, body_bytes) = self.call(key);
        let (ask, key, sent) = (self, key.id.clone(), Instant::now());
        let mut seen = Seen {
            ask,
            key,
            refusals: 0,
            sent,
            head: None,
            pieces: Vec::new(),
            end: End::Cut,
            ended: sent,
            body_bytes,
            longest_pause: Duration::ZERO,
        };
        loop {
            seen.sent = Instant::now();
            let Ok(opened) = call.try_open(addr).await else { return seen };
            match opened.status {
                429 => {
                    let Ok(refusal) = opened.whole().await else { return seen };
                    if refusal.json()["limit"].is_null() {
                        // All providers are busy; no limit of the plan refused it.
                        seen.end = End::Failed(429);
                        return seen;
                    }
                    seen.refusals += 1;
                    if seen.refusals >= around.patience() {
                        seen.end = End::GaveUp;
                        return seen;
                    }
                    around.refused();
                    let wait = refusal.json()["retry_after_ms"].as_u64().unwrap_or_else(|| panic!("no wait in {}", refusal.text()));
                    sleep(Duration::from_millis(wait)).await;
                }
                200 => {
                    seen.head = Some(Instant::now());
                    seen.read(opened, around).await;
                    return seen;
                }
                status => {
                    seen.end = opened.whole().await.map_or(End::Cut, |_| End::Failed(status));
                    return seen;
                }
            }
        }
    }
}

impl Seen {
    async fn read(&mut self, opened: Opened, around: &impl Around) {
        if self.ask.stream {
            self.read_stream(opened, around).await;
            return;
        }
        let Ok(answer) = opened.whole().await else { return };
        let body = answer.json();
        self.take(body["choices"][0]["message"]["content"].as_str().unwrap_or_default());
        around.received();
        self.end = whole(&body["usage"]);
    }

    async fn read_stream(&mut self, mut opened: Opened, around: &impl Around) {
        let (mut usage, mut last) = (None, Instant::now());
        while let Ok(Some(event)) = opened.next().await {
            let now = Instant::now();
            if event.data() == "[DONE]" {
                self.end = usage.as_ref().map_or(End::Broken, whole);
                return;
            }
            let told = event.json();
            if told["error"].is_object() {
                self.end = End::Broken;
                return;
            }
            if told["usage"].is_object() {
                usage = Some(told["usage"].clone());
            }
            if !event.content().is_empty() {
                self.longest_pause = self.longest_pause.max(now - last);
                last = now;
                self.take(&event.content());
                around.received();
            }
            if self.ask.leave_after.is_some_and(|words| self.words() >= words) {
                self.end = End::Left;
                return;
            }
        }
    }

    /// Words that came now. What comes within a millisecond came together.
    fn take(&mut self, content: &str) {
        let (now, words) = (Instant::now(), words_in(content));
        match self.pieces.last_mut().filter(|(at, _)| now - *at < Duration::from_millis(1)) {
            Some((_, come)) => *come += words,
            None => self.pieces.push((now, words)),
        }
    }
}

fn whole(usage: &Value) -> End {
    let number = |name: &str| usage[name].as_u64().unwrap_or_else(|| panic!("no {name} in {usage}"));
    End::Whole { input: number("prompt_tokens"), output: number("completion_tokens") }
}
