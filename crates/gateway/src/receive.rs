//! The request's body, bounded in size and time. It knows nothing of what is in it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::Body;

use crate::caps;

/// Why there is no whole body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReceiveFault {
    /// It is compressed.
    Encoded,
    /// It is longer than this many bytes.
    TooLarge(u64),
    /// It didn't come within this time.
    TooSlow(Duration),
    /// The connection broke; nobody will read the answer.
    Broken,
}

/// Reads the whole body.
pub(crate) async fn receive<B>(headers: &HeaderMap, body: &mut B, most: u64, within: Duration) -> Result<Bytes, ReceiveFault>
where
    B: Body<Data = Bytes> + Unpin,
{
    if headers.get(CONTENT_ENCODING).is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity") && !v.is_empty()) {
        return Err(ReceiveFault::Encoded);
    }
    let declared = body.size_hint().exact().or_else(|| content_length(headers));
    if declared.is_some_and(|n| n > most) {
        return Err(ReceiveFault::TooLarge(most));
    }
    let mut collected = Collected { parts: Parts::None, bytes: 0, most, declared };
    // Most bodies have come with their head: no timer for those.
    let ready = poll_fn(|cx| Poll::Ready(collected.poll(body, cx))).await;
    let finished = match ready {
        Poll::Ready(finished) => finished,
        Poll::Pending => {
            tokio::time::timeout(within, poll_fn(|cx| collected.poll(body, cx))).await.unwrap_or(Err(ReceiveFault::TooSlow(within)))
        }
    };
    finished.map(|()| collected.parts.into_bytes())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

enum Parts {
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Parts {
    fn push(&mut self, part: Bytes, declared: Option<u64>) {
        *self = match std::mem::replace(self, Self::None) {
            Self::None => Self::One(part),
            Self::One(first) => {
                let expected = declared.and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(caps::BODY_START_BYTES);
                let mut all = BytesMut::with_capacity(expected.max(first.len() + part.len()));
                all.extend_from_slice(&first);
                all.extend_from_slice(&part);
                Self::Many(all)
            }
            Self::Many(mut all) => {
                all.extend_from_slice(&part);
                Self::Many(all)
            }
        };
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            // A copy of its own lets hyper use its read buffer again instead of making a new one for each request.
            Self::One(part) if part.len() <= caps::BODY_START_BYTES => Bytes::copy_from_slice(&part),
            Self::One(part) => part,
            Self::Many(all) => all.freeze(),
        }
    }
}

struct Collected {
    parts: Parts,
    bytes: u64,
    most: u64,
    declared: Option<u64>,
}

impl Collected {
    fn poll<B: Body<Data = Bytes> + Unpin>(&mut self, body: &mut B, cx: &mut Context<'_>) -> Poll<Result<(), ReceiveFault>> {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(ReceiveFault::Broken)),
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(part) = frame.into_data() else { continue };
                    self.bytes = self.bytes.saturating_add(part.len() as u64);
                    if self.bytes > self.most {
                        return Poll::Ready(Err(ReceiveFault::TooLarge(self.most)));
                    }
                    self.parts.push(part, self.declared);
                    if body.is_end_stream() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http_body::Frame;

    use super::*;

    /// Gives its pieces, then ends or stays silent.
    struct Pieces {
        left: VecDeque<&'static [u8]>,
        endless: bool,
        silent: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.left.pop_front() {
                Some(piece) => {
                    if self.endless {
                        self.left.push_back(piece);
                    }
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece)))))
                }
                None if self.silent => Poll::Pending,
                None => Poll::Ready(None),
            }
        }
    }

    fn pieces(left: &[&'static [u8]]) -> Pieces {
        Pieces { left: left.iter().copied().collect(), endless: false, silent: false }
    }

    async fn read(mut body: Pieces, headers: &[(&'static str, &'static str)]) -> Result<Bytes, ReceiveFault> {
        let headers = headers.iter().map(|(n, v)| (http::HeaderName::from_static(n), http::HeaderValue::from_static(v))).collect();
        receive(&headers, &mut body, 10, Duration::from_secs(30)).await
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_put_together() {
        assert_eq!(read(pieces(&[]), &[]).await, Ok(Bytes::new()));
        assert_eq!(read(pieces(&[b"abc"]), &[]).await, Ok(Bytes::from_static(b"abc")));
        assert_eq!(read(pieces(&[b"abc", b"", b"defghij"]), &[("content-length", "10")]).await, Ok(Bytes::from_static(b"abcdefghij")));
    }

    #[tokio::test(start_paused = true)]
    async fn too_large_is_known_from_the_header_or_as_soon_as_it_is_passed() {
        let large = Err(ReceiveFault::TooLarge(10));
        assert_eq!(read(Pieces { silent: true, ..pieces(&[]) }, &[("content-length", "11")]).await, large);
        assert_eq!(read(Pieces { endless: true, ..pieces(&[b"abc"]) }, &[]).await, large);
        assert_eq!(read(pieces(&[b"0123456789a"]), &[]).await, large);
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_body_has_one_deadline() {
        let slow = Pieces { silent: true, ..pieces(&[b"abc"]) };
        assert_eq!(read(slow, &[]).await, Err(ReceiveFault::TooSlow(Duration::from_secs(30))));
    }

    #[tokio::test(start_paused = true)]
    async fn compressed_bodies_are_refused() {
        assert_eq!(read(pieces(&[b"abc"]), &[("content-encoding", "gzip")]).await, Err(ReceiveFault::Encoded));
        assert_eq!(read(pieces(&[b"abc"]), &[("content-encoding", "identity")]).await, Ok(Bytes::from_static(b"abc")));
    }
}
