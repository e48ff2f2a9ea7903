//! A small keep-alive HTTP/1.1 client: one connection, one request at a time. It does only what a load client needs, so
//! that it takes little of the machine that the gateway is measured on.

use std::io::{Error, ErrorKind, Result};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Connection {
    socket: TcpStream,
    unread: Vec<u8>,
}

/// How one answer went.
pub(crate) struct Outcome {
    pub(crate) status: u16,
    /// When the first byte of the body came; for a stream, its first event.
    pub(crate) first: Instant,
    pub(crate) done: Instant,
    /// `data:` events seen, without `[DONE]`.
    pub(crate) events: u64,
    pub(crate) body_bytes: u64,
    pub(crate) saw_done: bool,
    /// Whether the connection can carry another request.
    pub(crate) reusable: bool,
}

struct Head {
    status: u16,
    length: Option<usize>,
    chunked: bool,
    keep: bool,
}

/// What has been seen of a body.
struct Body {
    sse: bool,
    bytes: u64,
    first: Option<Instant>,
    events: Events,
}

/// Counts events across reads: it keeps only an unfinished line.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    data: u64,
    done: bool,
}

impl Connection {
    /// `addr` is `HOST:PORT`.
    pub(crate) async fn open(addr: &str) -> Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, unread: Vec::with_capacity(16 * 1024) })
    }

    /// Sends `request`, head and body, and reads the whole answer.
    pub(crate) async fn call(&mut self, request: &[u8], sse: bool) -> Result<Outcome> {
        self.unread.clear();
        self.socket.write_all(request).await?;
        let head = self.read_head().await?;
        let mut body = Body { sse, bytes: 0, first: None, events: Events::default() };
        match head.chunked {
            true => self.read_chunks(&mut body).await?,
            false => self.read_plain(head.length, &mut body).await?,
        }
        let done = Instant::now();
        Ok(Outcome {
            status: head.status,
            first: body.first.unwrap_or(done),
            done,
            events: body.events.data,
            body_bytes: body.bytes,
            saw_done: body.events.done,
            reusable: head.keep && (head.chunked || head.length.is_some()),
        })
    }

    async fn read_head(&mut self) -> Result<Head> {
        loop {
            self.fill().await?;
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut parsed = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(head_len) = parsed.parse(&self.unread).map_err(|_| faulty("head"))? else { continue };
            let find = |name: &str| {
                let header = parsed.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
                header.and_then(|h| std::str::from_utf8(h.value).ok()).map(str::trim)
            };
            let head = Head {
                status: parsed.code.unwrap_or(0),
                length: find("content-length").and_then(|v| v.parse().ok()),
                chunked: find("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked")),
                keep: !find("connection").is_some_and(|v| v.eq_ignore_ascii_case("close")),
            };
            self.unread.drain(..head_len);
            return Ok(head);
        }
    }

    async fn read_chunks(&mut self, body: &mut Body) -> Result<()> {
        loop {
            // One chunk: its size in hex, CRLF, the bytes, CRLF.
            let line_end = loop {
                match memchr::memchr(b'\n', &self.unread) {
                    Some(at) => break at,
                    None => self.fill().await?,
                }
            };
            let line = std::str::from_utf8(&self.unread[..line_end]).map_err(|_| faulty("chunk"))?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16).map_err(|_| faulty("chunk size"))?;
            let whole = line_end + 1 + size + 2;
            while self.unread.len() < whole {
                self.fill().await?;
            }
            if size == 0 {
                return Ok(());
            }
            body.saw(&self.unread[line_end + 1..line_end + 1 + size]);
            self.unread.drain(..whole);
        }
    }

    async fn read_plain(&mut self, length: Option<usize>, body: &mut Body) -> Result<()> {
        let mut left = length.unwrap_or(usize::MAX);
        while left > 0 {
            if self.unread.is_empty() {
                match self.fill().await {
                    Err(e) if length.is_none() && e.kind() == ErrorKind::UnexpectedEof => break,
                    other => other?,
                }
            }
            let n = self.unread.len().min(left);
            body.saw(&self.unread[..n]);
            left -= n;
            self.unread.drain(..n);
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        match self.socket.read_buf(&mut self.unread).await? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "closed early")),
            _ => Ok(()),
        }
    }
}

impl Body {
    fn saw(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.sse {
            self.events.feed(bytes);
        }
        if self.first.is_none() && (!self.sse || self.events.data > 0) {
            self.first = Some(Instant::now());
        }
    }
}

impl Events {
    fn feed(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &self.line[start..]) {
            if let Some(value) = self.line[start..start + length].strip_prefix(b"data:") {
                match value.trim_ascii() == b"[DONE]" {
                    true => self.done = true,
                    false => self.data += 1,
                }
            }
            start += length + 1;
        }
        self.line.drain(..start);
    }
}

fn faulty(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("faulty {what} in the answer"))
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn counts_events_wherever_the_reads_cut_them() {
        let text = b"data: {\"a\":1}\n\n: keep-alive\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n";
        for cut in 0..text.len() {
            let mut events = Events::default();
            events.feed(&text[..cut]);
            events.feed(&text[cut..]);
            assert_eq!((events.data, events.done), (2, true), "cut at {cut}");
        }
    }
}
