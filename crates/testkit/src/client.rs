//! A small HTTP/1.1 client: whole answers, event streams, and raw bytes. It follows nothing and repeats nothing.

use std::io;
use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::wire::{Framing, Head, Headers, Reader, in_time};

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    /// Any method.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST` of JSON.
    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).json(body)
    }

    /// The body and its content type.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// Any body; `content-length` is added when it is sent.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// One more header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// `Authorization: Bearer`.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// The request as it goes over the wire.
    pub fn bytes(&self) -> Bytes {
        let mut out = BytesMut::from(format!("{} {} HTTP/1.1\r\nhost: gateway.test\r\n", self.method, self.path).as_bytes());
        for (name, value) in &self.headers {
            out.put_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !self.body.is_empty() || self.method != "GET" {
            out.put_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        out.put_slice(b"\r\n");
        out.put_slice(&self.body);
        out.freeze()
    }

    /// Sends it on a connection of its own and reads the whole answer.
    ///
    /// # Panics
    /// If there is no whole answer.
    pub async fn send(&self, addr: SocketAddr) -> Answer {
        self.try_send(addr).await.unwrap_or_else(|e| panic!("{} {}: no whole answer: {e}", self.method, self.path))
    }

    /// The same, where no whole answer may come.
    ///
    /// # Errors
    /// The connection was refused or broke.
    pub async fn try_send(&self, addr: SocketAddr) -> io::Result<Answer> {
        Connection::open(addr).await?.call(self).await
    }

    /// Sends it on a connection of its own and reads the head of the answer.
    ///
    /// # Panics
    /// If no head comes.
    pub async fn open(&self, addr: SocketAddr) -> Opened {
        self.try_open(addr).await.unwrap_or_else(|e| panic!("{} {}: no answer: {e}", self.method, self.path))
    }

    /// The same, where no head may come.
    ///
    /// # Errors
    /// The connection was refused or broke.
    pub async fn try_open(&self, addr: SocketAddr) -> io::Result<Opened> {
        let mut connection = Connection::open(addr).await?;
        connection.write(&self.bytes()).await?;
        connection.into_opened(&self.method).await
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines in order.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it isn't JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("status {}, {e}: {}", self.status, self.text()))
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    reader: Reader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn open(addr: SocketAddr) -> io::Result<Self> {
        let socket = in_time(TcpStream::connect(addr)).await?;
        socket.set_nodelay(true)?;
        let (read, write) = socket.into_split();
        Ok(Self { reader: Reader::new(read), write })
    }

    /// Sends any bytes.
    ///
    /// # Errors
    /// The peer has left.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        in_time(self.write.write_all(bytes)).await
    }

    /// Reads one whole answer to whatever was written, as if to a `POST`.
    ///
    /// # Errors
    /// The connection ended before the answer did.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        self.answer_to("POST").await
    }

    /// Sends a request and reads the whole answer; the connection is kept.
    ///
    /// # Errors
    /// The connection ended before the answer did.
    pub async fn call(&mut self, call: &Call) -> io::Result<Answer> {
        self.write(&call.bytes()).await?;
        self.answer_to(&call.method).await
    }

    /// Writes `piece` again and again, up to `most` bytes in all, until an answer comes.
    ///
    /// # Errors
    /// The connection ended before the answer did, or nothing came in time.
    pub async fn flood(&mut self, piece: &[u8], most: u64) -> io::Result<Answer> {
        let Self { reader, write } = self;
        let writing = async {
            let mut sent = 0;
            while sent < most && write.write_all(piece).await.is_ok() {
                sent += piece.len() as u64;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = read_answer(reader, "POST") => answer,
            () = writing => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits until the peer closes. What it still sends is thrown away.
    ///
    /// # Errors
    /// Nothing happened in time.
    pub async fn closed(&mut self) -> io::Result<()> {
        let reader = &mut self.reader;
        in_time(async {
            while reader.fill().await.is_ok_and(|n| n > 0) {}
            Ok(())
        })
        .await
    }

    /// Closes the sending side.
    ///
    /// # Errors
    /// The peer has left.
    pub async fn finish_writing(&mut self) -> io::Result<()> {
        self.write.shutdown().await
    }

    /// Leaves with RST instead of FIN.
    pub fn reset(self) {
        // Where this fails the peer is gone already.
        drop(self.write.as_ref().set_zero_linger());
    }

    async fn answer_to(&mut self, method: &str) -> io::Result<Answer> {
        read_answer(&mut self.reader, method).await
    }

    async fn into_opened(mut self, method: &str) -> io::Result<Opened> {
        let (head, status) = in_time(read_head(&mut self.reader)).await?;
        let framing = Framing::of_answer(method, status, &head.headers);
        Ok(Opened { status, headers: head.headers, connection: self, framing, buffer: BytesMut::new() })
    }
}

async fn read_head(reader: &mut Reader<OwnedReadHalf>) -> io::Result<(Head, u16)> {
    loop {
        let head = reader.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, head.first.clone()))?;
        if status >= 200 {
            return Ok((head, status));
        }
    }
}

async fn read_answer(reader: &mut Reader<OwnedReadHalf>, method: &str) -> io::Result<Answer> {
    in_time(async {
        let (head, status) = read_head(reader).await?;
        let body = reader.body(Framing::of_answer(method, status, &head.headers)).await?;
        Ok(Answer { status, headers: head.headers, body })
    })
    .await
}

/// One server-sent event, or one comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event(pub String);

impl Event {
    /// What follows `data: `; empty for a comment.
    pub fn data(&self) -> &str {
        self.0.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim_start).unwrap_or_default()
    }

    /// The data as JSON; `Null` for `[DONE]` and comments.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.data()).unwrap_or(Value::Null)
    }

    /// The text of its first choice's delta, or its first choice's text.
    pub fn content(&self) -> String {
        let choice = &self.json()["choices"][0];
        choice["delta"]["content"].as_str().or(choice["text"].as_str()).unwrap_or_default().into()
    }
}

/// An answer whose body is still coming. Dropping it leaves.
#[derive(Debug)]
pub struct Opened {
    /// The status code.
    pub status: u16,
    /// Header lines in order.
    pub headers: Headers,
    connection: Connection,
    framing: Framing,
    buffer: BytesMut,
}

impl Opened {
    /// The next event; `None` when the body has ended in good order.
    ///
    /// # Errors
    /// The connection broke, the body ended within an event, or nothing came in time.
    pub async fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|w| w == b"\n\n") {
                let event = self.buffer.split_to(at + 2);
                return Ok(Some(Event(String::from_utf8_lossy(&event).trim_end().to_owned())));
            }
            match in_time(self.connection.reader.piece(&mut self.framing)).await? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("within an event: {:?}", self.buffer))),
            }
        }
    }

    /// All events that are still to come, in a body that ends in good order.
    ///
    /// # Errors
    /// As [`Opened::next`].
    pub async fn rest(mut self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    /// The rest of the body as a whole answer.
    ///
    /// # Errors
    /// The connection broke before the end.
    pub async fn whole(mut self) -> io::Result<Answer> {
        let Self { status, headers, connection, framing, buffer } = &mut self;
        let rest = in_time(connection.reader.body(*framing)).await?;
        buffer.extend_from_slice(&rest);
        Ok(Answer { status: *status, headers: std::mem::take(headers), body: buffer.split().freeze() })
    }

    /// Leaves with RST instead of FIN.
    pub fn reset(self) {
        self.connection.reset();
    }
}
