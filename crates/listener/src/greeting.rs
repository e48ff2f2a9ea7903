//! The first bytes of a connection, which tell HTTP/2 from HTTP/1.1 and are read again afterwards. It knows no requests.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// How HTTP/2 begins.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What was read and not yet read again.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    bytes: [u8; PREFACE.len()],
    len: u8,
    given: u8,
}

impl Greeting {
    /// Reads until it is clear whether the client speaks HTTP/2.
    pub(crate) fn poll(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let read = usize::from(self.len);
            let is_alike = self.bytes.get(..read) == PREFACE.get(..read);
            if !is_alike || read == PREFACE.len() {
                return Poll::Ready(Ok(is_alike));
            }
            let mut buffer = ReadBuf::new(self.bytes.get_mut(read..).unwrap_or_default());
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let n = buffer.filled().len();
            if n == 0 {
                return Poll::Ready(Ok(false));
            }
            self.len += u8::try_from(n).unwrap_or(u8::MAX);
        }
    }

    /// Gives it to whoever reads next.
    pub(crate) fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let left = self.bytes.get(usize::from(self.given)..usize::from(self.len)).unwrap_or_default();
        let n = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..n).unwrap_or_default());
        self.given += u8::try_from(n).unwrap_or(u8::MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Gives a text in pieces of `step` bytes, then its end.
    struct Pieces<'a> {
        text: &'a [u8],
        step: usize,
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let n = self.step.min(self.text.len()).min(buffer.remaining());
            let (now, later) = self.text.split_at(n);
            buffer.put_slice(now);
            self.text = later;
            Poll::Ready(Ok(()))
        }
    }

    /// Whether it is HTTP/2, and all that is read afterwards in two reads.
    fn greet(text: &[u8], step: usize) -> (bool, Vec<u8>) {
        let (mut greeting, mut pieces) = (Greeting::default(), Pieces { text, step });
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(is_h2)) = greeting.poll(&mut pieces, &mut cx) else { panic!("no verdict") };
        let mut again = Vec::new();
        for room in [3, 100] {
            let mut buffer = vec![0; room];
            let mut buffer = ReadBuf::new(&mut buffer);
            greeting.give(&mut buffer);
            again.extend_from_slice(buffer.filled());
        }
        again.extend_from_slice(pieces.text);
        (is_h2, again)
    }

    #[test]
    fn the_preface_tells_and_nothing_of_it_is_lost() {
        let h2 = [&PREFACE[..], b"and more"].concat();
        for step in 1..=h2.len() {
            assert_eq!(greet(&h2, step), (true, h2.clone()));
            for text in [&b"POST /v1/chat/completions HTTP/1.1\r\n"[..], b"PRI * HTTP/1.1\r\n\r\n", b"PRI", b"", b"P", b"\r\n"] {
                assert_eq!(greet(text, step), (false, text.to_vec()));
            }
        }
    }
}
