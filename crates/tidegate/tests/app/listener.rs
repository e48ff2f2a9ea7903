//! What the listener bears from clients: slow, idle, oversized and pipelined ones.

use testkit::{Call, Connection};

use crate::server::Server;

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let server = Server::start("[server]\nheader_timeout_seconds = 0.2").await;
    for beginning in ["GET /healthz HTTP/1.1\r\nx-a: ", "PRI * HT", ""] {
        let mut slow = Connection::open(server.running.addr).await.unwrap();
        slow.write(beginning.as_bytes()).await.unwrap();
        slow.closed().await.unwrap();
    }
    // The same after a request that was answered.
    let mut slow = Connection::open(server.running.addr).await.unwrap();
    assert_eq!(slow.call(&Call::get("/healthz")).await.unwrap().status, 200);
    slow.write(b"GET /hea").await.unwrap();
    slow.closed().await.unwrap();
    server.running.shutdown().await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_beyond_the_heads_patience_and_closed_after_its_own() {
    let server = Server::start("[server]\nheader_timeout_seconds = 0.05\nidle_timeout_seconds = 0.3").await;
    let mut idle = Connection::open(server.running.addr).await.unwrap();
    assert_eq!(idle.call(&Call::get("/healthz")).await.unwrap().status, 200);
    let began = tokio::time::Instant::now();
    idle.closed().await.unwrap();
    assert!(began.elapsed() >= std::time::Duration::from_millis(250), "{:?}", began.elapsed());
    server.running.shutdown().await;
}

#[tokio::test]
async fn floods_of_headers_are_refused_with_431() {
    let server = Server::start("").await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(100_000));
    for headers in [many, long] {
        let mut flood = Connection::open(server.running.addr).await.unwrap();
        flood.write(format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await.unwrap();
        assert_eq!(flood.answer().await.unwrap().status, 431);
    }
    let mut endless = Connection::open(server.running.addr).await.unwrap();
    endless.write(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    assert_eq!(endless.flood(b"x-more: and more\r\n", 1 << 20).await.unwrap().status, 431);
    server.running.shutdown().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start("").await;
    let mut pipeline = Connection::open(server.running.addr).await.unwrap();
    let both = [Call::get("/healthz").bytes(), Call::get("/nothing").bytes(), Call::get("/readyz").bytes()].concat();
    pipeline.write(&both).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(pipeline.answer().await.unwrap().status);
    }
    assert_eq!(statuses, [200, 404, 200]);
    server.running.shutdown().await;
}

#[tokio::test]
async fn a_path_that_nothing_has_is_a_helpful_404() {
    let server = Server::start("").await;
    for path in ["/", "/v10/models", "/api/v2/orgs", "/healthz/", "/console"] {
        let answer = Call::get(path).send(server.running.addr).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("not_found")), "{path}");
        assert!(answer.text().contains("/api/v1"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    server.running.shutdown().await;
}
