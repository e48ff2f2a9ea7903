//! The tools against each other: client and scripted upstream over a loopback port.

use serde_json::json;
use testkit::{Call, Connection, Gate, Reply, Script, Sse, Upstream};

fn chat(stream: bool) -> Call {
    Call::post("/v1/chat/completions", &json!({"model": "m", "stream": stream, "messages": [], "stream_options": {"include_usage": true}}))
}

#[tokio::test]
async fn answers_whole_and_streamed_and_records_what_came() {
    let upstream = Upstream::start().await;
    let whole = chat(false).key("k").send(upstream.addr()).await;
    assert_eq!((whole.status, whole.json()["usage"]["total_tokens"].as_u64()), (200, Some(15)));
    let events = chat(true).open(upstream.addr()).await.rest().await.unwrap();
    let text: String = events.iter().map(|e| e.content()).collect();
    assert_eq!(text, whole.json()["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    let received = upstream.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].headers.get("Authorization"), Some("Bearer k"));
    assert_eq!(received[1].json()["model"], "m");
}

#[tokio::test]
async fn a_gate_holds_a_stream_and_the_peer_s_leaving_is_seen() {
    let upstream = Upstream::start().await;
    let gate = Gate::new();
    upstream.push(Sse::new().text("data: 1\n\n").gate(&gate).text("data: 2\n\n").end());
    upstream.push(Sse::new().text("data: 1\n\n").hang());
    let mut held = chat(true).open(upstream.addr()).await;
    assert_eq!(held.next().await.unwrap().unwrap().data(), "1");
    gate.reached(1).await;
    gate.open();
    assert_eq!(held.rest().await.unwrap().len(), 1);
    let mut hanging = chat(true).open(upstream.addr()).await;
    hanging.next().await.unwrap();
    assert_eq!(upstream.abandoned_count(), 0);
    drop(hanging);
    upstream.abandoned(1).await;
}

#[tokio::test]
async fn a_reset_and_a_close_break_the_body() {
    let upstream = Upstream::start().await;
    for cut in [Script::reset_after, Script::close_after] {
        upstream.push(cut(Sse::new().text("data: 1\n\n").text("data: 2\n\n").done(), 120));
        let mut broken = chat(true).open(upstream.addr()).await;
        let mut seen = 0;
        let error = loop {
            match broken.next().await {
                Ok(event) => seen += u64::from(event.is_some()),
                Err(error) => break error,
            }
        };
        assert!(seen <= 1, "{error}");
    }
    upstream.push(Script::reset());
    assert!(chat(false).try_send(upstream.addr()).await.is_err());
}

#[tokio::test]
async fn a_connection_is_kept_and_scripts_come_in_order() {
    let upstream = Upstream::start().await;
    upstream.push(Script::rate_limited(7));
    upstream.push(Script::html().in_pieces(1));
    let mut connection = Connection::open(upstream.addr()).await.unwrap();
    let refused = connection.call(&chat(false)).await.unwrap();
    assert_eq!((refused.status, refused.header("Retry-After")), (429, Some("7")));
    assert!(connection.call(&chat(false)).await.unwrap().text().contains("It works!"));
    upstream.otherwise(|request| Reply::of(3, 0).script(request));
    let embedded = Call::post("/v1/embeddings", &json!({"model": "m", "input": ["a", "b"]})).send(upstream.addr()).await;
    assert_eq!(embedded.json()["data"].as_array().unwrap().len(), 2);
    let addr = upstream.addr();
    upstream.stop().await;
    assert!(Call::get("/").try_send(addr).await.is_err());
}
