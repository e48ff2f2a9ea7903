//! The least that a gateway on hyper can do for a request, as a floor to measure ours against: hash the key, find its
//! plan, take from two token buckets, read the body's `model` and `stream`, swap the key, send the body on over a pooled
//! connection, copy the answer, read its usage and charge it. It knows no plans, journal or metrics.
//!
//! Settings: `FLOOR_ADDR`, `FLOOR_UPSTREAM`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

struct Bucket {
    level: f64,
    at: Instant,
    rate: f64,
    size: f64,
}

impl Bucket {
    fn roomy() -> Mutex<Self> {
        Mutex::new(Self { level: 1e12, at: Instant::now(), rate: 1e12, size: 1e12 })
    }

    fn take(&mut self, n: f64) -> bool {
        let now = Instant::now();
        self.level = (self.level + now.duration_since(self.at).as_secs_f64() * self.rate).min(self.size);
        self.at = now;
        let fits = self.level >= n;
        if fits {
            self.level -= n;
        }
        fits
    }
}

struct Plan {
    requests: Mutex<Bucket>,
    tokens: Mutex<Bucket>,
    used: AtomicU64,
}

impl Plan {
    fn admits(&self, tokens: f64) -> bool {
        let take = |bucket: &Mutex<Bucket>, n| bucket.lock().unwrap_or_else(PoisonError::into_inner).take(n);
        take(&self.requests, 1.0) && take(&self.tokens, tokens)
    }
}

struct Gateway {
    keys: HashMap<[u8; 32], Plan>,
    client: Client<HttpConnector, Full<Bytes>>,
    upstream: String,
    auth: HeaderValue,
}

#[derive(Deserialize)]
struct Ask<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(default)]
    stream: bool,
    #[serde(borrow)]
    messages: &'a RawValue,
}

#[derive(Deserialize)]
struct Usage {
    total_tokens: u64,
}

#[derive(Deserialize)]
struct Answer {
    usage: Option<Usage>,
}

enum Reply {
    Whole(Full<Bytes>),
    Stream { inner: Incoming, plan: &'static Plan },
}

impl Body for Reply {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|e: Infallible| match e {}),
            Self::Stream { inner, plan } => {
                let frame = ready!(Pin::new(inner).poll_frame(cx));
                if let Some(Ok(frame)) = &frame
                    && let Some(data) = frame.data_ref()
                {
                    charge(plan, data);
                }
                Poll::Ready(frame)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream { inner, .. } => inner.size_hint(),
        }
    }
}

/// Charges the usage that these bytes of a stream hold. Good enough for a floor: it finds no event that is split.
fn charge(plan: &Plan, bytes: &[u8]) {
    if let Some(at) = memchr::memmem::find(bytes, b"\"usage\":{") {
        let mut usage = serde_json::Deserializer::from_slice(&bytes[at + 8..]);
        if let Ok(usage) = Usage::deserialize(&mut usage) {
            plan.used.fetch_add(usage.total_tokens, Relaxed);
        }
    }
}

fn refuse(status: StatusCode) -> Response<Reply> {
    let mut answer = Response::new(Reply::Whole(Full::new(Bytes::from_static(b"{}"))));
    *answer.status_mut() = status;
    answer
}

async fn handle(gateway: &'static Gateway, request: Request<Incoming>) -> Result<Response<Reply>, hyper::Error> {
    let (mut head, body) = request.into_parts();
    let key = head.headers.get(AUTHORIZATION).and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    let Some(plan) = key.and_then(|k| gateway.keys.get(&<[u8; 32]>::from(Sha256::digest(k)))) else {
        return Ok(refuse(StatusCode::UNAUTHORIZED));
    };
    let body = body.collect().await?.to_bytes();
    let Ok(ask) = serde_json::from_slice::<Ask>(&body) else { return Ok(refuse(StatusCode::BAD_REQUEST)) };
    if ask.model.is_empty() || !plan.admits(ask.messages.get().len() as f64 / 4.0) {
        return Ok(refuse(StatusCode::TOO_MANY_REQUESTS));
    }
    let stream = ask.stream;
    let Ok(uri) = format!("{}{}", gateway.upstream, head.uri.path()).parse::<Uri>() else {
        return Ok(refuse(StatusCode::BAD_REQUEST));
    };
    head.uri = uri;
    head.headers.insert(AUTHORIZATION, gateway.auth.clone());
    head.headers.remove(HOST);
    head.headers.remove(CONNECTION);
    let Ok(reply) = gateway.client.request(Request::from_parts(head, Full::new(body))).await else {
        return Ok(refuse(StatusCode::BAD_GATEWAY));
    };
    let (head, body) = reply.into_parts();
    if stream {
        return Ok(Response::from_parts(head, Reply::Stream { inner: body, plan }));
    }
    let body = body.collect().await?.to_bytes();
    if let Ok(Answer { usage: Some(usage) }) = serde_json::from_slice(&body) {
        plan.used.fetch_add(usage.total_tokens, Relaxed);
    }
    Ok(Response::from_parts(head, Reply::Whole(Full::new(body))))
}

async fn serve(gateway: &'static Gateway, addr: &str) -> std::io::Result<()> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr.parse().map_err(std::io::Error::other)?)?;
    // The default backlog of 128 drops a burst of new connections, each of which then waits a second to try again.
    let listener = socket.listen(4096)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(gateway, request));
            let mut server = hyper::server::conn::http1::Builder::new();
            // A client that went away is no concern of the floor's.
            let _ = server.header_read_timeout(None).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn main() -> std::io::Result<()> {
    let env = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    // A thousand keys, of which one is used.
    let names = (0..1000).map(|i| format!("sk-{i}")).chain(["sk-test".into()]);
    let plan = || Plan { requests: Bucket::roomy(), tokens: Bucket::roomy(), used: AtomicU64::new(0) };
    let keys = names.map(|name| (Sha256::digest(name).into(), plan())).collect();
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    let gateway: &'static Gateway = Box::leak(Box::new(Gateway {
        keys,
        client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1024).build(http),
        upstream: env("FLOOR_UPSTREAM", "http://127.0.0.1:19100"),
        auth: HeaderValue::from_static("Bearer sk-upstream"),
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(gateway, &env("FLOOR_ADDR", "127.0.0.1:19240")))
}
