//! Providers that nobody configured: their models are in the catalogue, in no plan, and gone when they are gone.

use std::sync::Arc;

use app::config::{ConfiguredProvider, Credential};
use app::{App, Settings};
use domain::{Provider, ProviderKind};
use serde_json::{Value, json};
use store::CredentialKind;
use testkit::{Reply, Script, SeededEntropy, Upstream};

use crate::server::{Server, provider, settings};

fn written(name: &str, kind: &str, base_url: &str) -> Provider {
    serde_json::from_value(json!({ "name": name, "kind": kind, "base_url": base_url })).unwrap()
}

fn models(names: &[&str]) -> Script {
    let data: Vec<Value> = names.iter().map(|name| json!({ "id": name, "object": "model" })).collect();
    Script::json(200, &json!({ "object": "list", "data": data }))
}

async fn start(server_text: &str, change: impl FnOnce(&mut Settings), folder: Arc<tempfile::TempDir>, seed: u64) -> Server {
    let mut settings = settings(server_text, &folder, false);
    change(&mut settings);
    let running = App::start(settings, Arc::new(testkit::ManualClock::new()), Arc::new(SeededEntropy::new(seed))).await.unwrap();
    Server { running, folder }
}

/// Asks until the catalogue is as it is to be: looking around happens beside the start.
async fn until(server: &Server, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..2_000 {
        let answer = server.operator("GET", path, Value::Null).await.json();
        if is_so(&answer) {
            return answer;
        }
        tokio::task::yield_now().await;
    }
    panic!("{path}: {}", server.operator("GET", path, Value::Null).await.text());
}

#[tokio::test]
async fn a_local_server_is_found_used_and_taken_out_when_it_is_gone() {
    let upstream = Upstream::start().await;
    upstream.push(models(&["qwen3:32b", "smollm2:latest"]));
    let local = written("ollama", "ollama", &upstream.base_url());
    assert_eq!(local.kind, ProviderKind::Ollama);
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let server = start("", |s| s.local = vec![local.clone()], Arc::clone(&folder), 1).await;

    let stranger = until(&server, "/models/smollm2", |m| m["id"] == "smollm2").await;
    assert_eq!((&stranger["category"], &stranger["managed_by"]), (&Value::Null, &json!("discovered")), "{stranger}");
    let example = until(&server, "/models/qwen-3-32b", |m| !m["targets"].as_array().unwrap().is_empty()).await;
    assert_eq!((&example["targets"][0]["provider"], &example["targets"][0]["model"]), (&json!("ollama"), &json!("qwen3:32b")));
    let (_, key) = server.org("growth").await;
    assert_eq!(server.chat(&key, "smollm2").await.status, 403, "in no plan until the operator adds it");
    upstream.reply(Reply::of(3, 2));
    assert_eq!(server.chat(&key, "qwen-3-32b").await.status, 200);
    let demo = server.running.demo.clone().unwrap();
    assert_eq!(server.chat(demo.key.expose(), "qwen-3-32b").await.status, 403, "the demo key spends nobody's tokens");
    server.running.shutdown().await;

    drop(upstream);
    let server = start("", |s| s.local = vec![written("ollama", "ollama", "http://127.0.0.1:9/v1")], folder, 2).await;
    until(&server, "/providers/ollama", |p| p["error"]["code"].is_string()).await;
    until(&server, "/models/smollm2", |p| p["error"]["code"].is_string()).await;
    let example = server.operator("GET", "/models/qwen-3-32b", Value::Null).await.json();
    assert_eq!(example["targets"], json!([]));
    server.running.shutdown().await;
}

#[tokio::test]
async fn a_key_in_the_environment_makes_a_provider_for_as_long_as_it_is_there() {
    let upstream = Upstream::start().await;
    let found = |secret: &str| {
        let credential = Credential { secret: secret.into(), found: CredentialKind::Env("UP_KEY".into()) };
        ConfiguredProvider { provider: written("up", "openai", &upstream.base_url()), credentials: vec![credential] }
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    for (seed, secret) in [(1, "first-secret"), (2, "second-secret")] {
        upstream.push(models(&["openai/gpt-oss-120b"]));
        let server = start("", |s| s.found = vec![found(secret)], Arc::clone(&folder), seed).await;
        until(&server, "/models/gpt-oss-120b", |m| !m["targets"].as_array().unwrap().is_empty()).await;
        assert_eq!(server.operator("GET", "/providers/up", Value::Null).await.json()["credential"], "env:UP_KEY");
        upstream.reply(Reply::of(3, 2));
        let (_, key) = server.org("starter").await;
        assert_eq!(server.chat(&key, "gpt-oss-120b").await.status, 200);
        let used = upstream.received().pop().unwrap().headers.get("authorization").map(String::from);
        assert_eq!(used.as_deref(), Some(format!("Bearer {secret}").as_str()));
        server.running.shutdown().await;
    }
    let server = start("", |_| {}, Arc::clone(&folder), 3).await;
    assert_eq!(server.operator("GET", "/providers/up", Value::Null).await.status, 404);
    server.running.shutdown().await;
}

#[tokio::test]
async fn configured_providers_and_the_setting_switch_it_off() {
    let upstream = Upstream::start().await;
    let text = provider("http://127.0.0.1:9/v1");
    for text in [text.as_str(), "[discovery]\nlocal = false\nenvironment = false"] {
        let found = ConfiguredProvider { provider: written("found", "openai", &upstream.base_url()), credentials: Vec::new() };
        let local = written("local", "vllm", &upstream.base_url());
        let change = |s: &mut Settings| (s.found, s.local) = (vec![found], vec![local]);
        let server = start(text, change, Arc::new(tempfile::tempdir().unwrap()), 1).await;
        for name in ["found", "local"] {
            assert_eq!(server.operator("GET", &format!("/providers/{name}"), Value::Null).await.status, 404);
        }
        server.running.shutdown().await;
    }
    assert!(upstream.received().is_empty());
}
