//! A cheap OpenAI-compatible provider for measuring gateways. It never parses a request: two scans of a 1 KB body cost
//! well under a microsecond, so that nearly all of its cost is the kernel's.
//!
//! Routes: `POST /v1/chat/completions` (a 646-byte JSON answer, or an event stream when the body says `"stream":true`),
//! `GET /v1/models`, and `GET /mock/stats` (`{"requests":N,"streams":N,"refused":N}` since the start).
//!
//! Defaults come from the environment. Words inside the prompt, which survive any gateway, change them for one request:
//!
//! | environment        | word in the prompt | meaning                            |
//! |--------------------|--------------------|------------------------------------|
//! | `MOCK_ADDR`        |                    | listen address (127.0.0.1:19100)   |
//! | `MOCK_CHUNKS`      | `mock_chunks=`     | content chunks in a stream (100)   |
//! | `MOCK_DELAY_US`    | `mock_delay_us=`   | pause before each chunk, us (0)    |
//! | `MOCK_LATENCY_US`  | `mock_latency_us=` | pause before any answer, us (0)    |
//! | `MOCK_429_EVERY`   |                    | refuse every k-th request (0: off) |

mod reply;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use reply::{ANSWER, Events, MODELS, REFUSAL, Reply, Stream};

struct Mock {
    chunks: u64,
    delay_us: u64,
    latency_us: u64,
    refuse_every: u64,
    events: Events,
    requests: AtomicU64,
    streams: AtomicU64,
    refused: AtomicU64,
}

fn main() -> std::io::Result<()> {
    let mock: &'static Mock = Box::leak(Box::new(Mock {
        chunks: env("MOCK_CHUNKS", 100),
        delay_us: env("MOCK_DELAY_US", 0),
        latency_us: env("MOCK_LATENCY_US", 0),
        refuse_every: env("MOCK_429_EVERY", 0),
        events: Events::new(),
        requests: AtomicU64::new(0),
        streams: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    }));
    let addr = std::env::var("MOCK_ADDR").unwrap_or_else(|_| "127.0.0.1:19100".into());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(mock, &addr))
}

async fn serve(mock: &'static Mock, addr: &str) -> std::io::Result<()> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr.parse().map_err(std::io::Error::other)?)?;
    // The default backlog of 128 drops a burst of new connections, each of which then waits a second to try again.
    let listener = socket.listen(4096)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(mock, request));
            let mut server = hyper::server::conn::http1::Builder::new();
            // A client that went away is no concern of the mock's.
            let _ = server.header_read_timeout(None).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn handle(mock: &'static Mock, request: Request<Incoming>) -> Result<Response<Reply>, hyper::Error> {
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/v1/chat/completions" | "/chat/completions") => complete(mock, body).await,
        (&Method::GET, "/v1/models" | "/models") => Ok(json(StatusCode::OK, Bytes::from_static(MODELS))),
        (&Method::GET, "/mock/stats") => Ok(json(StatusCode::OK, stats(mock).into())),
        (_, _) => Ok(json(StatusCode::NOT_FOUND, Bytes::from_static(b"{}"))),
    }
}

async fn complete(mock: &'static Mock, body: Incoming) -> Result<Response<Reply>, hyper::Error> {
    let body = body.collect().await?.to_bytes();
    let nth = mock.requests.fetch_add(1, Relaxed) + 1;
    let latency_us = word(&body, "mock_latency_us=").unwrap_or(mock.latency_us);
    if latency_us > 0 {
        tokio::time::sleep(Duration::from_micros(latency_us)).await;
    }
    if mock.refuse_every > 0 && nth.is_multiple_of(mock.refuse_every) {
        mock.refused.fetch_add(1, Relaxed);
        let mut answer = json(StatusCode::TOO_MANY_REQUESTS, Bytes::from_static(REFUSAL));
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return Ok(answer);
    }
    if !wants_stream(&body) {
        return Ok(json(StatusCode::OK, Bytes::from_static(ANSWER)));
    }
    mock.streams.fetch_add(1, Relaxed);
    let chunks = word(&body, "mock_chunks=").unwrap_or(mock.chunks).max(1);
    let delay = Duration::from_micros(word(&body, "mock_delay_us=").unwrap_or(mock.delay_us));
    let mut answer = Response::new(Reply::Stream(Stream::new(&mock.events, chunks, delay)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    Ok(answer)
}

fn json(status: StatusCode, body: Bytes) -> Response<Reply> {
    let mut answer = Response::new(Reply::Whole(Some(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn stats(mock: &Mock) -> String {
    let [requests, streams, refused] = [&mock.requests, &mock.streams, &mock.refused].map(|count| count.load(Relaxed));
    format!(r#"{{"requests":{requests},"streams":{streams},"refused":{refused}}}"#)
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// The number after `word` in `body`, if it is there.
fn word(body: &[u8], word: &str) -> Option<u64> {
    let at = memchr::memmem::find(body, word.as_bytes())? + word.len();
    let digits = body[at..].iter().take_while(|b| b.is_ascii_digit());
    Some(digits.fold(0, |n: u64, b| n.wrapping_mul(10).wrapping_add(u64::from(b - b'0'))))
}

/// Whether the body says `"stream": true`.
fn wants_stream(body: &[u8]) -> bool {
    memchr::memmem::find_iter(body, b"\"stream\"").any(|at| {
        let rest = body[at + 8..].trim_ascii_start();
        rest.strip_prefix(b":").is_some_and(|r| r.trim_ascii_start().starts_with(b"true"))
    })
}

#[cfg(test)]
mod tests {
    use super::{wants_stream, word};

    #[test]
    fn reads_its_words_wherever_they_stand() {
        assert_eq!(word(b"report mock_chunks=12 mock_delay_us=5", "mock_chunks="), Some(12));
        assert_eq!(word(b"report mock_chunks=12 mock_delay_us=5", "mock_latency_us="), None);
    }

    #[test]
    fn tells_a_stream_from_a_plain_request() {
        assert!(wants_stream(br#"{"model":"m","stream" : true}"#));
        assert!(!wants_stream(br#"{"model":"m","stream":false}"#));
        assert!(!wants_stream(br#"{"model":"m","stream_options":{"include_usage":true}}"#));
    }
}
