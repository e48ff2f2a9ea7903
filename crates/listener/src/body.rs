//! An answer's body: the data plane's unboxed, the control plane's as its router gives it, or a short text.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::Full;

use super::activity::InFlight;

/// The body, which counts as a request in progress until it is dropped.
pub(crate) struct Body {
    inner: Inner,
    _in_flight: InFlight,
}

pub(crate) enum Inner {
    Gateway(gateway::Body),
    Control(axum::body::Body),
    Text(Full<Bytes>),
}

impl Body {
    pub(crate) fn new(inner: Inner, in_flight: InFlight) -> Self {
        Self { inner, _in_flight: in_flight }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.inner {
            Inner::Gateway(body) => Pin::new(body).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|never| match never {}))),
            Inner::Control(body) => Pin::new(body).poll_frame(cx),
            Inner::Text(body) => Pin::new(body).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(|never| match never {}))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Gateway(body) => body.is_end_stream(),
            Inner::Control(body) => body.is_end_stream(),
            Inner::Text(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Gateway(body) => body.size_hint(),
            Inner::Control(body) => body.size_hint(),
            Inner::Text(body) => body.size_hint(),
        }
    }
}
