//! A request as it goes on the wire, and how much of it has gone. It knows no answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request};
use tokio::io::AsyncWrite;

use super::Outgoing;
use crate::attempts::SentMark;
use crate::caps;

/// What of a request has not been written.
pub(super) struct Unsent {
    /// The head, with the body behind it where that is short.
    text: Vec<u8>,
    written: usize,
    /// The body, if it isn't in `text`.
    body: Bytes,
    mark: Option<SentMark>,
}

impl Unsent {
    pub(super) fn of(request: &mut Request<Outgoing>) -> Self {
        let mark = request.body_mut().mark.take();
        let body = &request.body().bytes;
        let is_short = body.len() <= caps::BODY_WITH_HEAD_BYTES;
        let mut text = head(request, if is_short { body.len() } else { 0 });
        if is_short {
            text.extend_from_slice(body);
        }
        Self { text, written: 0, body: if is_short { Bytes::new() } else { body.clone() }, mark }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.written > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written >= self.text.len() && self.body.is_empty()
    }

    /// Gives back the mark of a request of which nothing was written.
    pub(super) fn into_mark(self) -> Option<SentMark> {
        self.mark
    }

    /// Writes what can be written; ready when all is.
    pub(super) fn poll_write(&mut self, wire: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let text = self.text.get(self.written..).unwrap_or_default();
            let next = if text.is_empty() { &self.body[..] } else { text };
            let n = ready!(Pin::new(&mut *wire).poll_write(cx, next))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if let Some(mark) = self.mark.take() {
                mark.set();
            }
            if text.is_empty() {
                drop(self.body.split_to(n));
            } else {
                self.written += n;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The head with room for `room` bytes behind it.
fn head(request: &Request<Outgoing>, room: usize) -> Vec<u8> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let lines: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut text = Vec::with_capacity(request.method().as_str().len() + path.len() + lines + 64 + room);
    for part in [request.method().as_str(), " ", path, " HTTP/1.1\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        // What frames the request is said here and nowhere else.
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING || name == CONNECTION {
            continue;
        }
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(part);
        }
    }
    let bytes = request.body().bytes.len();
    if bytes > 0 || request.method() != Method::GET {
        text.extend_from_slice(b"content-length: ");
        text.extend_from_slice(bytes.to_string().as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http::HeaderValue;

    use super::*;

    /// Takes so many bytes at once, then nothing until asked again.
    struct Narrow {
        step: usize,
        is_full: bool,
        taken: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.is_full = !self.is_full;
            if !self.is_full {
                return Poll::Pending;
            }
            let n = bytes.len().min(self.step);
            self.taken.extend_from_slice(&bytes[..n]);
            Poll::Ready(Ok(n))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn written(method: Method, body: Bytes, step: usize) -> String {
        let mut request = Request::new(Outgoing::new(body, None));
        *request.method_mut() = method;
        *request.uri_mut() = "/v1/x?y=1".parse().unwrap();
        request.headers_mut().insert("host", HeaderValue::from_static("h:1"));
        request.headers_mut().insert("content-length", HeaderValue::from_static("999"));
        request.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
        let (mut unsent, mut wire) = (Unsent::of(&mut request), Narrow { step, is_full: false, taken: Vec::new() });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(!unsent.has_begun());
        while unsent.poll_write(&mut wire, &mut cx).is_pending() {
            assert!(unsent.has_begun() && !unsent.is_empty());
        }
        assert!(unsent.is_empty());
        String::from_utf8(wire.taken).unwrap()
    }

    #[test]
    fn a_request_is_written_whole_however_little_is_taken_at_once() {
        for len in [0, 1, caps::BODY_WITH_HEAD_BYTES, caps::BODY_WITH_HEAD_BYTES + 1] {
            let body = "x".repeat(len);
            let expected = format!("POST /v1/x?y=1 HTTP/1.1\r\nhost: h:1\r\ncontent-length: {len}\r\n\r\n{body}");
            for step in [7, 100_000] {
                assert_eq!(written(Method::POST, Bytes::from(body.clone()), step), expected);
            }
        }
        assert_eq!(written(Method::GET, Bytes::new(), 9), "GET /v1/x?y=1 HTTP/1.1\r\nhost: h:1\r\n\r\n");
    }
}
