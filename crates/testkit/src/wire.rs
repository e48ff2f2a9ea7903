//! HTTP/1.1 as bytes: heads, bodies, chunks. Shared by the client and the upstream; it takes what it is sent as it is.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How long a test waits for the other side before it fails instead of hanging.
pub const WAIT: Duration = Duration::from_secs(60);

/// `future`, or `TimedOut` after [`WAIT`].
pub(crate) async fn in_time<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(WAIT, future).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

/// Header lines in the order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a header, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// All names in lower case, in order.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.to_lowercase()).collect()
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.get(name).is_some_and(|v| v.split(',').any(|t| t.trim().eq_ignore_ascii_case(token)))
    }
}

/// A start line and header lines.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) first: String,
    pub(crate) headers: Headers,
}

/// How a body's end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks; inside of one so many bytes are left.
    Chunked(u64),
    /// Until the connection closes.
    UntilClose,
    /// Its end was reached.
    Done,
}

impl Framing {
    pub(crate) fn of_request(headers: &Headers) -> Self {
        if headers.has_token("transfer-encoding", "chunked") {
            return Self::Chunked(0);
        }
        match headers.get("content-length").and_then(|v| v.parse().ok()) {
            Some(n) if n > 0 => Self::Length(n),
            _ => Self::Done,
        }
    }

    pub(crate) fn of_answer(method: &str, status: u16, headers: &Headers) -> Self {
        if method == "HEAD" || status == 204 || status == 304 {
            return Self::Done;
        }
        match (Self::of_request(headers), headers.get("content-length")) {
            (Self::Done, None) => Self::UntilClose,
            (framing, _) => framing,
        }
    }
}

/// Reads from one side of a connection.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    io: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(io: R) -> Self {
        Self { io, buffer: BytesMut::new() }
    }

    /// Reads what has come into the buffer; 0 at the end. Cancelling it loses nothing.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.io.read_buf(&mut self.buffer).await
    }

    /// Everything up to and with `mark`; `None` when the connection ended before its first byte.
    async fn until(&mut self, mark: &[u8]) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|w| w == mark) {
                return Ok(Some(self.buffer.split_to(at + mark.len()).freeze()));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// The next head; `None` when the connection ended before one.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        let Some(bytes) = self.until(b"\r\n\r\n").await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default().to_owned();
        let pair = |line: &str| line.split_once(':').map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned()));
        Ok(Some(Head { first, headers: Headers(lines.filter_map(pair).collect()) }))
    }

    /// The next piece of a body, as it came; `None` at its end. A connection that closes too early is an error.
    pub(crate) async fn piece(&mut self, framing: &mut Framing) -> io::Result<Option<Bytes>> {
        loop {
            match *framing {
                Framing::Done => return Ok(None),
                Framing::Length(0) => *framing = Framing::Done,
                Framing::Length(left) => {
                    let piece = self.some(left).await?;
                    *framing = Framing::Length(left - piece.len() as u64);
                    return Ok(Some(piece));
                }
                Framing::Chunked(0) => *framing = self.chunk_head().await?,
                Framing::Chunked(left) => {
                    let piece = self.some(left).await?;
                    let left = left - piece.len() as u64;
                    if left == 0 {
                        self.until(b"\r\n").await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    }
                    *framing = Framing::Chunked(left);
                    return Ok(Some(piece));
                }
                Framing::UntilClose => {
                    if self.buffer.is_empty() && self.fill().await? == 0 {
                        *framing = Framing::Done;
                        return Ok(None);
                    }
                    return Ok(Some(self.buffer.split().freeze()));
                }
            }
        }
    }

    async fn chunk_head(&mut self) -> io::Result<Framing> {
        let line = self.until(b"\r\n").await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let text = String::from_utf8_lossy(&line);
        let size = text.split(';').next().map(str::trim).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        match size.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("a chunk of size {text:?}")))? {
            0 => {
                while self.until(b"\r\n").await?.ok_or(io::ErrorKind::UnexpectedEof)? != "\r\n" {}
                Ok(Framing::Done)
            }
            size => Ok(Framing::Chunked(size)),
        }
    }

    /// At least one and at most `most` bytes.
    async fn some(&mut self, most: u64) -> io::Result<Bytes> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let take = usize::try_from(most).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(self.buffer.split_to(take).freeze())
    }

    /// A whole body.
    pub(crate) async fn body(&mut self, mut framing: Framing) -> io::Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(piece) = self.piece(&mut framing).await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_a_chunked_body_in_pieces_and_the_next_head() {
        let mut reader = Reader::new(
            &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\nHTTP/1.1 204 x\r\n\r\n"[..],
        );
        let head = reader.head().await.unwrap().unwrap();
        let mut framing = Framing::of_answer("GET", 200, &head.headers);
        assert_eq!(reader.piece(&mut framing).await.unwrap().unwrap(), "abc");
        assert_eq!(reader.piece(&mut framing).await.unwrap().unwrap(), "de");
        assert_eq!(reader.piece(&mut framing).await.unwrap(), None);
        assert_eq!(reader.head().await.unwrap().unwrap().first, "HTTP/1.1 204 x");
        assert!(reader.head().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_body_cut_short_is_an_error() {
        for (text, framing) in [(&b"3\r\nab"[..], Framing::Chunked(0)), (&b"ab"[..], Framing::Length(3))] {
            let error = Reader::new(text).body(framing).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
