//! Which plane a request belongs to, by its path's beginning. It reads no body and decides nothing about a caller, but
//! for `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use gateway::Gateway;
use http::{Request, Response};
use hyper::body::Incoming;
use store::Store;
use tower::ServiceExt;

use super::activity::InFlight;
use super::body::{Body, Inner};
use super::metrics::ServerMetrics;
use super::{health, metrics, peer};
use crate::network::Network;

/// Which of the listeners a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The one for everything; with whether `/metrics` is served there.
    Main { has_metrics: bool },
    /// `/metrics` alone, without a token.
    Metrics,
}

/// The control plane. Its routes and their documentation are made for the first caller: they need memory that the data plane
/// never does.
pub type ControlPlane = LazyLock<axum::Router, Box<dyn FnOnce() -> axum::Router + Send>>;

/// The two planes.
pub struct Planes {
    pub gateway: Arc<Gateway>,
    pub control: ControlPlane,
}

/// What requests are answered with.
pub struct Routes {
    pub planes: Planes,
    pub store: Store,
    pub metrics: ServerMetrics,
    pub operator_token_hash: [u8; 32],
    pub trusted_proxies: Vec<Network>,
    pub is_stopping: AtomicBool,
}

enum Place {
    Model,
    Control,
    Health,
    Ready,
    Metrics,
    Nowhere,
}

fn place(path: &str) -> Place {
    let is_below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_below("/v1") || is_below("/openai/v1") {
        Place::Model
    } else if is_below("/api/v1") || control::is_page(path) {
        Place::Control
    } else {
        match path {
            "/healthz" => Place::Health,
            "/readyz" => Place::Ready,
            "/metrics" => Place::Metrics,
            _ => Place::Nowhere,
        }
    }
}

impl Routes {
    /// Answers one request.
    pub(crate) fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        site: Site,
        in_flight: InFlight,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send {
        let client = peer::client(peer, request.headers(), &self.trusted_proxies);
        let access = tracing::enabled!(target: "tidegate::access", tracing::Level::DEBUG).then(|| Access::of(&request, client));
        // No async function: it would keep room for the request twice.
        async move {
            let answer = match (site, place(request.uri().path())) {
                (Site::Main { .. }, Place::Model) => self.planes.gateway.handle(request, client).await.map(Inner::Gateway),
                // Boxed: every request to a model would carry the room for it.
                (Site::Main { .. }, Place::Control) => Box::pin(self.answer_control(request, client)).await,
                (Site::Main { has_metrics }, place) => self.answer_itself(place, &request, has_metrics),
                (Site::Metrics, place) => self.answer_metrics_alone(place, &request),
            };
            if let Some(access) = access {
                access.log(&answer);
            }
            Ok(answer.map(|inner| Body::new(inner, in_flight)))
        }
    }

    async fn answer_control(&self, mut request: Request<Incoming>, client: SocketAddr) -> Response<Inner> {
        request.extensions_mut().insert(control::ClientAddress(client.ip()));
        match self.planes.control.clone().oneshot(request.map(axum::body::Body::new)).await {
            Ok(answer) => answer.map(Inner::Control),
            Err(never) => match never {},
        }
    }

    fn answer_itself(&self, place: Place, request: &Request<Incoming>, has_metrics: bool) -> Response<Inner> {
        match place {
            Place::Health => health::alive(request.method()),
            Place::Ready => health::ready(request.method(), &self.store.health(), self.is_stopping.load(Relaxed)),
            Place::Metrics if has_metrics => metrics::answer_authorised(self, request),
            Place::Metrics | Place::Model | Place::Control | Place::Nowhere => health::nowhere(),
        }
    }

    fn answer_metrics_alone(&self, place: Place, request: &Request<Incoming>) -> Response<Inner> {
        match place {
            Place::Metrics => metrics::answer(self, request.method()),
            Place::Health => health::alive(request.method()),
            Place::Model | Place::Control | Place::Ready | Place::Nowhere => health::nowhere(),
        }
    }
}

/// One line a request for whoever looks into something; never its query, its body or its headers.
struct Access {
    method: http::Method,
    path: String,
    client: SocketAddr,
    began: tokio::time::Instant,
}

impl Access {
    fn of(request: &Request<Incoming>, client: SocketAddr) -> Self {
        Self { method: request.method().clone(), path: request.uri().path().into(), client, began: tokio::time::Instant::now() }
    }

    fn log(self, answer: &Response<Inner>) {
        let (Self { method, path, client, began }, status) = (self, answer.status().as_u16());
        let request_id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let head_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(target: "tidegate::access", %method, path, status, %client, request_id, head_us, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_to_their_plane() {
        let of = |path| match place(path) {
            Place::Model => "model",
            Place::Control => "control",
            Place::Health => "health",
            Place::Ready => "ready",
            Place::Metrics => "metrics",
            Place::Nowhere => "nowhere",
        };
        for (path, plane) in [
            ("/v1/chat/completions", "model"),
            ("/v1", "model"),
            ("/openai/v1/models", "model"),
            ("/api/v1/orgs", "control"),
            ("/setup", "control"),
            ("/pages/account.js", "control"),
            ("/pages/other.js", "nowhere"),
            ("/setup/", "nowhere"),
            ("/healthz", "health"),
            ("/readyz", "ready"),
            ("/metrics", "metrics"),
            ("/v10/models", "nowhere"),
            ("/api/v2", "nowhere"),
            ("/", "nowhere"),
            ("/healthz/", "nowhere"),
            ("*", "nowhere"),
        ] {
            assert_eq!(of(path), plane, "{path}");
        }
    }
}
