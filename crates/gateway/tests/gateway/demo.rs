//! The built-in simulated server: the same way through the gateway as any provider.

use domain::Kind;
use serde_json::json;
use testkit::Call;

use crate::rig::{Rig, Setup, chat};

async fn rig() -> Rig {
    let mut setup = Setup::default();
    setup.providers.push(json!({"name": "demo", "kind": "demo"}));
    setup.models[0]["targets"] = json!([{"provider": "demo"}]);
    Rig::with(setup).await
}

#[tokio::test]
async fn the_simulated_server_answers_charges_and_says_what_it_is() {
    let rig = rig().await;
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("demo")));
    let body = answer.json();
    assert_eq!((body["model"].as_str(), body["system_fingerprint"].as_str()), (Some("small-1"), Some("tidegate-demo")));
    let tokens = body["usage"]["total_tokens"].as_u64().unwrap();
    assert!(body["usage"]["completion_tokens"].as_u64().unwrap() <= 100);
    assert_eq!(rig.pool("category:small", Kind::Tokens), (tokens, 0));
    let call = Call::post("/v1/embeddings", &json!({"model": "small-1", "input": "a"})).key(&rig.key);
    assert_eq!(rig.send(&call).await.status, 200);
}

#[tokio::test]
async fn its_streams_are_relayed_and_charged_alike() {
    let rig = rig().await;
    let mut body = chat("small-1");
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    let mut opened = Call::post("/v1/chat/completions", &body).key(&rig.key).open(rig.addr).await;
    let mut events = Vec::new();
    while let Some(event) = opened.next().await.unwrap() {
        events.push(event);
    }
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    let usage = events.iter().find_map(|e| e.json()["usage"]["total_tokens"].as_u64()).unwrap();
    rig.settled().await;
    assert_eq!(rig.pool("category:small", Kind::Tokens), (usage, 0));
    assert_eq!(rig.usage().await.totals.counters.requests, 1);
}
