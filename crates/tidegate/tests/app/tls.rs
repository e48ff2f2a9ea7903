//! TLS on the listener: a generated certificate, HTTP/2 and HTTP/1.1 by ALPN.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::Server;

struct Trust {
    config: String,
    certificate: CertificateDer<'static>,
    _files: TempDir,
}

fn certificate() -> Trust {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TempDir::new().unwrap();
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = format!(
        "[server]\nheader_timeout_seconds = 0.3\ntls = {{ cert = {:?}, key = {:?} }}",
        cert.display().to_string(),
        key.display().to_string()
    );
    Trust { config, certificate: made.cert.der().clone(), _files: files }
}

async fn connect(server: &Server, trust: &Trust, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trust.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let tcp = TcpStream::connect(server.running.addr).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap()
}

#[tokio::test]
async fn both_versions_are_spoken() {
    let trust = certificate();
    let server = Server::start(&trust.config).await;
    assert!(server.running.url.starts_with("https://"));
    let request = || http::Request::get("https://localhost/healthz").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();

    let stream = connect(&server, &trust, &[b"h2", b"http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::task::spawn(connection);
    let answer = sender.send_request(request()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok\n");
    drop(sender);

    let stream = connect(&server, &trust, &[b"http/1.1"]).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let other = tokio::task::spawn(connection);
    assert_eq!(sender.send_request(request()).await.unwrap().status().as_u16(), 200);
    server.running.shutdown().await;
    drop((driver.await, other.await));
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_not_waited_for() {
    let trust = certificate();
    let server = Server::start(&trust.config).await;
    let mut silent = testkit::Connection::open(server.running.addr).await.unwrap();
    silent.closed().await.unwrap();
    server.running.shutdown().await;
}
