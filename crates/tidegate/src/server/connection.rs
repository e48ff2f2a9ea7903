//! One connection from the handshake to its end: HTTP/1.1 or HTTP/2 with their bounds, and obedience to the watch.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Order};
use super::connections::Registered;
use super::dispatch::{Routes, Site};
use super::socket::{Socket, Stream};
use crate::caps::{
    H2_CONNECTION_WINDOW_BYTES, H2_SEND_BUFFER_BYTES, H2_STREAM_WINDOW_BYTES, MAX_H2_STREAMS, MAX_HEAD_BYTES, MAX_HEADER_LIST_BYTES,
};

/// Runs the streams of HTTP/2 connections where shutdown waits for them.
#[derive(Clone)]
pub(super) struct Tracked(pub(super) TaskTracker);

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tracked {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// What every connection is served with. hyper's own timer for heads is off: it would also end idle connections.
pub(super) fn builder(tasks: TaskTracker) -> auto::Builder<Tracked> {
    let mut builder = auto::Builder::new(Tracked(tasks));
    builder.http1().header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
    builder
        .http2()
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(H2_SEND_BUFFER_BYTES);
    builder
}

/// Serves a connection to its end.
pub(super) async fn serve(
    builder: Arc<auto::Builder<Tracked>>,
    stream: Stream,
    peer: SocketAddr,
    routes: Arc<Routes>,
    site: Site,
    registered: Registered,
) {
    let activity = Arc::clone(&registered.activity);
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&activity)));
    let counter = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let in_flight = counter.request(request.version() == Version::HTTP_2);
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(request, peer, site, in_flight).await) }
    });
    let connection = std::pin::pin!(builder.serve_connection(socket, service));
    let obedient = Obedient { connection, activity, is_finishing: false };
    if let Err(error) = obedient.await {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

/// A connection that also does what the watch orders.
struct Obedient<C> {
    connection: C,
    activity: Arc<Activity>,
    is_finishing: bool,
}

/// What can be asked to finish.
trait Finish {
    fn finish(self: Pin<&mut Self>);
}

impl<I, S, E, B> Finish for auto::Connection<'_, I, S, E>
where
    S: hyper::service::Service<Request<Incoming>, Response = http::Response<B>>,
    S::Future: 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    E: auto::HttpServerConnExec<S::Future, B>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<C, E> Future for Obedient<Pin<&mut C>>
where
    C: Future<Output = Result<(), E>> + Finish,
{
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        match self.activity.poll_order(cx.waker()) {
            Order::GoOn => {}
            Order::Finish if self.is_finishing => {}
            Order::Finish => {
                self.is_finishing = true;
                self.connection.as_mut().finish();
            }
            Order::Cut => return Poll::Ready(Ok(())),
        }
        self.connection.as_mut().poll(cx)
    }
}
