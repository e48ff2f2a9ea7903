//! The least of an HTTP client: one request a connection, for waiting until a server answers and for the operator API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// The longest wait for one read or write.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a request with a bearer token and returns the answer's status and body.
pub(super) fn call(addr: SocketAddr, method: &str, path: &str, bearer: &str, body: &str) -> anyhow::Result<(u16, String)> {
    let mut socket = TcpStream::connect_timeout(&addr, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("an answer without a status")?;
    ensure!(!head.to_ascii_lowercase().contains("transfer-encoding"), "an answer in chunks, which this client does not read");
    Ok((status, body.to_owned()))
}

/// Creates something over the operator API and returns what the server says of it.
pub(super) fn create(addr: SocketAddr, path: &str, token: &str, body: &Value) -> anyhow::Result<Value> {
    let (status, text) = call(addr, "POST", path, token, &body.to_string()).with_context(|| format!("POST {path}"))?;
    if status != 201 {
        bail!("POST {path} was answered with {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("POST {path} was answered with what is not JSON: {text}"))
}
