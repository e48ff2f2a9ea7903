//! What an upstream does with one request, byte by byte: writes, waits for a gate, hangs, resets. It knows no socket.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;
use tokio::sync::watch;

/// A place in a script where the upstream stops until the test lets it on.
#[derive(Clone, Debug)]
pub struct Gate {
    open: watch::Sender<bool>,
    reached: watch::Sender<u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { open: watch::Sender::new(false), reached: watch::Sender::new(0) }
    }

    /// Lets everyone pass, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until `n` scripts have come to this gate.
    pub async fn reached(&self, n: u64) {
        let mut reached = self.reached.subscribe();
        let wait = reached.wait_for(|count| *count >= n);
        match tokio::time::timeout(crate::WAIT, wait).await {
            Ok(seen) => drop(seen.expect("the gate is alive")),
            Err(_) => panic!("{} scripts reached the gate, {n} were expected", *self.reached.borrow()),
        }
    }

    pub(crate) async fn pass(&self) {
        self.reached.send_modify(|n| *n += 1);
        self.open.subscribe().wait_for(|open| *open).await.expect("the gate is alive");
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(Bytes),
    Gate(Gate),
    /// Nothing more until the peer leaves.
    Hang,
    /// RST.
    Reset,
    /// FIN, whatever was promised.
    Close,
}

/// The answer to one request: raw bytes and what happens between them.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Exactly these bytes, then the next request of the connection.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { steps: vec![Step::Write(bytes.into())] }
    }

    /// A whole answer with `content-length`.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = BytesMut::from(head(status, headers).as_bytes());
        bytes.put_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.put_slice(body);
        Self::raw(bytes)
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::answer(status, &[("content-type", "application/json")], body.to_string())
    }

    /// A provider's error in OpenAI's shape.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"error": {"message": message, "type": "provider", "param": null, "code": "code"}}))
    }

    /// A provider's 429 with `retry-after` in seconds.
    pub fn rate_limited(retry_after: u64) -> Self {
        let body = r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
        Self::answer(429, &[("content-type", "application/json"), ("retry-after", &retry_after.to_string())], body)
    }

    /// A 200 that isn't OpenAI's language: what a captive proxy says.
    pub fn html() -> Self {
        Self::answer(200, &[("content-type", "text/html")], "<!doctype html><title>Welcome</title><h1>It works!</h1>")
    }

    /// Takes the request and never answers.
    pub fn hang() -> Self {
        Self { steps: vec![Step::Hang] }
    }

    /// Takes the request and resets the connection.
    pub fn reset() -> Self {
        Self { steps: vec![Step::Reset] }
    }

    /// The first `n` bytes, then a reset.
    pub fn reset_after(self, n: usize) -> Self {
        self.cut(n, Step::Reset)
    }

    /// The first `n` bytes, then an orderly close.
    pub fn close_after(self, n: usize) -> Self {
        self.cut(n, Step::Close)
    }

    /// The same bytes in writes of at most `n`, so that events and headers fall apart at any place.
    pub fn in_pieces(self, n: usize) -> Self {
        let mut steps = Vec::new();
        for step in self.steps {
            match step {
                Step::Write(bytes) => steps.extend(bytes.chunks(n.max(1)).map(|piece| Step::Write(Bytes::copy_from_slice(piece)))),
                other => steps.push(other),
            }
        }
        Self { steps }
    }

    /// A gate before everything else.
    pub fn after(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Gate(gate.clone()));
        self
    }

    /// The same, then these bytes once the gate is open.
    pub fn then(mut self, gate: &Gate, bytes: impl Into<Bytes>) -> Self {
        self.steps.extend([Step::Gate(gate.clone()), Step::Write(bytes.into())]);
        self
    }

    /// Bytes that the script writes in all.
    pub fn size(&self) -> usize {
        self.steps.iter().map(|step| if let Step::Write(bytes) = step { bytes.len() } else { 0 }).sum()
    }

    fn cut(self, n: usize, last: Step) -> Self {
        let mut left = n;
        let mut steps = Vec::new();
        for step in self.steps {
            match step {
                Step::Write(bytes) if bytes.len() >= left => {
                    steps.push(Step::Write(bytes.slice(..left)));
                    break;
                }
                Step::Write(bytes) => {
                    left -= bytes.len();
                    steps.push(Step::Write(bytes));
                }
                other => steps.push(other),
            }
        }
        steps.push(last);
        Self { steps }
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> String {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} Scripted\r\n{lines}")
}

/// A stream of server-sent events, put together event by event. Each becomes a chunk and a write of its own.
#[derive(Clone, Debug)]
pub struct Sse {
    steps: Vec<Step>,
}

impl Default for Sse {
    fn default() -> Self {
        Self::new()
    }
}

impl Sse {
    /// A 200 whose head has been written.
    pub fn new() -> Self {
        let headers = [("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked")];
        Self { steps: vec![Step::Write(format!("{}\r\n", head(200, &headers)).into())] }
    }

    /// `data: {…}` and an empty line.
    pub fn event(self, data: &Value) -> Self {
        self.text(&format!("data: {data}\n\n"))
    }

    /// Any text as a chunk of its own.
    pub fn text(mut self, text: &str) -> Self {
        self.steps.push(Step::Write(format!("{:x}\r\n{text}\r\n", text.len()).into()));
        self
    }

    /// Waits until the test opens the gate.
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.steps.push(Step::Gate(gate.clone()));
        self
    }

    /// `data: [DONE]`, then the end.
    pub fn done(self) -> Script {
        self.text("data: [DONE]\n\n").end()
    }

    /// An orderly end without `[DONE]`.
    pub fn end(mut self) -> Script {
        self.steps.push(Step::Write(Bytes::from_static(b"0\r\n\r\n")));
        Script { steps: self.steps }
    }

    /// The connection is reset here.
    pub fn reset(self) -> Script {
        self.finish(Step::Reset)
    }

    /// The connection closes here, in the middle of the chunked body.
    pub fn close(self) -> Script {
        self.finish(Step::Close)
    }

    /// Nothing more comes.
    pub fn hang(self) -> Script {
        self.finish(Step::Hang)
    }

    fn finish(mut self, step: Step) -> Script {
        self.steps.push(step);
        Script { steps: self.steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(script: &Script) -> Vec<u8> {
        script.steps.iter().filter_map(|s| if let Step::Write(b) = s { Some(b.to_vec()) } else { None }).flatten().collect()
    }

    #[test]
    fn cutting_counts_bytes_over_all_writes() {
        let whole = Sse::new().text("abc").text("def").done();
        for n in 0..whole.size() {
            let cut = whole.clone().reset_after(n);
            assert_eq!(written(&cut), &written(&whole)[..n]);
            assert!(matches!(cut.steps.last(), Some(Step::Reset)));
        }
    }

    #[test]
    fn pieces_are_the_same_bytes() {
        let whole = Sse::new().text("abc").done();
        let pieces = whole.clone().in_pieces(3);
        assert_eq!(written(&pieces), written(&whole));
        assert!(pieces.steps.len() > 20);
    }
}
