//! HTTP/2 by prior knowledge on the same port.

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::server::Server;

#[tokio::test]
async fn requests_side_by_side_on_one_connection() {
    let server = Server::start("").await;
    let demo = server.running.demo.clone().unwrap();
    let stream = TcpStream::connect(server.running.addr).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::task::spawn(connection);
    let ask = |stream: bool| {
        let body = format!(
            "{{\"model\":\"demo-small\",\"stream\":{stream},\"max_tokens\":8,\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}]}}"
        );
        let request = Request::post(format!("http://{}/v1/chat/completions", server.running.addr))
            .version(Version::HTTP_2)
            .header("authorization", format!("Bearer {}", demo.key.expose()))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let mut sender = sender.clone();
        async move {
            let answer = sender.send_request(request).await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
            String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
        }
    };
    let (whole, streamed) = tokio::join!(ask(false), ask(true));
    assert!(whole.contains("\"chat.completion\"") && streamed.trim_end().ends_with("data: [DONE]"), "{streamed}");
    server.running.shutdown().await;
    assert!(driver.await.is_ok());
}
