//! Calls that succeed: what goes upstream, what comes back, what is charged and written down.

use domain::Kind;
use serde_json::json;
use testkit::{Call, Reply, Script};

use crate::rig::{Rig, chat};

#[tokio::test]
async fn a_chat_is_answered_charged_and_recorded() {
    let rig = Rig::start().await;
    rig.upstream.reply(Reply::of(12, 7));
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["usage"]["total_tokens"], 19);
    assert_eq!(answer.json()["model"], "small-1");
    assert_eq!(answer.header("x-tidegate-provider"), Some("first"));
    assert!(answer.header("x-request-id").unwrap().starts_with("req_"));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("600"));
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("599"));
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("399981"));
    assert_eq!(answer.header("x-ratelimit-reset-tokens"), Some("1m0s"));
    assert_eq!(answer.header("ratelimit"), Some(r#""requests-60s";r=599;t=60, "tokens-60s";r=399981;t=60"#));
    assert_eq!(rig.pool("category:small", Kind::Requests), (1, 0));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (19, 0));
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.input_tokens, usage.totals.counters.output_tokens), (1, 12, 7));
    assert_eq!(usage.totals.counters.cost.to_string(), "0.000026");
}

#[tokio::test]
async fn the_body_goes_upstream_byte_for_byte_but_for_the_model() {
    let rig = Rig::start().await;
    let body = r#"{ "unknown":[1, 2.50], "model" : "large-1",  "messages":[{"role":"user","content":"h\u00e9"}] }"#;
    let call = Call::new("POST", "/openai/v1/chat/completions").header("content-type", "application/json").key(&rig.key).body(body);
    assert_eq!(rig.send(&call).await.status, 200);
    let received = &rig.upstream.received()[0];
    assert_eq!(received.path, "/v1/chat/completions");
    assert_eq!(String::from_utf8_lossy(&received.body), body.replace("large-1", "large-at-first"));
    assert_eq!(received.headers.get("authorization"), Some("Bearer sk-provider-secret"));
}

#[tokio::test]
async fn a_stream_is_relayed_and_its_usage_chunk_taken_out_again() {
    let rig = Rig::start().await;
    rig.upstream.reply(Reply::of(12, 3));
    let mut opened = rig.stream("small-1").open(rig.addr).await;
    assert_eq!(opened.status, 200);
    assert_eq!(opened.headers.get("content-type"), Some("text/event-stream; charset=utf-8"));
    let mut events = Vec::new();
    while let Some(event) = opened.next().await.unwrap() {
        events.push(event);
    }
    assert_eq!(events.iter().map(|e| e.content()).collect::<String>(), "hello hello hello");
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    assert!(events.iter().all(|e| e.json()["usage"].is_null()), "{events:?}");
    assert!(rig.upstream.received()[0].json()["stream_options"]["include_usage"].as_bool().unwrap());
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.input_tokens, usage.totals.counters.output_tokens), (1, 12, 3));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (15, 0));
}

#[tokio::test]
async fn embeddings_hold_no_output() {
    let rig = Rig::start().await;
    rig.upstream.reply(Reply::of(4, 0));
    let call = Call::post("/v1/embeddings", &json!({"model": "small-1", "input": ["a", "b"]})).key(&rig.key);
    let answer = rig.send(&call).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(rig.pool("category:small", Kind::Tokens), (4, 0));
}

#[tokio::test]
async fn without_usage_tokens_are_counted() {
    let rig = Rig::start().await;
    rig.upstream.reply(Reply::of(0, 4).without_usage());
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!(answer.status, 200);
    let exact =
        providers::count_input(domain::Endpoint::ChatCompletions, chat("small-1").to_string().as_bytes(), domain::Tokenizer::O200kBase);
    let output = providers::count_output(domain::Endpoint::ChatCompletions, &answer.body, domain::Tokenizer::O200kBase);
    assert!(exact > 0 && output > 0);
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.input_tokens, usage.totals.counters.output_tokens), (exact, output));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (exact + output, 0));
}

#[tokio::test]
async fn a_rejected_request_keeps_its_request_and_gets_its_tokens_back() {
    let rig = Rig::start().await;
    rig.upstream.push(Script::error(400, "temperature must be below 2"));
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("temperature must be below 2"));
    assert_eq!(rig.pool("category:small", Kind::Requests), (1, 0));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (0, 0));
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.failed), (0, 1));
}
