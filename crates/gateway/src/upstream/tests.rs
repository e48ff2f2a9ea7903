//! Connections in the clear against a provider of a few lines: used again, not used when closed, closed when left, in time.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::{AnswerBody, Outgoing, SendFault, Upstream};

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

struct Provider {
    listener: TcpListener,
    upstream: Upstream,
}

impl Provider {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), upstream: Upstream::new(false, None) }
    }

    async fn ask(&self, within: Duration) -> Result<Response<AnswerBody>, SendFault> {
        let mut request = Request::new(Outgoing::new(Bytes::from_static(b"{}"), None));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{}/v1/x", self.listener.local_addr().unwrap()).parse().unwrap();
        self.upstream.send(&mut request, Instant::now() + within).await
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// An exchange over a new connection, which stays open.
    async fn first(&self, within: Duration) -> TcpStream {
        let serve = async {
            let mut stream = self.accept().await;
            answer(&mut stream, WHOLE).await;
            stream
        };
        let (asked, stream) = tokio::join!(self.ask(within), serve);
        assert_eq!(text(asked).await, "hi");
        stream
    }
}

async fn answer(stream: &mut TcpStream, text: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    stream.write_all(text.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

async fn text(answer: Result<Response<AnswerBody>, SendFault>) -> String {
    let bytes = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn an_answer_that_was_read_gives_its_connection_back() {
    let provider = Provider::new().await;
    let mut stream = provider.first(LONG).await;
    for body in [WHOLE, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", WHOLE] {
        let serve = async {
            tokio::select! {
                request = answer(&mut stream, body) => request,
                _ = provider.accept() => panic!("a second connection"),
            }
        };
        let (asked, request) = tokio::join!(provider.ask(LONG), serve);
        assert_eq!(text(asked).await, "hi");
        assert!(request.starts_with("POST /v1/x HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("host: {}\r\n", provider.listener.local_addr().unwrap())), "{request}");
    }
}

#[tokio::test]
async fn an_answer_in_pieces_is_put_together() {
    for whole in ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", WHOLE] {
        let provider = Provider::new().await;
        let serve = async {
            let mut stream = provider.accept().await;
            stream.set_nodelay(true).unwrap();
            answer(&mut stream, "").await;
            for byte in whole.as_bytes() {
                stream.write_all(&[*byte]).await.unwrap();
                yield_now().await;
            }
            stream
        };
        let asked = async { text(provider.ask(LONG).await).await };
        assert_eq!(tokio::join!(asked, serve).0, "hi");
    }
}

#[tokio::test]
async fn a_connection_that_can_not_serve_again_is_closed() {
    let closing = ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", ""];
    let surplus = ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi there", ""];
    let later = ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n", "1\r\ni\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"];
    for [with_head, rest] in [closing, surplus, later] {
        let provider = Provider::new().await;
        let serve = async {
            let mut stream = provider.accept().await;
            answer(&mut stream, with_head).await;
            stream
        };
        let (asked, mut stream) = tokio::join!(provider.ask(LONG), serve);
        stream.write_all(rest.as_bytes()).await.unwrap();
        assert_eq!(text(asked).await, "hi");
        let closed = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut [0])).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{with_head}: {closed:?}");
    }
}

#[tokio::test]
async fn a_body_without_a_length_lasts_until_the_connection_ends() {
    let provider = Provider::new().await;
    let serve = async {
        let mut stream = provider.accept().await;
        answer(&mut stream, "HTTP/1.1 200 OK\r\n\r\nh").await;
        stream.write_all(b"i").await.unwrap();
    };
    let asked = async { text(provider.ask(LONG).await).await };
    assert_eq!(tokio::join!(asked, serve).0, "hi");
}

#[tokio::test]
async fn a_refusal_is_heard_before_the_whole_request_was_taken() {
    let provider = Provider::new().await;
    let mut request = Request::new(Outgoing::new(Bytes::from(vec![b'x'; 64 << 20]), None));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("http://{}/v1/x", provider.listener.local_addr().unwrap()).parse().unwrap();
    let serve = async {
        let mut stream = provider.accept().await;
        stream.read_exact(&mut [0; 100]).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        stream
    };
    let (asked, mut stream) = tokio::join!(provider.upstream.send(&mut request, Instant::now() + Duration::from_secs(5)), serve);
    assert_eq!(asked.as_ref().unwrap().status().as_u16(), 413);
    assert_eq!(text(asked).await, "hi");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 64 << 20, "the connection was closed in the midst of the request");
}

#[tokio::test]
async fn what_is_no_http_breaks() {
    let provider = Provider::new().await;
    for words in ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"] {
        let serve = async {
            let mut stream = provider.accept().await;
            answer(&mut stream, words).await;
            stream
        };
        let (asked, _stream) = tokio::join!(provider.ask(LONG), serve);
        assert!(matches!(asked, Err(SendFault::Broke(_))));
    }
}

#[tokio::test]
async fn a_connection_that_the_provider_has_closed_is_not_used() {
    let provider = Provider::new().await;
    drop(provider.first(LONG).await);
    yield_now().await;
    let serve = async {
        let mut stream = provider.accept().await;
        answer(&mut stream, WHOLE).await;
    };
    let (asked, ()) = tokio::join!(provider.ask(LONG), serve);
    assert_eq!(text(asked).await, "hi");
}

#[tokio::test]
async fn what_a_used_connection_takes_and_does_not_answer_is_sent_once_more_on_a_new_one() {
    let provider = Provider::new().await;
    let mut old = provider.first(LONG).await;
    let serve = async {
        // It closes what was idle just as the next request comes.
        answer(&mut old, "").await;
        drop(old);
        let mut new = provider.accept().await;
        answer(&mut new, WHOLE).await;
    };
    let (asked, ()) = tokio::join!(provider.ask(LONG), serve);
    assert_eq!(text(asked).await, "hi");

    let provider = Provider::new().await;
    let serve = async {
        let mut new = provider.accept().await;
        answer(&mut new, "").await;
    };
    let (asked, ()) = tokio::join!(provider.ask(LONG), serve);
    assert!(matches!(asked, Err(SendFault::Broke(_))), "a new one is no idle one");
}

#[tokio::test]
async fn an_answer_that_is_left_closes_its_connection() {
    let provider = Provider::new().await;
    let serve = async {
        let mut stream = provider.accept().await;
        answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhi").await;
        stream
    };
    let (asked, mut stream) = tokio::join!(provider.ask(LONG), serve);
    drop(asked.unwrap());
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_not_an_end() {
    let provider = Provider::new().await;
    let serve = async {
        let mut stream = provider.accept().await;
        answer(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhi").await;
    };
    let (asked, ()) = tokio::join!(provider.ask(LONG), serve);
    assert!(asked.unwrap().into_body().collect().await.is_err());
    let (asked, ()) = tokio::join!(provider.ask(LONG), async { drop(provider.accept().await) });
    assert!(matches!(asked, Err(SendFault::Broke(_))));
}

#[tokio::test(start_paused = true)]
async fn each_request_has_its_own_deadline_on_a_connection_that_had_others() {
    for (before, within) in [(600, 2), (2, 600)] {
        let provider = Provider::new().await;
        let stream = provider.first(Duration::from_secs(before)).await;
        let begun = Instant::now();
        let asked = provider.ask(Duration::from_secs(within)).await;
        assert!(matches!(asked, Err(SendFault::TimedOut)));
        assert_eq!(begun.elapsed().as_secs(), within);
        drop(stream);
    }
}
