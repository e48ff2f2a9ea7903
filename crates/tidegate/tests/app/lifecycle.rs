//! Ready, stopping, stopped: nothing that was begun is lost.

use serde_json::{Value, json};
use testkit::{Call, Connection, Gate, Reply, Script, Upstream};

use crate::server::{Server, chat, provider};

#[tokio::test]
async fn alive_and_ready_without_any_provider_that_answers() {
    let server = Server::start(&provider("http://127.0.0.1:9/v1")).await;
    let addr = server.running.addr;
    let alive = Call::get("/healthz").send(addr).await;
    assert_eq!((alive.status, alive.text().as_str()), (200, "ok\n"));
    let ready = Call::get("/readyz").send(addr).await;
    assert_eq!((ready.status, ready.json()["ready"].clone()), (200, json!(true)));
    assert_eq!(ready.header("cache-control"), Some("no-store"));
    let refused = Call::post("/healthz", &json!({})).send(addr).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    server.running.shutdown().await;
    assert!(Connection::open(addr).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn a_stopping_server_finishes_its_streams_and_closes_idle_connections() {
    let upstream = Upstream::start().await;
    let server = Server::start(&provider(&upstream.base_url())).await;
    let (org, key) = server.org("starter").await;
    let gate = Gate::new();
    upstream.reply(Reply::of(7, 5).gated(&gate));
    let addr = server.running.addr;
    let mut idle = Connection::open(addr).await.unwrap();
    assert_eq!(idle.call(&Call::get("/healthz")).await.unwrap().status, 200);
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "stream": true });
    let stream = Call::post("/v1/chat/completions", &body).key(&key);
    let stream = tokio::task::spawn(async move { stream.open(addr).await.rest().await });
    gate.reached(1).await;

    let folder = server.folder.clone();
    let stopping = tokio::task::spawn(server.running.shutdown());
    idle.closed().await.unwrap();
    assert!(!stopping.is_finished());
    gate.open();
    let events = stream.await.unwrap().unwrap();
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    stopping.await.unwrap();

    let server = Server::start_in(folder, &provider(&upstream.base_url()), 2).await;
    let usage = server.operator("GET", &format!("/orgs/{org}/usage"), Value::Null).await.json();
    assert_eq!((&usage["totals"]["requests"], &usage["totals"]["output_tokens"]), (&json!(1), &json!(5)), "{usage}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn after_the_grace_what_is_open_is_cut_and_still_recorded() {
    let upstream = Upstream::start().await;
    let text = format!("[server]\nshutdown_grace_seconds = 0\n{}", provider(&upstream.base_url()));
    let server = Server::start(&text).await;
    let (org, key) = server.org("starter").await;
    let gate = Gate::new();
    upstream.reply(Reply::of(7, 5).gated(&gate));
    let (addr, folder) = (server.running.addr, server.folder.clone());
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "stream": true });
    let stream = Call::post("/v1/chat/completions", &body).key(&key);
    let stream = tokio::task::spawn(async move { stream.open(addr).await.rest().await });
    gate.reached(1).await;
    server.running.shutdown().await;
    assert!(!stream.await.unwrap().is_ok_and(|events| events.iter().any(|e| e.data() == "[DONE]")), "it was cut");

    let server = Server::start_in(folder, &text, 2).await;
    let totals = server.operator("GET", &format!("/orgs/{org}/usage"), Value::Null).await.json()["totals"].clone();
    let recorded = totals["requests"].as_u64().unwrap() + totals["failed"].as_u64().unwrap();
    assert_eq!(recorded, 1, "{totals}");
    server.running.shutdown().await;
}

#[tokio::test]
async fn a_hurried_stop_waits_for_nobody() {
    let upstream = Upstream::start().await;
    let server = Server::start(&provider(&upstream.base_url())).await;
    let (_, key) = server.org("starter").await;
    upstream.push(Script::hang());
    let addr = server.running.addr;
    let call = chat("m").key(&key);
    let answer = tokio::task::spawn(async move { call.try_send(addr).await });
    upstream.arrived(1).await;
    server.running.shutdown_or(std::future::ready(())).await;
    assert!(answer.await.unwrap().is_err());
}
