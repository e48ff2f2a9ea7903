//! One connection from the handshake to its end: HTTP/1.1 or HTTP/2 with their bounds, and obedience to the watch.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
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
pub(crate) struct Tracked(pub(crate) TaskTracker);

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tracked {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// What every connection is served with.
pub(crate) struct Builders {
    http1: http1::Builder,
    http2: http2::Builder<Tracked>,
}

impl Builders {
    /// hyper's own timer for heads is off: it would also end idle connections.
    pub(crate) fn new(tasks: TaskTracker) -> Self {
        let mut builders = Self { http1: http1::Builder::new(), http2: http2::Builder::new(Tracked(tasks)) };
        builders.http1.header_read_timeout(None).max_buf_size(MAX_HEAD_BYTES);
        builders
            .http2
            .max_concurrent_streams(MAX_H2_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST_BYTES)
            .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(H2_SEND_BUFFER_BYTES);
        builders
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(
    builders: Arc<Builders>,
    stream: Stream,
    peer: SocketAddr,
    routes: Arc<Routes>,
    site: Site,
    registered: Registered,
) {
    let activity = Arc::clone(&registered.activity);
    let mut socket = Socket::new(stream, Arc::clone(&activity));
    let is_h2 = poll_fn(|cx| match activity.poll_order(cx.waker()) {
        Order::GoOn => socket.poll_is_h2(cx).map(Result::ok),
        Order::Finish | Order::Cut => Poll::Ready(None),
    });
    let Some(is_h2) = is_h2.await else { return };
    let (socket, counter) = (TokioIo::new(socket), Arc::clone(&activity));
    let service = service_fn(move |request: Request<Incoming>| {
        let in_flight = counter.request(is_h2);
        // Boxed, so that an answer that lasts doesn't keep the room that finding it took.
        Box::pin(Arc::clone(&routes).answer(request, peer, site, in_flight))
    });
    let ended = if is_h2 {
        // Boxed: every connection would carry the room for it.
        Box::pin(Obedient { connection: builders.http2.serve_connection(socket, service), activity, is_finishing: false }).await
    } else {
        Obedient { connection: builders.http1.serve_connection(socket, service), activity, is_finishing: false }.await
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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

impl<I, S, B> Finish for http1::Connection<I, S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B> Finish for http2::Connection<I, S, Tracked>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<BoxError>,
    Tracked: Http2ServerConnExec<S::Future, B>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<C, E> Future for Obedient<C>
where
    C: Future<Output = Result<(), E>> + Finish + Unpin,
{
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        match self.activity.poll_order(cx.waker()) {
            Order::GoOn => {}
            Order::Finish if self.is_finishing => {}
            Order::Finish => {
                self.is_finishing = true;
                Pin::new(&mut self.connection).finish();
            }
            Order::Cut => return Poll::Ready(Ok(())),
        }
        Pin::new(&mut self.connection).poll(cx)
    }
}
