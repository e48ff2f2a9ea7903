//! `/metrics`: for the operator, or on a listener of its own; and what its labels never hold.

use testkit::Call;

use crate::server::Server;

#[tokio::test]
async fn the_main_listener_asks_for_the_operator_token() {
    let server = Server::start("").await;
    let addr = server.running.addr;
    let demo = server.running.demo.clone().unwrap();
    for call in [Call::get("/metrics"), Call::get("/metrics").key("wrong"), Call::get("/metrics").key(demo.key.expose())] {
        let refused = call.send(addr).await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    }
    let read = Call::get("/metrics").key(&server.token()).send(addr).await;
    assert_eq!(read.status, 200);
    assert!(read.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for name in ["tidegate_connections_open", "tidegate_records_queued", "tidegate_ready 1", "tidegate_build_info"] {
        assert!(read.text().contains(name), "{name}\n{}", read.text());
    }
    let text = read.text();
    let mut families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    families.sort_unstable();
    let all = families.len();
    families.dedup();
    assert_eq!(families.len(), all, "a family is written once: {text}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn a_listener_of_its_own_asks_for_nothing_and_has_nothing_else() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"").await;
    let apart = server.running.metrics_addr.unwrap();
    assert_eq!(Call::get("/metrics").send(apart).await.status, 200);
    for path in ["/v1/models", "/api/v1/orgs", "/readyz", "/"] {
        assert_eq!(Call::get(path).send(apart).await.status, 404, "{path}");
    }
    assert_eq!(Call::get("/metrics").key(&server.token()).send(server.running.addr).await.status, 404);
    server.running.shutdown().await;
}

#[tokio::test]
async fn requests_and_refusals_are_counted_without_naming_anybody() {
    let server = Server::start("[[plans]]\nid = \"tiny\"\nlimits = [{ category = \"small\", rpm = 1 }]").await;
    let (org, key) = server.org("tiny").await;
    assert_eq!(server.chat(&key, "demo-small").await.status, 200);
    assert_eq!(server.chat(&key, "demo-small").await.status, 429);
    let text = Call::get("/metrics").key(&server.token()).send(server.running.addr).await.text();
    for part in ["category:small", "tiny", "demo-small"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for secret in [org.as_str(), key.as_str(), "org_", "key_", "acme"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
    server.running.shutdown().await;
}
