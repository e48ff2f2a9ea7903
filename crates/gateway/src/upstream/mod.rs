//! The HTTP client towards providers: pooled keep-alive, TLS where the address says so, a proxy where the environment says so.
//! It knows no provider and repeats nothing that was begun.

mod answer_head;
mod framing;
mod line;
mod lines;
mod unsent;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower::Service;

use crate::addresses::Addresses;
use crate::attempts::SentMark;
use crate::caps;
use line::{Begun, Line, LineFault};
use lines::Lines;
use wire::Wire;

pub(crate) use lines::AnswerBody;
pub use wire::Network;

/// A request's body on its way to a provider. It marks when a connection takes it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: Bytes,
    mark: Option<SentMark>,
}

impl Outgoing {
    pub(crate) fn new(bytes: Bytes, mark: Option<SentMark>) -> Self {
        Self { bytes, mark }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Some(mark) = this.mark.take() {
            mark.set();
        }
        let bytes = std::mem::take(&mut this.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// Why no answer's head came.
#[derive(Debug)]
pub(crate) enum SendFault {
    /// No connection.
    Connect(String),
    /// The connection broke before the head.
    Broke(String),
    /// TLS can't be used at all.
    NoTls(String),
    /// The answer's head did not come by the deadline.
    TimedOut,
}

impl SendFault {
    fn of(error: &Error) -> Self {
        let text = innermost(error);
        if error.is_connect() { Self::Connect(text) } else { Self::Broke(text) }
    }
}

/// The innermost cause says most: `connection refused` and not `client error`.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

type Secure = Client<HttpsConnector<Dial>, Outgoing>;

/// The client. TLS is set up when it is first needed, so that a gateway without it starts faster and smaller.
pub(crate) struct Upstream {
    plain: Lines,
    connector: HttpConnector<Addresses>,
    secure: OnceLock<Result<Secure, String>>,
    proxy_from_environment: bool,
    network: Option<Arc<dyn Network>>,
}

impl Upstream {
    pub(crate) fn new(proxy_from_environment: bool, network: Option<Arc<dyn Network>>) -> Self {
        Self { plain: Lines::default(), connector: connector(), secure: OnceLock::new(), proxy_from_environment, network }
    }

    /// Sends a request and waits for the head of the answer until the deadline. The request is used up.
    pub(crate) async fn send(&self, request: &mut Request<Outgoing>, deadline: Instant) -> Result<Response<AnswerBody>, SendFault> {
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            // Boxed, as whatever is rare or costly anyway: each request would carry the room for it.
            let request = std::mem::replace(request, Request::new(Outgoing::new(Bytes::new(), None)));
            Box::pin(self.send_secure(request, deadline)).await
        } else {
            self.send_plain(request, deadline).await
        }
    }

    async fn send_secure(&self, request: Request<Outgoing>, deadline: Instant) -> Result<Response<AnswerBody>, SendFault> {
        let secure = self.secure.get_or_init(|| secure(self.proxy_from_environment)).as_ref();
        let client = secure.map_err(|fault| SendFault::NoTls(fault.clone()))?;
        let sent = timeout_at(deadline, client.request(request)).await.map_err(|_| SendFault::TimedOut)?;
        sent.map(|answer| answer.map(AnswerBody::Secure)).map_err(|error| SendFault::of(&error))
    }

    async fn send_plain(&self, request: &mut Request<Outgoing>, deadline: Instant) -> Result<Response<AnswerBody>, SendFault> {
        let origin = request.uri().authority().and_then(|authority| self.plain.origin(authority));
        let Some(origin) = origin else { return Err(SendFault::Connect("the address has no host".into())) };
        request.headers_mut().entry(HOST).or_insert_with(|| origin.host.clone());
        let mut is_tried = false;
        loop {
            let idle = if is_tried { None } else { origin.take(Instant::now()) };
            let is_used = idle.is_some();
            let mut line = match idle {
                Some(line) => line,
                None => Box::pin(self.connect(request.uri().clone(), deadline)).await?,
            };
            match line.send(request, deadline).await {
                Ok(Begun { head, first }) => {
                    return Ok(head.response.map(|()| AnswerBody::over(line, origin, head.framing, first, head.keeps_open)));
                }
                // The provider has closed it meanwhile, and nothing of the request was sent.
                Err(LineFault::NotBegun(_)) if is_used => {}
                // The same, but the request had gone: a provider that closes idle connections answers none of it. Once more, on a new one.
                Err(LineFault::Unanswered) if is_used => is_tried = true,
                Err(LineFault::TimedOut) => return Err(SendFault::TimedOut),
                Err(fault) => return Err(SendFault::Broke(fault.to_string())),
            }
        }
    }

    async fn connect(&self, address: Uri, deadline: Instant) -> Result<Box<Line>, SendFault> {
        let connecting = async {
            let Some(network) = &self.network else {
                let wire = self.connector.clone().call(address).await.map_err(|error| SendFault::Connect(innermost(&error)))?;
                return Ok(Wire::Tcp(wire.into_inner()));
            };
            let wire = network.connect(address.host().unwrap_or_default()).await;
            wire.map(Wire::Memory).map_err(|error| SendFault::Connect(error.to_string()))
        };
        let wire = timeout_at(deadline, connecting).await.map_err(|_| SendFault::TimedOut)??;
        Ok(Box::new(Line::over(wire)))
    }
}

fn builder(idle: std::time::Duration) -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(idle).pool_max_idle_per_host(caps::IDLE_CONNECTIONS);
    builder
}

fn connector() -> HttpConnector<Addresses> {
    let mut http = HttpConnector::new_with_resolver(Addresses::new());
    http.set_nodelay(true);
    http.set_connect_timeout(Some(caps::CONNECT));
    http.enforce_http(false);
    http
}

/// HTTP/1.1 over TLS as well: one HTTP/2 connection would queue requests behind the server's limit of streams.
fn secure(proxy_from_environment: bool) -> Result<Secure, String> {
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|e| format!("no root certificates can be read from this system: {e}"))?;
    let dial = Dial { direct: connector(), proxies: proxy_from_environment.then(|| Matcher::from_env().into()) };
    Ok(builder(caps::IDLE_TLS).build(https.https_only().enable_http1().wrap_connector(dial)))
}

/// Connects directly, or through the proxy that the environment names for the address.
#[derive(Clone)]
struct Dial {
    direct: HttpConnector<Addresses>,
    proxies: Option<Arc<Matcher>>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&address)) else {
            let connecting = self.direct.call(address);
            return Box::pin(async move { connecting.await.map_err(Into::into) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.direct.clone());
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let connecting = tunnel.call(address);
        Box::pin(async move { connecting.await.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests;
